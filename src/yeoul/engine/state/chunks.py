"""Values of any width by slot: kept as they come, in chunks, and for each slot the place of its newest one.

What comes is only set aside; it is put together when somebody reads, or when much has gathered. Chunks are merged when
they have become as large as the one before them, so that there are few, and all are written anew without what is gone
once that is the greater part.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.compact import compacted

__all__ = ["Chunks"]

Slots = NDArray[np.int64]
_NOWHERE = np.uint32(2**32 - 1)
_RATIO = 4
_LEAST_GARBAGE = 4_096
_LEAST_PLACES = 1_024
_MOST_RECENT = 32


class Chunks:
    """One column.

    Example:
        >>> column = Chunks(pl.String())
        >>> column.write(np.array([0, 1]), pl.Series(["a", "b"]))
        >>> column.write(np.array([1]), pl.Series(["c"]))
        >>> column.read(np.array([1, 0, 1])).to_list()
        ['c', 'a', 'c']
    """

    def __init__(self, dtype: pl.DataType) -> None:
        self.dtype = dtype
        self._merged: list[pl.Series] = []
        self._recent: list[pl.Series] = []
        self._places = np.zeros(0, np.uint32)
        self._held = self._living = 0
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """What it takes, about."""
        return self._places.nbytes + self._bytes

    def reserve(self, slot_count: int) -> None:
        """Makes room for slots below a number."""
        before = len(self._places)
        if slot_count > before:
            places = np.full(max(slot_count, before * 3 // 2, _LEAST_PLACES), _NOWHERE)
            places[:before] = self._places
            self._places = places

    def read(self, slots: Slots) -> pl.Series:
        """Returns values at slots for which there is room; NULL where nothing was written."""
        places = self._places[slots]
        written = places != _NOWHERE
        if not written.any():
            return pl.Series([None], dtype=self.dtype).new_from_index(0, len(slots))
        indexes = pl.Series(places)
        if not written.all():
            indexes = indexes.set(pl.Series(~written), None)
        return self._all().gather(indexes)

    def write(self, slots: Slots, values: pl.Series) -> None:
        """Puts values at slots, each of which stands once."""
        if not len(slots):
            return
        self.reserve(int(slots.max()) + 1)
        self._living += int((self._places[slots] == _NOWHERE).sum())
        self._places[slots] = np.arange(self._held, self._held + len(slots), dtype=np.uint32)
        own = _own(values.cast(self.dtype))
        self._recent.append(own)
        self._held += len(own)
        self._bytes += _size_bytes(own)
        if len(self._recent) >= _MOST_RECENT:
            self._settle()
        self._collect_if_worthwhile()

    def forget(self, slots: Slots) -> None:
        """Says that what was written at slots is not needed any more."""
        self._living -= int((self._places[slots] != _NOWHERE).sum())
        self._places[slots] = _NOWHERE
        self._collect_if_worthwhile()

    def _settle(self) -> None:
        if not self._recent:
            return
        self._merged.append(_joined(self._recent))
        self._recent = []
        while len(self._merged) > 1 and len(self._merged[-1]) * _RATIO > len(self._merged[-2]):
            last = self._merged.pop()
            self._merged[-1] = _joined([self._merged[-1], last])

    def _collect_if_worthwhile(self) -> None:
        if self._held - self._living <= max(_LEAST_GARBAGE, self._living):
            return
        slots = np.flatnonzero(self._places != _NOWHERE)
        self._merged, self._recent = [_own(self._all().gather(pl.Series(self._places[slots])))], []
        self._places[slots] = np.arange(len(slots), dtype=np.uint32)
        self._held = self._living = len(slots)
        self._bytes = _size_bytes(self._merged[0])

    def _all(self) -> pl.Series:
        self._settle()
        return self._merged[0] if len(self._merged) == 1 else pl.concat(self._merged, rechunk=False)


def _joined(parts: list[pl.Series]) -> pl.Series:
    return parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=True)


def _own(values: pl.Series) -> pl.Series:
    """Cuts values loose from the batch that they came in."""
    return compacted(values.to_frame("")).to_series()


def _size_bytes(values: pl.Series) -> int:
    return int(values.estimated_size())
