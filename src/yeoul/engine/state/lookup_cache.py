"""What was looked up, by key: each key's rows, or that it has none, for as long as the bounds say.

A key is kept as a whole. Where there are too many rows the keys that were not asked for the longest go first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.contract import CacheBounds
from yeoul.engine.state.columns import Slots, distinct
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.sequences import KeyedSequences

__all__ = ["LookupCache"]

_WRITTEN, _ROWS = "$written", "$rows"
_LEFT_OF_EIGHT = 7
"""How many eighths of the rows are left where there are too many, so that not every batch sorts the keys."""


class LookupCache:
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns.
        keys: Those that make the key.
        bounds: How much is kept, and for how long.

    Example:
        >>> cache = LookupCache({"k": pl.Int64(), "v": pl.String()}, ["k"], CacheBounds(max_rows=10))
        >>> asked = pl.DataFrame({"k": [1, 2]})
        >>> cache.are_known(asked, 0).tolist()
        [False, False]
        >>> cache.add(asked, pl.DataFrame({"k": [1, 1], "v": ["a", "b"]}), 0)
        >>> cache.are_known(asked, 0).tolist(), cache.find(asked)[1]["v"].to_list(), len(cache)
        ([True, True], ['a', 'b'], 3)
    """

    def __init__(self, columns: Mapping[str, pl.DataType], keys: list[str], bounds: CacheBounds) -> None:
        self._columns, self._key_names, self._bounds = columns, keys, bounds
        self.clear()

    def __len__(self) -> int:
        """How many rows there are; a key without any counts as one."""
        return self._size

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._known.size_bytes + self._rows.size_bytes if self._size else 0

    def clear(self) -> None:
        """Forgets everything."""
        by = {name: self._columns[name] for name in self._key_names}
        self._known = KeyedState(by, {_WRITTEN: pl.Int64(), _ROWS: pl.Int64()})
        self._rows = KeyedSequences(self._columns, self._key_names)
        self._size = 0

    def are_known(self, keys: pl.DataFrame, now_ms: int) -> NDArray[np.bool_]:
        """Tells of which keys the rows are here, now that they are asked for; those whose time has passed are not."""
        slots = self._known.find(keys)
        known = distinct(slots[slots >= 0])
        old = known[self._are_old(known, now_ms)]
        if len(old):
            self._remove(old)
            slots = self._known.find(keys)
        self._known.touch(np.setdiff1d(known, old, assume_unique=True), now_ms)
        return slots >= 0

    def add(self, asked: pl.DataFrame, found: pl.DataFrame, now_ms: int) -> None:
        """Takes the answer to a question.

        Args:
            asked: Keys that are not known, each once.
            found: The rows that have them.
            now_ms: The time.
        """
        slots = self._known.upsert(asked).slots
        self._rows.add(found, now_ms)
        owners = self._known.find(found) if found.height else np.zeros(0, np.int64)
        found_each = np.bincount(owners[owners >= 0], minlength=int(slots.max()) + 1)[slots]
        self._known.write(slots, pl.DataFrame({_WRITTEN: np.full(len(slots), now_ms), _ROWS: found_each}))
        self._known.touch(slots, now_ms)
        self._size += int(np.maximum(found_each, 1).sum())

    def find(self, keys: pl.DataFrame) -> tuple[NDArray[np.int64], pl.DataFrame]:
        """Returns the rows of keys, and for each the place of its key among those asked for, ascending."""
        found = self._rows.find(keys)
        return found.places, self._rows.read(found.slots)

    def settle(self) -> None:
        """Drops what is not to be kept beyond the batch that asked for it."""
        if not self._bounds.max_rows:
            self.clear()
            return
        if not self._bounds.keeps_missing:
            living = self._known.living()
            if len(living):
                self._remove(living[self._known.read_column(_ROWS, living).to_numpy() == 0])
        if self._size > self._bounds.max_rows:
            self.shrink(self._bounds.max_rows * _LEFT_OF_EIGHT // 8)

    def halve(self) -> None:
        """Gives back half of the memory, or all of it where that is little."""
        self.shrink(self._size // 2)
        known, rows, size = self._known.snapshot(), self._rows.snapshot(), self._size
        self.clear()
        if size:
            self._known.restore(known)
            self._rows.restore(rows)
            self._size = size

    def _are_old(self, slots: Slots, now_ms: int) -> NDArray[np.bool_]:
        old = np.zeros(len(slots), np.bool_)
        if len(slots) and self._bounds.after_write_ms is not None:
            old |= self._known.read_column(_WRITTEN, slots).to_numpy() <= now_ms - self._bounds.after_write_ms
        if len(slots) and self._bounds.after_access_ms is not None:
            old |= np.isin(slots, self._known.untouched_since(now_ms - self._bounds.after_access_ms + 1))
        return old

    def shrink(self, row_count: int) -> None:
        """Drops keys until no more rows than so many are left, those first that were not asked for the longest."""
        if row_count <= 0:
            self.clear()
            return
        rows = self._known.snapshot()
        order = np.argsort(rows["$touched"].to_numpy(), kind="stable")
        sizes = np.maximum(rows[_ROWS].to_numpy()[order], 1)
        count = int(np.searchsorted(np.cumsum(sizes), self._size - row_count)) + 1
        self._remove(self._known.living()[order[:count]])

    def _remove(self, slots: Slots) -> None:
        if not len(slots):
            return
        self._size -= int(np.maximum(self._known.read_column(_ROWS, slots).to_numpy(), 1).sum())
        self._rows.remove(self._rows.find(self._known.read_keys(slots)).slots)
        self._known.remove(slots)
