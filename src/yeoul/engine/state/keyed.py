"""Keyed state: for each key a row of values, found by the key's fingerprint.

The key columns are kept too, to be given out again. A key has a slot for as long as it lives; an operator works on
whole batches: find the slots of its keys, read their values, write them anew. With a time to live, a key that was not
touched for that long is forgotten at the next look. Nothing here depends on the order in which batches were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import chosen, where
from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.engine.state.fingerprints import Lanes, fingerprints
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.merging import Merging
from yeoul.engine.state.touches import Touches
from yeoul.kernels.folding import Tell
from yeoul.kernels.key_index import KeyIndex

__all__ = ["TOUCHED", "Found", "KeyedState", "key_lanes", "lanes_by"]

_SEED = 0x79656F756C
TOUCHED = "$touched"
"""The column of a snapshot that says when a key was last in use; 0: nobody said."""


@dataclass(frozen=True, slots=True)
class Found:
    """The slots of a batch's keys.

    Attributes:
        slots: One per row; equal keys have the same.
        is_new: Whether the key was not there before the batch; true for each row of a new key that comes first.
    """

    slots: Slots
    is_new: NDArray[np.bool_]


class KeyedState(GivesBack):
    """Rows by key.

    Args:
        keys: Name and type of the key columns; none: there is one key.
        values: Name and type of what is kept for each key.

    Example:
        >>> state = KeyedState({"k": pl.String()}, {"n": pl.Int64()})
        >>> found = state.upsert(pl.DataFrame({"k": ["a", "b"]}))
        >>> state.write(found.slots, pl.DataFrame({"n": [1, 2]}))
        >>> again = state.upsert(pl.DataFrame({"k": ["b", "c"]}))
        >>> again.is_new.tolist(), state.read(again.slots[:1]).rows()
        ([False, True], [(2,)])
    """

    def __init__(self, keys: Mapping[str, pl.DataType], values: Mapping[str, pl.DataType]) -> None:
        self.key_names = list(keys)
        self.value_names = list(values)
        self._dtypes = (dict(keys), dict(values))
        self._begin()

    def _begin(self) -> None:
        keys, values = self._dtypes
        self._keys, self._values = SlotColumns(keys), SlotColumns(values)
        self._touches = Touches()
        self._index = KeyIndex()

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        return self._index.slot_count

    def __len__(self) -> int:
        return len(self._index)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        parts = (self._index, self._keys, self._values, self._touches)
        return sum(part.size_bytes for part in parts)

    def find(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Slots:
        """Returns the slot of each row's key, -1 where there is none; `lanes` as for `upsert`."""
        return self._index.find(*(self._fingerprints(keys) if lanes is None else lanes))

    def upsert(self, keys: pl.DataFrame, lanes: Lanes | None = None) -> Found:
        """Returns the slot of each row's key, which it gets if it is new.

        The values of new ones have to be written; until then they are anything.

        Args:
            keys: Have the key columns.
            lanes: Their fingerprints, if they are known, by `key_lanes`.
        """
        found = Found(*self._index.upsert(*(self._fingerprints(keys) if lanes is None else lanes)))
        self._values.reserve(self._index.slot_count)
        if self._keys.names and found.is_new.any():
            slots = found.slots[found.is_new]
            own = keys if keys.width == len(self._keys.names) else chosen(keys, self._keys.names)
            self._keys.write(slots, own if found.is_new.all() else where(own, found.is_new))
        return found

    def read(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns the values at slots, or some of their columns."""
        return self._values.read(slots, names)

    def read_keys(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns the keys at slots, or some of their columns."""
        return self._keys.read(slots, names)

    def keys_like(self, keys: pl.DataFrame, slots: Slots) -> pl.DataFrame:
        """Returns the keys at slots as they came first, given ones that equal them; read where equal ones may differ.

        Args:
            keys: Have the key columns.
            slots: One for each row.
        """
        if any(dtype.is_float() or dtype.is_nested() for dtype in self._dtypes[0].values()):
            return self.read_keys(slots)
        return chosen(keys, self.key_names)

    def write(self, slots: Slots, values: pl.DataFrame) -> None:
        """Puts values at slots, each of which stands once."""
        self._values.write(slots, values)

    def merge(self, found: Found, values: pl.DataFrame, merging: Merging) -> None:
        """Merges newer values into those of keys, each of which stands once; new ones get theirs."""
        merging.merge(self._values, found.slots, values, found.is_new)

    def merged(self, found: Found, values: pl.DataFrame, merging: Merging) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Does the same; returns what they were, which is anything for new ones, and what they are."""
        return merging.merged(self._values, found.slots, values, found.is_new)

    def told(
        self, found: Found, values: pl.DataFrame, merging: Merging, tells: Mapping[str, Tell]
    ) -> tuple[pl.DataFrame, NDArray[np.bool_]] | None:
        """Does the same; returns what they are, and which are new or differ in what `tells` says; None if it cannot."""
        return merging.told(self._values, found.slots, values, found.is_new, tells)

    def read_column(self, name: str, slots: Slots) -> pl.Series:
        """Returns one value column at slots."""
        return self._values.read(slots, [name]).to_series()

    def write_column(self, name: str, slots: Slots, values: pl.Series) -> None:
        """Puts values of one column at slots, each of which stands once."""
        self._values.write(slots, values.alias(name).to_frame(), [name])

    def touch(self, slots: Slots, now_ms: int | NDArray[np.int64]) -> None:
        """Says that keys were in use, all at one time or each at its own; a slot may stand twice."""
        self._touches.put(slots, now_ms)

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the slots of keys whose last touch was before a time."""
        living = self._index.living()
        return living[self._touches.at(living) < before_ms]

    def remove(self, slots: Slots) -> None:
        """Forgets keys; each slot stands once."""
        if len(slots):
            self._index.remove(slots)
            self._keys.forget(slots)
            self._values.forget(slots)
            self._touches.forget(slots)

    def living(self) -> Slots:
        """Returns the slots of all keys, oldest first as far as slots were not given anew."""
        return self._index.living()

    def snapshot(self) -> pl.DataFrame:
        """Returns every key with its values, and when it was last touched, if it ever was."""
        slots = self.living()
        frames = [frame for frame in (self.read_keys(slots), self.read(slots)) if frame.width]
        touched = pl.Series(TOUCHED, self._touches.at(slots)).to_frame()
        return pl.concat([*frames, touched], how="horizontal")

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        slots = self.upsert(rows.select(self.key_names) if self.key_names else rows).slots
        self.write(slots, rows)
        if (rows[TOUCHED] != 0).any():
            self._touches.put(slots, rows[TOUCHED].to_numpy())

    def _fingerprints(self, keys: pl.DataFrame) -> Lanes:
        return lanes_by(keys, self.key_names)


def key_lanes(keys: pl.DataFrame) -> Lanes:
    """Returns the fingerprints by which every keyed state knows keys.

    Args:
        keys: The key columns, in order; nothing else.
    """
    return lanes_by(keys, keys.columns)


def lanes_by(rows: pl.DataFrame, names: Sequence[str]) -> Lanes:
    """Returns the fingerprints by which every keyed state knows the keys of rows; without names all have one key."""
    return fingerprints((rows.get_column(name) for name in names), rows.height, _SEED)
