"""Rows by key, each for itself, in the order in which they were put in: what sequences, standing and timed rows are.

Unlike `KeyedRows`, equal rows are kept apart and no row is looked for by its values, so that of a row nothing but its
key is hashed: only a key's rows are asked for, all of them. A row has a slot for as long as it lives; slots of rows
that went are given anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.keyed import Found, KeyedState
from yeoul.engine.state.rows import Matches
from yeoul.kernels.chains import Chains

__all__ = ["ChainedRows"]


class ChainedRows(GivesBack):
    """The base of rows by key.

    Args:
        columns: Name and type of what is kept for each row.
        keys: Name and type of the key's columns; they may be none: all rows are of one key.
        notes: Name and type of what is kept for each key.
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Mapping[str, pl.DataType],
        notes: Mapping[str, pl.DataType] | None = None,
    ) -> None:
        self._dtypes = (dict(columns), dict(keys), dict(notes or {}))
        self._begin()

    def _begin(self) -> None:
        """Begins with nothing; those derived add what they keep beside."""
        columns, keys, notes = self._dtypes
        self._columns = SlotColumns(columns)
        self._keys = KeyedState(keys, notes)
        self._chains = Chains()
        self._free, self._used = np.empty(0, np.int64), 0

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        return self._used

    def __len__(self) -> int:
        """How many rows there are."""
        return self._used - len(self._free)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        parts = (self._keys.size_bytes, self._chains.size_bytes, self._columns.size_bytes)
        return sum(parts) + self._free.nbytes

    def find(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Matches:
        """Returns the rows of keys, each key's in their order.

        Args:
            keys: With the key's columns.
            lanes: Their fingerprints, if they are known.
        """
        return Matches(*self._chains.rows_of(self._keys.find(keys, lanes)))

    def read(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns what is kept for rows, or some columns of it."""
        names = self._columns.names if names is None else names
        return self._columns.read(slots, names) if names else pl.DataFrame(height=len(slots))

    def remove(self, slots: Slots) -> None:
        """Forgets rows, each of which stands once."""
        if not len(slots):
            return
        emptied = self._chains.remove(slots)
        self._columns.forget(slots)
        self._free = np.concatenate([self._free, slots])
        self._keys.remove(emptied)

    def snapshot(self) -> pl.DataFrame:
        """Returns every row with what is known of it; each key's rows in their order."""
        raise NotImplementedError

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        raise NotImplementedError

    def _put(self, rows: pl.DataFrame, lanes: Lanes | None = None) -> tuple[Slots, Found]:
        """Puts rows behind those of their keys; returns their slots and those of their keys.

        Args:
            rows: With the key's columns and those that are kept.
            lanes: The fingerprints of their keys, if they are known.
        """
        slots = self._taken(rows.height)
        self._columns.write(slots, rows)
        keys = self._keys.upsert(rows, lanes)
        self._chains.append(keys.slots, slots)
        return slots, keys

    def _living(self) -> tuple[Slots, NDArray[np.int64], Slots]:
        """Returns the slots of all keys, and for each row, one key after the other, its key's place and its slot."""
        keys = self._keys.living()
        return keys, *self._chains.rows_of(keys)

    def _taken(self, count: int) -> Slots:
        """Returns free slots."""
        again = self._free[len(self._free) - min(count, len(self._free)) :]
        self._free = self._free[: len(self._free) - len(again)]
        fresh = np.arange(self._used, self._used + count - len(again), dtype=np.int64)
        self._used += len(fresh)
        return np.concatenate([again, fresh])
