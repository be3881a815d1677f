"""Rows by key that come behind and go in front: what a window over rows looks back at.

A key has a slot for as long as it has rows, and its rows lie side by side in a ring (`Rings`): whoever met a key by its
fingerprint once reads, takes out and adds by its slot.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import taken, together
from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.keyed import TOUCHED, KeyedState, lanes_by
from yeoul.kernels.grouping import group_rows
from yeoul.kernels.rings import Rings

__all__ = ["KeyedQueues"]

Counts = NDArray[np.int64]
_LINE_BYTES, _LEAST_BYTES = 64, 8


class KeyedQueues(GivesBack):
    """Rows by key, oldest first.

    Args:
        columns: Name and type of the rows' columns, the key's left out.
        keys: Those of the key; they may be none: all rows are of one key.

    Example:
        >>> queues = KeyedQueues({"v": pl.String()}, {"k": pl.Int64()})
        >>> keys = queues.enter(pl.DataFrame({"k": [7, 8]}))
        >>> queues.add(keys, np.array([2, 1]), pl.DataFrame({"v": ["a", "b", "c"]}))
        >>> emptied = queues.take(keys[:1])
        >>> rows, sizes = queues.read(keys)
        >>> rows["v"].to_list(), sizes.tolist(), emptied.tolist()
        (['b', 'c'], [1, 1], [])
        >>> queues.snapshot().rows()
        [(7, 0, 'b'), (8, 0, 'c')]
    """

    def __init__(self, columns: Mapping[str, pl.DataType], keys: Mapping[str, pl.DataType]) -> None:
        self._dtypes = (dict(columns), dict(keys))
        self._begin()

    def _begin(self) -> None:
        columns, keys = self._dtypes
        self._columns, self._keys = SlotColumns(columns), KeyedState(keys, {})
        self._rings, self._count = Rings(_room_of(self._columns.row_bytes)), 0

    @property
    def slot_count(self) -> int:
        """How many slots of rows there are, free ones included."""
        return self._rings.slot_count

    def __len__(self) -> int:
        """How many rows there are."""
        return self._count

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._keys.size_bytes + self._rings.size_bytes + self._columns.size_bytes

    def enter(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Slots:
        """Returns the slots of keys; those who have no rows get some next.

        Args:
            keys: With the key's columns; each key once.
            lanes: Their fingerprints, if they are known.
        """
        slots = self._keys.upsert(keys, lanes).slots
        self._rings.reserve(self._keys.slot_count)
        return slots

    def read(self, keys: Slots) -> tuple[pl.DataFrame, Counts]:
        """Returns the rows of keys, one key after the other, and how many each has."""
        slots, sizes = self._rings.rows_of(keys)
        return self._columns.read(slots), sizes

    def add(self, keys: Slots, counts: Counts, rows: pl.DataFrame) -> None:
        """Puts rows behind those of keys.

        Args:
            keys: Each once.
            counts: How many rows are of each.
            rows: One key's after the other's; with all columns.
        """
        put = self._rings.append(keys, counts)
        if len(put.moved):
            moved = self._columns.read(put.moved)
            self._columns.forget(put.moved)
            self._columns.write(put.targets, moved)
        self._columns.write(put.slots, rows)
        self._count += rows.height

    def take(self, keys: Slots) -> Slots:
        """Forgets the oldest row of a key each time that it is named; returns the keys that have none left.

        They keep their slots until they are removed.
        """
        gone, emptied = self._rings.take(keys)
        self._columns.forget(gone)
        self._count -= len(gone)
        return emptied

    def remove(self, keys: Slots) -> None:
        """Forgets keys, each of which stands once, with their rows."""
        slots, _ = self._rings.rows_of(keys)
        self._columns.forget(slots)
        self._count -= len(slots)
        self._rings.release(keys)
        self._keys.remove(keys)

    def clear(self) -> None:
        """Forgets all keys with their rows, and gives their memory back."""
        self._begin()

    def touch(self, keys: Slots, now_ms: int | NDArray[np.int64]) -> None:
        """Says that keys were in use, all at one time or each at its own."""
        self._keys.touch(keys, now_ms)

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the keys whose last touch was before a time."""
        return self._keys.untouched_since(before_ms)

    def snapshot(self) -> pl.DataFrame:
        """Returns every row with its key, and when that was last touched; each key's rows in their order."""
        rows, sizes = self.read(self._keys.living())
        keys = taken(self._keys.snapshot(), np.repeat(np.arange(len(sizes)), sizes))
        return together([*keys.get_columns(), *rows.get_columns()])

    def restore(self, rows: pl.DataFrame) -> Slots:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one; returns the key of each row."""
        if not rows.height:
            return np.empty(0, np.int64)
        low, high = lanes_by(rows, self._keys.key_names)
        groups = group_rows(low, high)
        firsts = taken(rows, groups.firsts)
        keys = self.enter(firsts, (low[groups.firsts], high[groups.firsts]))
        self.add(keys, groups.sizes, rows if groups.order is None else taken(rows, groups.order))
        touched = firsts[TOUCHED].to_numpy()
        if touched.any():
            self.touch(keys, touched)
        return keys[groups.ids]


def _room_of(row_bytes: int) -> int:
    """Returns how many rows fill a line of the caches: a power of two."""
    return 1 << max(_LINE_BYTES // max(row_bytes, _LEAST_BYTES), 1).bit_length() - 1
