"""Reading many files, each a split.

Owns how far each file was read, and the watch for new files and appended lines. Invariants: one file's pieces come in
order; a file that is complete finishes its split; a watched file only grows, and when it does not, that is an error and
never a silent loss; its last line counts when its line feed is there. Callers: the engine's runtime, through `source`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from yeoul.clock import Clock
from yeoul.connectors.filesystem.parquet import ParquetFile, ParquetPiece
from yeoul.connectors.filesystem.text import ByteFile, Lines, next_lines
from yeoul.engine.contract import Fetched, Polled, Position

__all__ = ["PIECE_BYTES", "FileReader", "FileSplit", "ParquetSplit", "TextSplit", "Watch"]

PIECE_BYTES = 4 << 20
_LEAST_SHARE = 8
"""A poll ends when less of its room is left: a piece stops at a line's end, and batches of the rest cost most."""


class FileSplit(Protocol):
    """One file, and how far it was read."""

    @property
    def path(self) -> str: ...

    @property
    def is_finished(self) -> bool:
        """Whether it will never give more."""
        ...

    @property
    def is_at_end(self) -> bool:
        """Whether nothing more was there at the last look."""
        ...

    @property
    def lag(self) -> int:
        """Bytes not read yet, about."""
        ...

    def next_piece(self, size_bytes: int) -> Fetched | None:
        """Reads on; None when there is nothing."""
        ...

    def close(self) -> None: ...


class TextSplit:
    """A file of lines.

    Args:
        file: Where the bytes come from.
        start: Where to begin.
        is_complete: Whether nothing will be appended.
        make_piece: Wraps lines so that they can be decoded.
    """

    def __init__(
        self, file: ByteFile, start: int, is_complete: bool, make_piece: Callable[[str, Lines], Fetched]
    ) -> None:
        self._file = file
        self._next = start
        self._is_complete = is_complete
        self._make_piece = make_piece
        self.is_at_end = False
        self.is_finished = False

    @property
    def path(self) -> str:
        return self._file.path

    @property
    def lag(self) -> int:
        try:
            return max(0, os.stat(self.path).st_size - self._next)
        except OSError:
            return 0

    def next_piece(self, size_bytes: int) -> Fetched | None:
        lines = next_lines(self._file, self._next, size_bytes, takes_rest=self._is_complete)
        self.is_at_end = lines is None or lines.at_end
        self.is_finished = self.is_at_end and self._is_complete
        if lines is None:
            return None
        self._next = lines.after
        return self._make_piece(self.path, lines)

    def look_again(self, is_there: bool) -> None:
        """Lets a file be read on that was at its end; one that is gone by then was read whole, and is finished."""
        if self.is_at_end and not is_there:
            self.is_finished = True
        self.is_at_end = self.is_finished

    def close(self) -> None:
        self._file.close()


class ParquetSplit:
    """A Parquet file; always complete."""

    def __init__(self, file: ParquetFile, start: int) -> None:
        self._file = file
        self._next = start

    @property
    def path(self) -> str:
        return self._file.path

    @property
    def is_finished(self) -> bool:
        return self._next >= self._file.row_groups

    @property
    def is_at_end(self) -> bool:
        return self.is_finished

    @property
    def lag(self) -> int:
        return sum(self._file.piece(index).size_bytes for index in range(self._next, self._file.row_groups))

    def next_piece(self, size_bytes: int) -> ParquetPiece | None:
        if self.is_finished:
            return None
        piece = self._file.piece(self._next)
        self._next += 1
        return piece

    def close(self) -> None:
        """Holds nothing open."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How to look for new files.

    Attributes:
        interval_ms: How often.
        list_files: Names the files there are now.
        open_file: Opens one that is new.
    """

    interval_ms: int
    list_files: Callable[[], Sequence[str]]
    open_file: Callable[[str, Position], FileSplit]


class FileReader:
    """Reads files; see `yeoul.engine.contract.Reader`.

    Args:
        splits: The files to begin with.
        watch: How to look for more; None for a bounded source.
        clock: For the watch.
    """

    def __init__(self, splits: Sequence[FileSplit], watch: Watch | None, clock: Clock) -> None:
        self._splits: dict[str, FileSplit] = {split.path: split for split in splits}
        self._watch = watch
        self._clock = clock
        self._woken = threading.Event()
        self._look_at_s = clock.monotonic_s() + self._interval_s()
        self._closed = False

    def splits(self) -> Sequence[str]:
        """Returns the files known now."""
        return tuple(self._splits)

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        """Returns the next pieces, waiting for appended lines where files are watched."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        while True:
            before = len(self._splits)
            self._look_again()
            wanted = [self._splits[path] for path in splits if path in self._splits]
            pieces = self._read(wanted, max_bytes)
            now_s = self._clock.monotonic_s()
            is_done = all(split.is_finished for split in wanted) and self._watch is None
            if pieces or is_done or self._closed or now_s >= deadline_s or len(self._splits) > before:
                return self._polled(pieces, wanted)
            self._woken.wait(max(0.0, min(deadline_s, self._look_at_s) - now_s))
            if self._woken.is_set():
                self._woken.clear()
                return self._polled(pieces, wanted)

    def wake(self) -> None:
        """Ends a wait; callable from any thread."""
        self._woken.set()

    def close(self) -> None:
        """Closes what is open; idempotent."""
        self._closed = True
        self._woken.set()
        for split in self._splits.values():
            split.close()

    def _interval_s(self) -> float:
        return 0.0 if self._watch is None else self._watch.interval_ms / 1_000

    def _polled(self, pieces: list[Fetched], wanted: list[FileSplit]) -> Polled:
        return Polled(
            pieces,
            at_end=frozenset(split.path for split in wanted if split.is_at_end),
            finished=frozenset(path for path, split in self._splits.items() if split.is_finished),
            lag={split.path: split.lag for split in wanted},
        )

    def _read(self, wanted: list[FileSplit], max_bytes: int) -> list[Fetched]:
        """Reads about a piece's worth: one large piece, or many small files."""
        room_bytes = max(1, min(max_bytes, PIECE_BYTES))
        least_bytes = room_bytes // _LEAST_SHARE
        pieces: list[Fetched] = []
        for split in wanted:
            # A watched file at its end is looked at again with the next look at the directory.
            if split.is_finished or (split.is_at_end and self._watch is not None):
                continue
            piece = split.next_piece(room_bytes)
            if piece is not None:
                pieces.append(piece)
                room_bytes -= piece.size_bytes
                if room_bytes <= least_bytes:
                    break
        return pieces

    def _look_again(self) -> None:
        """Finds new files, and lets those at their end be read on."""
        if self._watch is None or self._clock.monotonic_s() < self._look_at_s:
            return
        self._look_at_s = self._clock.monotonic_s() + self._interval_s()
        present = set(self._watch.list_files())
        for path, split in self._splits.items():
            if isinstance(split, TextSplit) and not split.is_finished:
                split.look_again(is_there=path in present)
        for path in sorted(present - self._splits.keys()):
            self._splits[path] = self._watch.open_file(path, None)
