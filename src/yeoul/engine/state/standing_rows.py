"""Rows by key that only come: what a join remembers of an input that takes nothing back.

Unlike `KeyedRows`, equal rows are kept apart and no row is looked for by its values, so that of a row nothing but its
key is hashed. Rows go only when they were untouched for too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.rows import Matches
from yeoul.kernels.chains import Chains

__all__ = ["StandingRows"]

_TOUCHED = "$touched"


class StandingRows:
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns, the key's left out.
        keys: Those of the key; they may be none: all rows are of one key.
        notes: Name and type of what is noted for each row.

    Example:
        >>> rows = StandingRows({"v": pl.String()}, {"k": pl.Int64()})
        >>> rows.add(pl.DataFrame({"k": [1, 2, 1], "v": ["a", "b", "a"]})).tolist()
        [0, 1, 2]
        >>> found = rows.find(pl.DataFrame({"k": [3, 1]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list()
        ([1, 1], ['a', 'a'])
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Mapping[str, pl.DataType],
        notes: Mapping[str, pl.DataType] | None = None,
    ) -> None:
        self._names, self._notes = list(columns), list(notes or {})
        self._columns = SlotColumns({**columns, **(notes or {})})
        self._keys = KeyedState(keys, {})
        self._chains = Chains()
        self._touched = np.zeros(0, np.int64)
        self._free, self._used = np.empty(0, np.int64), 0

    def __len__(self) -> int:
        """How many rows there are."""
        return self._used - len(self._free)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        parts = (self._keys.size_bytes, self._chains.size_bytes, self._columns.size_bytes)
        return sum(parts) + self._touched.nbytes + self._free.nbytes

    def add(self, rows: pl.DataFrame, notes: pl.DataFrame | None = None, lanes: Lanes | None = None) -> Slots:
        """Adds rows; returns their slots.

        Args:
            rows: With all columns and the key's.
            notes: What to note for each row.
            lanes: The fingerprints of the rows' keys, if they are known.
        """
        slots = self._taken(rows.height)
        self._columns.write(slots, rows, self._names)
        if notes is not None:
            self._columns.write(slots, notes, self._notes)
        self._chains.append(self._keys.upsert(rows, lanes).slots, slots)
        return slots

    def find(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Matches:
        """Returns the rows of keys, given by columns of the key's names; `lanes`: their fingerprints, if known."""
        return Matches(*self._chains.rows_of(self._keys.find(keys, lanes)))

    def read(self, slots: Slots) -> pl.DataFrame:
        """Returns rows, without the key's columns."""
        return self.read_columns(self._names, slots)

    def read_columns(self, names: Sequence[str], slots: Slots) -> pl.DataFrame:
        """Returns some columns of rows."""
        return self._columns.read(slots, names) if names else pl.DataFrame(height=len(slots))

    def read_note(self, name: str, slots: Slots) -> pl.Series:
        """Returns what is noted for rows."""
        return self._columns.read(slots, [name]).to_series()

    def write_note(self, name: str, slots: Slots, values: pl.Series) -> None:
        """Notes something for rows, each of which stands once."""
        self._columns.write(slots, values.alias(name).to_frame(), [name])

    def remove(self, slots: Slots) -> None:
        """Forgets rows, each of which stands once."""
        if not len(slots):
            return
        keys = np.unique(self._chains.owners(slots))
        self._chains.remove(slots)
        self._columns.forget(slots)
        self._free = np.concatenate([self._free, slots])
        self._keys.remove(keys[self._chains.is_empty(keys)])

    def touch(self, slots: Slots, now_ms: int) -> None:
        """Says that rows were in use at a time."""
        if self._used > len(self._touched):
            grown = np.zeros(max(self._used, len(self._touched) * 3 // 2), np.int64)
            grown[: len(self._touched)] = self._touched
            self._touched = grown
        self._touched[slots] = now_ms

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the rows whose last touch was before a time."""
        living = self._living()[1]
        return living[self._touched_at(living) < before_ms]

    def snapshot(self) -> pl.DataFrame:
        """Returns every row with its key, its notes and when it was last touched; each key's rows in their order."""
        keys, slots = self._living()
        touched = pl.Series(_TOUCHED, self._touched_at(slots)).to_frame()
        frames = [self._keys.read_keys(keys), self.read_columns([*self._names, *self._notes], slots), touched]
        return pl.concat([frame for frame in frames if frame.width], how="horizontal")

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        if not rows.height:
            return
        slots = self.add(rows, rows.select(self._notes) if self._notes else None)
        if (rows[_TOUCHED] != 0).any():
            self.touch(slots, 0)
            self._touched[slots] = rows[_TOUCHED].to_numpy()

    def _living(self) -> tuple[Slots, Slots]:
        """Returns the slot of each row's key, and the rows, one key after the other."""
        keys = self._keys.living()
        places, slots = self._chains.rows_of(keys)
        return keys[places], slots

    def _touched_at(self, slots: Slots) -> NDArray[np.int64]:
        return self._touched[slots] if len(self._touched) else np.zeros(len(slots), np.int64)

    def _taken(self, count: int) -> Slots:
        again = self._free[len(self._free) - min(count, len(self._free)) :]
        self._free = self._free[: len(self._free) - len(again)]
        fresh = np.arange(self._used, self._used + count - len(again), dtype=np.int64)
        self._used += len(fresh)
        return np.concatenate([again, fresh])
