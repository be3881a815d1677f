"""Rows by key, many for each: what joins, rankings and windows over rows remember.

Equal rows are kept once, with how many there are, so that a row can be taken back by its values. All rows of a key hang
in a chain in the order in which they came. Whatever an operator notes for each row (how many partners it has) stands in
value columns beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import where
from yeoul.engine.state.columns import Slots, distinct, numbered
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.keyed import KeyedState
from yeoul.kernels.chains import Chains

__all__ = ["COUNT", "KeyedRows", "Matches"]

COUNT = "$count"
"""How many equal rows there are."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Rows found for keys.

    Attributes:
        places: For each row found, the place of its key among those asked for; ascending.
        slots: The rows.
    """

    places: NDArray[np.int64]
    slots: Slots


class KeyedRows(GivesBack):
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns.
        keys: Those that make the key; they may be none: all rows are of one key.
        notes: Name and type of what is noted for each row.

    Example:
        >>> rows = KeyedRows({"k": pl.Int64(), "v": pl.String()}, ["k"])
        >>> rows.add(pl.DataFrame({"k": [1, 2, 1], "v": ["a", "b", "c"]}), np.array([1, 1, 1])).tolist()
        [0, 1, 2]
        >>> found = rows.find(pl.DataFrame({"k": [1, 3]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list()
        ([0, 0], ['a', 'c'])
    """

    def __init__(
        self, columns: Mapping[str, pl.DataType], keys: Sequence[str], notes: Mapping[str, pl.DataType] | None = None
    ) -> None:
        self._key_names, self._dtypes = list(keys), dict(columns)
        self._notes = dict(notes or {})
        self._begin()

    def _begin(self) -> None:
        self._rows = KeyedState(self._dtypes, {COUNT: pl.Int64(), **self._notes})
        self._keys = KeyedState({name: self._dtypes[name] for name in self._key_names}, {})
        self._chains = Chains()

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        return self._rows.slot_count

    def __len__(self) -> int:
        """How many different rows there are."""
        return len(self._rows)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._rows.size_bytes + self._keys.size_bytes + self._chains.size_bytes

    def add(self, rows: pl.DataFrame, weights: NDArray[np.int64], notes: pl.DataFrame | None = None) -> Slots:
        """Adds rows, or takes them back.

        Args:
            rows: Have all columns; equal rows may repeat.
            weights: +1 or -1 for each.
            notes: What to note for each row that was not there; zeros unless given.

        Returns:
            The slot of each row. A row of which none is left stays until `remove_gone`.
        """
        found = self._rows.upsert(rows)
        slots = found.slots
        if found.is_new.any():
            self._add_new(rows, slots, found.is_new, notes)
        if found.is_new.all() and (weights == 1).all():
            self._rows.write_column(COUNT, slots, pl.Series(np.ones(len(slots), np.int64)))
            return slots
        different, inverse = numbered(slots)
        counts = self.counts(different) + np.bincount(inverse, weights, len(different)).astype(np.int64)
        self._rows.write_column(COUNT, different, pl.Series(counts))
        return slots

    def counts(self, slots: Slots) -> NDArray[np.int64]:
        """Returns how many equal rows there are at each slot."""
        return self._rows.read_column(COUNT, slots).to_numpy()

    def find(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Matches:
        """Returns the rows of keys, given by columns of the key's names; `lanes`: their fingerprints, if known."""
        return Matches(*self._chains.rows_of(self._keys.find(keys, lanes)))

    def read(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns rows, or some of their columns."""
        return self._rows.read_keys(slots, names) if names is None or names else pl.DataFrame(height=len(slots))

    def read_note(self, name: str, slots: Slots) -> pl.Series:
        """Returns what is noted for rows."""
        return self._rows.read_column(name, slots)

    def write_note(self, name: str, slots: Slots, values: pl.Series) -> None:
        """Notes something for rows, each of which stands once."""
        self._rows.write_column(name, slots, values)

    def remove_gone(self, slots: Slots) -> None:
        """Forgets those of the rows of which none is left."""
        different = distinct(slots)
        self.remove(different[self.counts(different) == 0])

    def remove(self, slots: Slots) -> None:
        """Forgets rows, each of which stands once, however many there are of each."""
        if not len(slots):
            return
        self._keys.remove(self._chains.remove(slots))
        self._rows.remove(slots)

    def living(self) -> Slots:
        """Returns all rows."""
        return self._rows.living()

    def touch(self, slots: Slots, now_ms: int) -> None:
        """Says that rows were in use at a time."""
        self._rows.touch(slots, now_ms)

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the rows whose last touch was before a time."""
        return self._rows.untouched_since(before_ms)

    def snapshot(self) -> pl.DataFrame:
        """Returns every row with its count and notes; each key's rows in their order."""
        rows = self._rows.snapshot()
        keys = self._keys.living()
        _, slots = self._chains.rows_of(keys)
        places = np.searchsorted(self.living(), slots)
        return rows[places]

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave, or that of `UniqueRows`; to be called on an empty one."""
        self._rows.restore(rows)
        self._chains.append(self._upsert_keys(rows), np.arange(rows.height))

    def _add_new(self, rows: pl.DataFrame, slots: Slots, is_new: NDArray[np.bool_], notes: pl.DataFrame | None) -> None:
        fresh, new = rows if is_new.all() else where(rows, is_new), slots[is_new]
        zeros = pl.Series(np.zeros(len(new), np.int64))
        self._rows.write_column(COUNT, new, zeros)
        for name in self._notes:
            values = zeros if notes is None else notes[name].filter(pl.Series(is_new))
            self._rows.write_column(name, new, values)
        self._chains.append(self._upsert_keys(fresh), new)

    def _upsert_keys(self, rows: pl.DataFrame) -> Slots:
        """Returns the slot of each row's key; without columns to make one, all rows are of the same."""
        return self._keys.upsert(rows.select(self._key_names) if self._key_names else rows).slots
