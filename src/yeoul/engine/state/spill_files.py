"""Where spilled state lies: Arrow IPC files in a directory of the job, gone when the job is.

The directory is made when something is written for the first time. A file `alive` in it stays locked while the job
lives; whoever makes a directory beside it removes those whose lock nobody holds: what a killed process left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa

from yeoul.errors import EnvironmentFailure

__all__ = ["Frames", "SpillFiles"]

Frames = Mapping[str, pl.DataFrame]
_PREFIX = "yeoul-state-"
_ALIVE = "alive"
_HINT = "Free space, choose another disk with 'state.spill.directory', or raise 'state.memory.limit'."


class SpillFiles:
    """A job's spilled state.

    Args:
        parent: The directory to make the job's directory in; None: where temporary files go.

    Example:
        >>> files = SpillFiles(None)
        >>> number, size_bytes = files.write({"rows": pl.DataFrame({"k": ["a"]})})
        >>> files.read(number)["rows"].rows()
        [('a',)]
        >>> files.close()
    """

    def __init__(self, parent: str | None) -> None:
        self._parent = Path(parent or tempfile.gettempdir())
        self._directory: Path | None = None
        self._lock: IO[str] | None = None
        self._names: dict[int, dict[str, Path]] = {}
        self._sizes: dict[int, int] = {}
        self._next = 0

    @property
    def size_bytes(self) -> int:
        """What lies on disk now."""
        return sum(self._sizes.values())

    def write(self, frames: Frames) -> tuple[int, int]:
        """Writes frames; returns the number to read them by, and their size in bytes.

        Raises:
            EnvironmentFailure: The disk is full, or the directory cannot be written.
        """
        number, self._next = self._next, self._next + 1
        paths: dict[str, Path] = {}
        self._names[number], self._sizes[number] = paths, 0
        try:
            directory = self._made()
            for at, (name, frame) in enumerate(frames.items()):
                paths[name] = directory / f"{number}-{at}.arrow"
                frame.write_ipc(paths[name], compression="uncompressed")
                self._sizes[number] += paths[name].stat().st_size
        except (OSError, pl.exceptions.PolarsError) as error:
            wanted = sum(int(frame.estimated_size()) for frame in frames.values())
            self.remove(number)
            raise EnvironmentFailure(
                f"State of {wanted} bytes could not be spilled to {str(self._directory or self._parent)!r}: {error}",
                hint=_HINT,
            ) from error
        return number, self._sizes[number]

    def read(self, number: int) -> dict[str, pl.DataFrame]:
        """Returns frames, mapped from their files: they take memory as they are looked at.

        Raises:
            EnvironmentFailure: A file is gone or damaged.
        """
        try:
            return {name: _mapped(path) for name, path in self._names[number].items()}
        except (OSError, pa.ArrowInvalid, pl.exceptions.PolarsError) as error:
            raise EnvironmentFailure(
                f"Spilled state in {str(self._directory)!r} cannot be read: {error}",
                hint="The job cannot go on without it; start it again.",
            ) from error

    def size_of(self, number: int) -> int:
        """Returns what frames take on disk: nothing once they are removed, or the job has ended."""
        return self._sizes.get(number, 0)

    def remove(self, number: int) -> None:
        """Removes frames; who has read them may go on looking at them."""
        for path in self._names.pop(number).values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        del self._sizes[number]

    def close(self) -> None:
        """Removes everything; idempotent."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._names, self._sizes = {}, {}

    def _made(self) -> Path:
        if self._directory is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            for left in _left_behind(self._parent):
                shutil.rmtree(left, ignore_errors=True)
            hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=self._parent))
            self._lock = (hidden / _ALIVE).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            # It is seen once it is locked, so that nobody takes it for left behind.
            self._directory = hidden.rename(self._parent / hidden.name.removeprefix("."))
        return self._directory


def _mapped(path: Path) -> pl.DataFrame:
    """Returns a file's frame without reading it; Polars itself reads it whole."""
    with pa.memory_map(str(path)) as file:
        frame = pl.from_arrow(pa.ipc.open_file(file).read_all(), rechunk=False)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _left_behind(parent: Path) -> Iterator[Path]:
    """Finds the directories of jobs that live no more."""
    for directory in parent.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(directory / _ALIVE, os.O_RDWR)
        except OSError:
            # Somebody else's.
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            yield directory
        finally:
            os.close(descriptor)
