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

from yeoul.engine.state.columns import Slots, column_for
from yeoul.engine.state.fingerprints import fingerprints
from yeoul.kernels.key_index import KeyIndex

__all__ = ["Found", "KeyedState"]

_SEED = 0x79656F756C
_TOUCHED = "$touched"


@dataclass(frozen=True, slots=True)
class Found:
    """The slots of a batch's keys.

    Attributes:
        slots: One per row; equal keys have the same.
        is_new: Whether the key was not there before the batch; true for each row of a new key that comes first.
    """

    slots: Slots
    is_new: NDArray[np.bool_]


class KeyedState:
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
        self._keys = {name: column_for(dtype) for name, dtype in keys.items()}
        self._values = {name: column_for(dtype) for name, dtype in values.items()}
        self._touched = column_for(pl.Int64())
        self._index = KeyIndex()

    def __len__(self) -> int:
        return len(self._index)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        columns = [*self._keys.values(), *self._values.values(), self._touched]
        return self._index.size_bytes + sum(column.size_bytes for column in columns)

    def find(self, keys: pl.DataFrame) -> Slots:
        """Returns the slot of each row's key, -1 where there is none."""
        return self._index.find(*self._fingerprints(keys))

    def upsert(self, keys: pl.DataFrame) -> Found:
        """Returns the slot of each row's key, which it gets if it is new; the values of new ones have to be written."""
        found = Found(*self._index.upsert(*self._fingerprints(keys)))
        if found.is_new.any() and (self._keys or self._touched.size_bytes):
            slots, new = found.slots[found.is_new], pl.Series(found.is_new)
            if self._touched.size_bytes:
                self.touch(slots, 0)
            fresh = keys.filter(new)
            for name, column in self._keys.items():
                column.write(slots, fresh[name])
        return found

    def read(self, slots: Slots) -> pl.DataFrame:
        """Returns the values at slots."""
        return pl.DataFrame([column.read(slots).alias(name) for name, column in self._values.items()])

    def read_keys(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns the keys at slots, or some of their columns."""
        wanted = self.key_names if names is None else names
        return pl.DataFrame([self._keys[name].read(slots).alias(name) for name in wanted])

    def write(self, slots: Slots, values: pl.DataFrame) -> None:
        """Puts values at slots, each of which stands once."""
        for name, column in self._values.items():
            column.write(slots, values[name])

    def read_column(self, name: str, slots: Slots) -> pl.Series:
        """Returns one value column at slots."""
        return self._values[name].read(slots)

    def write_column(self, name: str, slots: Slots, values: pl.Series) -> None:
        """Puts values of one column at slots, each of which stands once."""
        self._values[name].write(slots, values)

    def touch(self, slots: Slots, now_ms: int) -> None:
        """Says that keys were in use at a time."""
        self._touched.write(slots, pl.Series([now_ms], dtype=pl.Int64).new_from_index(0, len(slots)))

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the slots of keys whose last touch was before a time."""
        living = self._index.living()
        return living[(self._touched.read(living) < before_ms).to_numpy()] if len(living) else living

    def remove(self, slots: Slots) -> None:
        """Forgets keys; each slot stands once."""
        if len(slots):
            self._index.remove(slots)

    def living(self) -> Slots:
        """Returns the slots of all keys, oldest first as far as slots were not given anew."""
        return self._index.living()

    def snapshot(self) -> pl.DataFrame:
        """Returns every key with its values, and when it was last touched, if it ever was."""
        slots = self.living()
        frames = [frame for frame in (self.read_keys(slots), self.read(slots)) if frame.width]
        touched = self._touched.read(slots) if self._touched.size_bytes else pl.zeros(len(slots), pl.Int64, eager=True)
        return pl.concat([*frames, touched.alias(_TOUCHED).to_frame()], how="horizontal")

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        slots = self.upsert(rows.select(self.key_names) if self.key_names else rows).slots
        self.write(slots, rows)
        if (rows[_TOUCHED] != 0).any():
            self._touched.write(slots, rows[_TOUCHED])

    def _fingerprints(self, keys: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return fingerprints((keys[name] for name in self.key_names), keys.height, _SEED)
