"""The sparse index of one segment: where to start looking for an offset or for a time. Pure.

An entry stands for one batch: its offset relative to the segment's base, its position in the file, and the largest
timestamp of all batches *before* it in the segment. Both questions are one bisection: the last entry at or below an
offset; the last entry before which every record is older than a time. Entries are at least `index.interval.bytes`
apart, so a look-up leaves that much to walk. In memory and on disk an entry is 16 bytes, little-endian on disk.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

__all__ = ["ENTRY_BYTES", "NO_TIMESTAMP_MS", "IndexEntry", "SparseIndex"]

NO_TIMESTAMP_MS = -1
ENTRY_BYTES = 16
_ENTRY = struct.Struct("<IIq")
_SWAP = sys.byteorder == "big"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One batch: offset relative to the segment's base, position, largest timestamp before it."""

    relative_offset: int
    position: int
    max_timestamp_before_ms: int


class SparseIndex:
    """The entries of one segment, in order; entries are only ever added, or dropped from the end.

    Example:
        >>> index = SparseIndex()
        >>> index.add(0, 0, -1)
        >>> index.add(10, 5_000, 70)
        >>> index.at_offset(9).position, index.at_offset(10).position
        (0, 5000)
        >>> index.before_timestamp(70).position, index.before_timestamp(71).position
        (0, 5000)
    """

    __slots__ = ("_max_before_ms", "_offsets", "_positions")

    def __init__(self) -> None:
        self._offsets = array("I")
        self._positions = array("I")
        self._max_before_ms = array("q")

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> IndexEntry:
        return IndexEntry(self._offsets[number], self._positions[number], self._max_before_ms[number])

    def add(self, relative_offset: int, position: int, max_timestamp_before_ms: int) -> None:
        # Readers in other threads bisect by offset or position: the last array to grow is the one they look at first.
        self._max_before_ms.append(max_timestamp_before_ms)
        self._positions.append(position)
        self._offsets.append(relative_offset)

    def at_offset(self, relative_offset: int) -> IndexEntry:
        """Returns the last entry at or below an offset, or the segment's beginning."""
        number = bisect_right(self._offsets, relative_offset) - 1
        return self[number] if number >= 0 else _BEGINNING

    def at_position(self, position: int) -> IndexEntry:
        """Returns the last entry at or below a position, or the segment's beginning."""
        number = bisect_right(self._positions, position) - 1
        # An entry whose offset another thread is just adding does not count yet.
        number = min(number, len(self._offsets) - 1)
        return self[number] if number >= 0 else _BEGINNING

    def before_timestamp(self, timestamp_ms: int) -> IndexEntry:
        """Returns the last entry before which all timestamps are below `timestamp_ms`, or the beginning."""
        number = bisect_left(self._max_before_ms, timestamp_ms) - 1
        number = min(number, len(self._offsets) - 1)
        return self[number] if number >= 0 else _BEGINNING

    def truncate(self, position: int) -> None:
        """Drops the entries at or beyond a position of the file."""
        keep = bisect_left(self._positions, position)
        del self._offsets[keep:], self._positions[keep:], self._max_before_ms[keep:]

    def encode(self, start: int = 0) -> bytes:
        """Returns the entries from number `start` on as they stand in the index file."""
        entries = zip(self._offsets[start:], self._positions[start:], self._max_before_ms[start:], strict=True)
        return b"".join([_ENTRY.pack(*entry) for entry in entries])

    @classmethod
    def decode(cls, data: bytes, *, limit_position: int) -> SparseIndex | None:
        """Returns the index that a file holds, without entries at or beyond `limit_position`.

        None when the bytes cannot be an index (not ascending): the caller rebuilds it from the segment.
        """
        index = cls()
        whole = len(data) - len(data) % ENTRY_BYTES
        words = array("I", data[:whole])
        if _SWAP:
            words.byteswap()
        halves = array("q", data[:whole])
        if _SWAP:
            halves.byteswap()
        index._offsets = words[0::4]
        index._positions = words[1::4]
        index._max_before_ms = halves[1::2]
        index.truncate(limit_position)
        return index if index._is_ascending() else None

    def _is_ascending(self) -> bool:
        columns = (self._offsets, self._positions)
        strictly = all(list(column) == sorted(set(column)) for column in columns)
        return strictly and list(self._max_before_ms) == sorted(self._max_before_ms)


_BEGINNING = IndexEntry(0, 0, NO_TIMESTAMP_MS)
