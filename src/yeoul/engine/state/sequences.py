"""Rows in sequence by key, which are put in behind and taken out anywhere; keys have notes and a time of last use.

What a Top-N over rows that stand keeps, and what a lookup found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.chained_rows import ChainedRows
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.rows import Matches

__all__ = ["KeyedSequences"]

_TOUCHED, _NOTED = "$touched", "$noted"


class KeyedSequences(ChainedRows):
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns.
        keys: Those that make the key; they may be none: all rows are of one key.
        notes: Name and type of what can be noted for keys; snapshots leave it out.

    Example:
        >>> rows = KeyedSequences({"k": pl.Int64(), "v": pl.String()}, ["k"])
        >>> rows.add(pl.DataFrame({"k": [1, 2, 1], "v": ["a", "b", "a"]})).tolist()
        [0, 1, 2]
        >>> found = rows.find(pl.DataFrame({"k": [3, 1]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list()
        ([1, 1], ['a', 'a'])
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Sequence[str],
        notes: Mapping[str, pl.DataType] | None = None,
    ) -> None:
        self._notes = list(notes or {})
        super().__init__(
            columns, {name: columns[name] for name in keys}, {**notes, _NOTED: pl.UInt8()} if notes else {}
        )

    def add(self, rows: pl.DataFrame, now_ms: int | None = None, lanes: Lanes | None = None) -> Slots:
        """Puts rows behind those of their keys; returns their slots.

        Args:
            rows: With all columns.
            now_ms: What their keys are noted to be in use at; None: nothing is noted.
            lanes: The fingerprints of their keys, if they are known.
        """
        if not rows.height:
            return np.empty(0, np.int64)
        slots, keys = self._put(rows, lanes)
        if self._notes and keys.is_new.any():
            new = keys.slots[keys.is_new]
            self._keys.write_column(_NOTED, new, pl.Series(np.zeros(len(new), np.uint8)))
        if now_ms is not None:
            self._keys.touch(keys.slots, now_ms)
        return slots

    def keys_of(self, rows: pl.DataFrame, lanes: Lanes | None = None) -> Slots:
        """Returns the slot of each row's key, -1 where no row has it."""
        return self._keys.find(rows, lanes)

    def rows_of(self, keys: Slots) -> Matches:
        """Returns the rows of keys, given by `keys_of`."""
        return Matches(*self._chains.rows_of(keys))

    def are_noted(self, keys: Slots) -> NDArray[np.bool_]:
        """Tells for which keys, given by `keys_of`, something is noted."""
        noted: NDArray[np.bool_] = self._keys.read_column(_NOTED, keys).to_numpy() != 0
        return noted

    def read_notes(self, keys: Slots) -> pl.DataFrame:
        """Returns what is noted for keys, given by `keys_of`."""
        return self._keys.read(keys, self._notes)

    def write_notes(self, keys: Slots, values: pl.DataFrame) -> None:
        """Notes something for keys, given by `keys_of`, each of which stands once."""
        self._keys.write(keys, values.with_columns(pl.Series(_NOTED, np.ones(len(keys), np.uint8))))

    def touch(self, keys: pl.DataFrame, now_ms: int) -> None:
        """Says that keys, as far as they are known, are in use."""
        slots = self._keys.find(keys)
        self._keys.touch(slots[slots >= 0], now_ms)

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the rows of keys whose last touch was before a time."""
        return self._chains.rows_of(self._keys.untouched_since(before_ms))[1]

    def living(self) -> Matches:
        """Returns all rows, one key after the other; places count the keys."""
        _, places, slots = self._living()
        return Matches(places, slots)

    def snapshot(self) -> pl.DataFrame:
        """Returns every row, and when its key was last touched; each key's rows in their order."""
        keys = self._keys.snapshot()
        found = self.living()
        return self.read(found.slots).with_columns(keys[_TOUCHED].gather(pl.Series(found.places)))

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        if not rows.height:
            return
        self.add(rows)
        touched = rows[_TOUCHED].to_numpy()
        if not touched.any():
            return
        slots, first = np.unique(self._keys.find(rows), return_index=True)
        for now_ms in np.unique(touched[first]):
            self._keys.touch(slots[touched[first] == now_ms], int(now_ms))
