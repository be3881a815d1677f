"""Which target offset belongs to a source offset, for one partition: exact for every record that was copied.

Owns the runs (so many records from this source offset on lie from that target offset on) and how they are cut into
chunks that are stored one by one. Invariants: runs ascend on both sides and never overlap; a run is as long as it can
be; what a chunk says depends on no other chunk. Offsets differ because a log holds more than records: transaction
markers and aborted records on either side, and what compaction removed. Each transaction of the mirror ends in a marker
at the target, so a run is rarely longer than one transaction, and a stored run (some ten bytes) is smaller than the
marker that made it necessary. Callers: `session`, `state`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["CHUNK_RUNS", "Chunk", "OffsetMap", "Run"]

CHUNK_RUNS = 64
"""Runs of one chunk: what a transaction rewrites for each of its partitions."""


class Run(NamedTuple):
    """So many records, one offset apart on both sides."""

    source: int
    target: int
    length: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a map as it is stored.

    Attributes:
        number: Which one; the newest also says where the source is to be read on.
        next_source: The offset to read on from, when the chunk was written.
        runs: At most `CHUNK_RUNS`.
        origin: Source and target offset from which the copy began, for a map without runs.
    """

    number: int
    next_source: int
    runs: tuple[Run, ...]
    origin: tuple[int, int]


class OffsetMap:
    """The map of one partition.

    Args:
        next_source: Where the source is to be read first.
        next_target: Where the target's first copied record will lie, or a little behind that.

    Example:
        >>> copied = OffsetMap(0, 0)
        >>> copied.extend([Run(0, 0, 10), Run(12, 11, 5)], 18)
        {0}
        >>> [copied.translate(offset) for offset in (0, 9, 10, 12, 16, 17, 40)]
        [0, 9, 11, 11, 15, 16, 16]
    """

    def __init__(self, next_source: int, next_target: int) -> None:
        self.next_source = next_source
        self._origin = (next_source, next_target)
        self._first_number = 0
        self._sources = array("q")
        self._targets = array("q")
        self._counts = array("q")

    def __len__(self) -> int:
        return len(self._sources)

    @classmethod
    def from_chunks(cls, chunks: Iterable[Chunk]) -> OffsetMap:
        """Returns the map that was stored as `chunks`; there is at least one."""
        ordered = sorted(chunks, key=lambda chunk: chunk.number)
        found = cls(*ordered[-1].origin)
        found._first_number = ordered[0].number * CHUNK_RUNS
        for chunk in ordered:
            for run in chunk.runs:
                found._append(run)
        found.next_source = ordered[-1].next_source
        return found

    def extend(self, runs: Iterable[Run], next_source: int) -> set[int]:
        """Adds what was copied; returns the numbers of the chunks that are different now."""
        changed = {self._newest_chunk()}
        for run in runs:
            if self._counts and self._joins(run):
                self._counts[-1] += run.length
            else:
                self._append(run)
            changed.add(self._newest_chunk())
        self.next_source = next_source
        return changed

    def translate(self, source_offset: int) -> int:
        """Returns the target offset of the first copied record at or behind a source offset.

        Behind all that was copied it is where the next copied record will lie at the earliest.
        """
        at = bisect_right(self._sources, source_offset) - 1
        if at < 0:
            return self._targets[0] if self._targets else self._origin[1]
        into = source_offset - self._sources[at]
        if into < self._counts[at]:
            return self._targets[at] + into
        if at + 1 < len(self._sources):
            return self._targets[at + 1]
        return self._targets[at] + self._counts[at]

    def chunk(self, number: int) -> Chunk:
        """Returns one chunk to store."""
        low = max(0, number * CHUNK_RUNS - self._first_number)
        high = (number + 1) * CHUNK_RUNS - self._first_number
        columns = (self._sources[low:high], self._targets[low:high], self._counts[low:high])
        return Chunk(number, self.next_source, tuple(map(Run, *columns)), self._origin)

    def forget_before(self, source_offset: int) -> list[int]:
        """Drops the chunks that only speak of offsets before `source_offset`; returns their numbers.

        The newest chunk stays, whatever it speaks of.
        """
        dropped: list[int] = []
        while len(self) > CHUNK_RUNS:
            last = CHUNK_RUNS - 1
            if self._sources[last] + self._counts[last] > source_offset:
                break
            dropped.append(self._first_number // CHUNK_RUNS)
            for column in (self._sources, self._targets, self._counts):
                del column[:CHUNK_RUNS]
            self._first_number += CHUNK_RUNS
        return dropped

    def _newest_chunk(self) -> int:
        return (self._first_number + max(0, len(self) - 1)) // CHUNK_RUNS

    def _joins(self, run: Run) -> bool:
        count = self._counts[-1]
        return self._sources[-1] + count == run.source and self._targets[-1] + count == run.target

    def _append(self, run: Run) -> None:
        self._sources.append(run.source)
        self._targets.append(run.target)
        self._counts.append(run.length)
