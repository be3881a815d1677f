"""Pieces of text files, cut at line ends.

Owns reading bytes at a position and finding where the last whole line ends. Invariants: a piece's buffer is fresh and
never written to again, for columns keep views into it; every piece but a bounded file's last ends with a line feed;
nothing is read twice but the rest behind the last line feed. Callers: `reader`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from yeoul.connectors.filesystem.listing import explain_failure
from yeoul.errors import EnvironmentFailure
from yeoul.units import format_size

__all__ = ["LARGEST_LINE_BYTES", "ByteFile", "FileChanged", "Lines", "PlainFile", "next_lines"]

LARGEST_LINE_BYTES = 1 << 30
_LOOK_BACK_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"


class FileChanged(EnvironmentFailure):
    """A file is shorter than what was read of it, or another one stands in its place."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a file.

    Attributes:
        data: Their bytes.
        start: Where they lie in the file (decompressed).
        after: Where the next line begins.
        at_end: Whether nothing more was there when they were read.
    """

    data: NDArray[np.uint8]
    start: int
    after: int
    at_end: bool


class ByteFile(Protocol):
    """Something that gives bytes at a position that only moves forward, but for what was left behind a line end."""

    @property
    def path(self) -> str: ...

    def read(self, position: int, size_bytes: int) -> tuple[NDArray[np.uint8], bool]:
        """Returns a fresh buffer of at most `size_bytes` from `position` on, and whether the file ends there."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class PlainFile:
    """A file as it lies, opened anew for each piece: thousands of splits need no descriptors.

    Attributes:
        path: Where it is.
        identity: Device and inode when it was first read.
    """

    path: str
    identity: tuple[int, int] | None = None

    def read(self, position: int, size_bytes: int) -> tuple[NDArray[np.uint8], bool]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise explain_failure("read", self.path, error) from error
        try:
            held_bytes = self._held_bytes(descriptor, position)
            buffer = np.empty(min(size_bytes, held_bytes), np.uint8)
            filled = _fill(descriptor, position, buffer)
            return buffer[:filled], filled >= held_bytes
        except OSError as error:
            raise explain_failure("read", self.path, error) from error
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Holds nothing."""

    def _held_bytes(self, descriptor: int, position: int) -> int:
        """Returns how much lies behind `position`."""
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        self.identity = self.identity or identity
        if identity != self.identity:
            raise FileChanged(
                f"{self.path!r} was replaced by another file after {position} bytes of it were read",
                hint="Write new files under new names; a watched file may only grow.",
            )
        if status.st_size < position:
            raise FileChanged(
                f"{self.path!r} was truncated: {status.st_size} bytes are left, {position} were read already",
                hint="A watched file may only grow. Start the job again to read it from its beginning.",
            )
        return status.st_size - position


def _fill(descriptor: int, position: int, buffer: NDArray[np.uint8]) -> int:
    view = buffer.data
    filled = 0
    while filled < len(view):
        count = os.preadv(descriptor, [view[filled:]], position + filled)
        if count == 0:
            break
        filled += count
    return filled


def next_lines(file: ByteFile, position: int, size_bytes: int, takes_rest: bool) -> Lines | None:
    """Returns the whole lines from `position` on, about `size_bytes` of them, None when there are none.

    Args:
        file: Where from.
        position: Where a line begins.
        size_bytes: How much to read at once; a longer line is read whole.
        takes_rest: Whether the bytes behind the last line feed are a line, because the file is complete.

    Raises:
        EnvironmentFailure: The file cannot be read, or a line is longer than `LARGEST_LINE_BYTES`.
    """
    while True:
        buffer, at_end = file.read(position, size_bytes)
        end = len(buffer) if at_end and takes_rest else _last_line_end(buffer)
        if end > 0:
            skipped = len(_BOM) if position == 0 and buffer[:3].tobytes() == _BOM else 0
            return Lines(buffer[skipped:end], position + skipped, position + end, at_end and end == len(buffer))
        if at_end:
            return None
        if size_bytes >= LARGEST_LINE_BYTES:
            raise EnvironmentFailure(
                f"{file.path!r}: the line at byte {position} is longer than {format_size(LARGEST_LINE_BYTES)}",
                hint="Is it a text file with one record a line?",
            )
        size_bytes = min(4 * size_bytes, LARGEST_LINE_BYTES)


def _last_line_end(buffer: NDArray[np.uint8]) -> int:
    """Returns the position after the last line feed, 0 if there is none."""
    end = len(buffer)
    while end > 0:
        start = max(0, end - _LOOK_BACK_BYTES)
        found = buffer[start:end].tobytes().rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
