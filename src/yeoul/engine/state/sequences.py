"""Rows in sequence by key: each row for itself, in the order in which it was put in.

What a Top-N over rows that stand keeps, and the rows that a window over rows looks back at. Unlike `KeyedRows` equal
rows are not counted together, and no row is looked for by its values: only a key's rows are asked for, all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.rows import Matches
from yeoul.kernels.chains import Chains

__all__ = ["KeyedSequences"]

_TOUCHED = "$touched"


class KeyedSequences:
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns.
        keys: Those that make the key; they may be none: all rows are of one key.

    Example:
        >>> rows = KeyedSequences({"k": pl.Int64(), "v": pl.String()}, ["k"])
        >>> rows.add(pl.DataFrame({"k": [1, 2, 1], "v": ["a", "b", "a"]}), 0).tolist()
        [0, 1, 2]
        >>> found = rows.find(pl.DataFrame({"k": [3, 1]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list()
        ([1, 1], ['a', 'a'])
    """

    def __init__(self, columns: Mapping[str, pl.DataType], keys: Sequence[str]) -> None:
        self._key_names = list(keys)
        self._keys = KeyedState({name: columns[name] for name in keys}, {})
        self._columns = SlotColumns(columns)
        self._chains = Chains()
        self._free = np.empty(0, np.int64)
        self._used = 0

    def __len__(self) -> int:
        """How many rows there are."""
        return self._used - len(self._free)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._keys.size_bytes + self._chains.size_bytes + self._columns.size_bytes

    def find(self, keys: pl.DataFrame) -> Matches:
        """Returns the rows of keys, given by columns of the key's names; each key's rows in their order."""
        return Matches(*self._chains.rows_of(self._keys.find(keys)))

    def read(self, slots: Slots) -> pl.DataFrame:
        """Returns rows."""
        return self._columns.read(slots)

    def add(self, rows: pl.DataFrame, now_ms: int) -> Slots:
        """Puts rows behind those of their keys, which are in use now; returns their slots."""
        if not rows.height:
            return np.empty(0, np.int64)
        slots = self._slots(rows.height)
        self._columns.write(slots, rows)
        keys = self._keys.upsert(rows.select(self._key_names) if self._key_names else rows).slots
        self._keys.touch(np.unique(keys), now_ms)
        self._chains.append(keys, slots)
        return slots

    def touch(self, keys: pl.DataFrame, now_ms: int) -> None:
        """Says that keys, as far as they are known, are in use."""
        slots = self._keys.find(keys)
        self._keys.touch(np.unique(slots[slots >= 0]), now_ms)

    def remove(self, slots: Slots) -> None:
        """Forgets rows, each of which stands once."""
        if not len(slots):
            return
        keys = np.unique(self._chains.owners(slots))
        self._chains.remove(slots)
        self._columns.forget(slots)
        self._free = np.concatenate([self._free, slots])
        self._keys.remove(keys[self._chains.is_empty(keys)])

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the rows of keys whose last touch was before a time."""
        return self._chains.rows_of(self._keys.untouched_since(before_ms))[1]

    def living(self) -> Matches:
        """Returns all rows, one key after the other; places count the keys."""
        return Matches(*self._chains.rows_of(self._keys.living()))

    def snapshot(self) -> pl.DataFrame:
        """Returns every row, and when its key was last touched; each key's rows in their order."""
        keys = self._keys.snapshot()
        found = self.living()
        return self.read(found.slots).with_columns(keys[_TOUCHED].gather(pl.Series(found.places)))

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        if not rows.height:
            return
        self.add(rows, 0)
        keys = self._keys.find(rows.select(self._key_names) if self._key_names else rows)
        slots, first = np.unique(keys, return_index=True)
        for now_ms in np.unique(rows[_TOUCHED].to_numpy()[first]):
            self._keys.touch(slots[rows[_TOUCHED].to_numpy()[first] == now_ms], int(now_ms))

    def _slots(self, count: int) -> NDArray[np.int64]:
        again = self._free[len(self._free) - min(count, len(self._free)) :]
        self._free = self._free[: len(self._free) - len(again)]
        fresh = np.arange(self._used, self._used + count - len(again), dtype=np.int64)
        self._used += len(fresh)
        return np.concatenate([again, fresh])
