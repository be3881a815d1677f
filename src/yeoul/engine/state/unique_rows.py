"""Rows by key of which a unique key is known: what a join remembers of an input that changes row by row.

A row is found by its key and its unique key; an update overwrites it where it stands. That no two rows that live have
one unique key is what the plan says of them. Where changes come that do not bear it out, nothing is taken in:
whoever asked goes on with `KeyedRows`, whose `restore` takes this state's `snapshot`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.columns import Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.keyed import KeyedState, lanes_by
from yeoul.engine.state.rows import COUNT, Matches
from yeoul.kernels.chains import Chains
from yeoul.kernels.grouping import group_rows

__all__ = ["UniqueRows"]


@dataclass(frozen=True, slots=True)
class _Fold:
    """What a batch makes of the rows that it touches, one entry for each.

    Attributes:
        slots: Where each row is; -1: it was not there.
        lasts: The change of the batch that puts each row in last; -1: none does.
        lives: Whether each row is there afterwards.
    """

    slots: Slots
    lasts: NDArray[np.int64]
    lives: NDArray[np.bool_]


class UniqueRows(GivesBack):
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns, the key's among them.
        keys: Those that make the key.
        unique: Those that tell a key's rows apart; none: a key has one row.
        notes: Name and type of what is noted for each row.

    Example:
        >>> rows = UniqueRows({"k": pl.Int64(), "v": pl.String()}, ["k"], [])
        >>> rows.apply(pl.DataFrame({"k": [1, 2, 1, 1], "v": ["a", "b", "a", "c"]}), np.array([1, 1, -1, 1])) is None
        False
        >>> found = rows.find(pl.DataFrame({"k": [1, 3]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list()
        ([0], ['c'])
        >>> rows.apply(pl.DataFrame({"k": [1], "v": ["d"]}), np.array([1])) is None
        True
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Sequence[str],
        unique: Sequence[str],
        notes: Mapping[str, pl.DataType] | None = None,
    ) -> None:
        self._names, self._notes, self._key_names = list(columns), list(notes or {}), list(keys)
        identity = list(dict.fromkeys([*keys, *unique]))
        values = {name: dtype for name, dtype in columns.items() if name not in identity}
        self._dtypes = ({name: columns[name] for name in identity}, {**values, **(notes or {})})
        self._begin()

    def _begin(self) -> None:
        identity, values = self._dtypes
        self._rows = KeyedState(identity, values)
        keys = {name: identity[name] for name in self._key_names}
        self._keys = KeyedState(keys, {}) if len(identity) > len(keys) else None
        self._chains = Chains()

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        return self._rows.slot_count

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        by_key = 0 if self._keys is None else self._keys.size_bytes + self._chains.size_bytes
        return self._rows.size_bytes + by_key

    def apply(self, rows: pl.DataFrame, signs: NDArray[np.int64], notes: pl.DataFrame | None = None) -> Slots | None:
        """Takes changes in; returns the slots of the rows that came or were overwritten.

        Args:
            rows: With all columns.
            signs: +1 or -1 for each, in order.
            notes: What to note for each row.

        Returns:
            None, with nothing done, if a row was to come that was there or to go that was not.
        """
        lanes = lanes_by(rows, self._rows.key_names)
        fold = self._folded(lanes, signs)
        if fold is None:
            return None
        self._remove(fold.slots[~fold.lives & (fold.slots >= 0)])
        written = np.flatnonzero(fold.lives & (fold.lasts >= 0))
        lasts, slots = fold.lasts[written], fold.slots[written]
        fresh = slots < 0
        if fresh.any():
            slots[fresh] = self._begun(rows[lasts[fresh]], (lanes[0][lasts[fresh]], lanes[1][lasts[fresh]]))
        values = rows[lasts] if notes is None else rows[lasts].hstack(notes[lasts])
        if self._rows.value_names:
            self._rows.write(slots, values)
        return slots

    def find(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Matches:
        """Returns the rows of keys, given by columns of the key's names; `lanes`: their fingerprints, if known."""
        if self._keys is not None:
            return Matches(*self._chains.rows_of(self._keys.find(keys, lanes)))
        slots = self._rows.find(keys, lanes)
        places = np.flatnonzero(slots >= 0)
        return Matches(places, slots[places])

    def read(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns rows, or some of their columns."""
        names = self._names if names is None else names
        of_key = [name for name in names if name in self._rows.key_names]
        values = [name for name in names if name not in self._rows.key_names]
        found = self._rows.read_keys(slots, of_key) if of_key else pl.DataFrame(height=len(slots))
        if values:
            found = found.hstack(self._rows.read(slots, values)) if of_key else self._rows.read(slots, values)
        return found[list(names)] if names else found

    def read_note(self, name: str, slots: Slots) -> pl.Series:
        """Returns what is noted for rows."""
        return self._rows.read_column(name, slots)

    def write_note(self, name: str, slots: Slots, values: pl.Series) -> None:
        """Notes something for rows, each of which stands once."""
        self._rows.write_column(name, slots, values)

    def remove(self, slots: Slots) -> None:
        """Forgets rows, each of which stands once."""
        self._remove(slots)

    def touch(self, slots: Slots, now_ms: int) -> None:
        """Says that rows were in use at a time."""
        self._rows.touch(slots, now_ms)

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the rows whose last touch was before a time."""
        return self._rows.untouched_since(before_ms)

    def snapshot(self) -> pl.DataFrame:
        """Returns every row as `KeyedRows` does: with its count, which is one, and its notes."""
        rows = self._rows.snapshot()
        ones = pl.Series(COUNT, np.ones(rows.height, np.int64))
        order = [*self._names, COUNT, *self._notes]
        return rows.with_columns(ones).select(*order, pl.exclude(order))

    def restore(self, rows: pl.DataFrame) -> bool:
        """Takes what an equal state's `snapshot` gave, or that of `KeyedRows`; to be called on an empty one.

        Returns:
            Whether it could: False, with nothing done, if rows are not told apart by their unique keys.
        """
        groups = group_rows(*lanes_by(rows, self._rows.key_names))
        if groups.order is not None or (rows[COUNT] != 1).any():
            return False
        self._rows.restore(rows)
        if self._keys is not None:
            slots = self._rows.find(rows)
            self._chains.append(self._keys.upsert(rows).slots, slots)
        return True

    def _folded(self, lanes: Lanes, signs: NDArray[np.int64]) -> _Fold | None:
        groups = group_rows(*lanes)
        slots = self._rows.find(pl.DataFrame(), (lanes[0][groups.firsts], lanes[1][groups.firsts]))
        if groups.order is None:
            fits: bool = ((slots >= 0) == (signs < 0)).all()
            return _Fold(slots, np.where(signs > 0, groups.firsts, -1), signs > 0) if fits else None
        order, ends = groups.order.astype(np.int64), np.cumsum(groups.sizes)
        in_order = signs[order]
        there = np.cumsum(in_order)
        there -= np.repeat(there[ends - groups.sizes] - in_order[ends - groups.sizes], groups.sizes)
        there += np.repeat(slots >= 0, groups.sizes)
        if ((there < 0) | (there > 1)).any():
            return None
        comes = np.where(in_order > 0, np.arange(len(order)), -1)
        last = np.maximum.reduceat(comes, ends - groups.sizes)
        return _Fold(slots, np.where(last >= 0, order[last], -1), there[ends - 1] == 1)

    def _begun(self, rows: pl.DataFrame, lanes: Lanes) -> Slots:
        slots = self._rows.upsert(rows, lanes).slots
        if self._keys is not None:
            self._chains.append(self._keys.upsert(rows).slots, slots)
        return slots

    def _remove(self, slots: Slots) -> None:
        if not len(slots):
            return
        self._rows.remove(slots)
        if self._keys is not None:
            self._keys.remove(self._chains.remove(slots))
