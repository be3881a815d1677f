"""Columns by slot: values that are read and overwritten at any slots, many at a time.

Columns of fixed width and texts stand beside each other in a `RowBlock`, lists, maps and rows each for itself in
`Chunks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import together
from yeoul.engine.state.chunks import Chunks
from yeoul.engine.state.row_block import RowBlock, fits_a_block
from yeoul.kernels.folding import Fold, Tell
from yeoul.kernels.grouping import group_rows

__all__ = ["SlotColumns", "Slots", "distinct", "numbered"]

Slots = NDArray[np.int64]
_DENSE = 16
"""Up to how many times as far as there are slots they may reach to be marked one by one, quicker than to be sorted."""
_SPREAD = np.int64(-0x61C8864680B583EB)


def distinct(slots: Slots) -> Slots:
    """Returns the different ones, ascending; many times faster than `np.unique`, which hashes them first.

    Example:
        >>> distinct(np.array([3, 1, 3])).tolist()
        [1, 3]
    """
    most = int(slots.max(initial=0))
    if most < _DENSE * len(slots):
        is_there = np.zeros(most + 1, np.bool_)
        is_there[slots] = True
        return np.flatnonzero(is_there)
    ordered = np.sort(slots)
    keeps = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=keeps[1:])
    return ordered[keeps]


def numbered(slots: Slots) -> tuple[Slots, NDArray[np.uint32]]:
    """Returns the different ones as they first come, and which of them each is; far quicker than `np.unique`.

    Example:
        >>> [each.tolist() for each in numbered(np.array([3, 1, 3]))]
        [[3, 1], [0, 1, 0]]
    """
    groups = group_rows(slots * _SPREAD, slots)
    return slots[groups.firsts], groups.ids


class SlotColumns:
    """Columns by slot.

    Args:
        dtypes: Name and type of each.

    Example:
        >>> columns = SlotColumns({"k": pl.String(), "n": pl.Int64()})
        >>> columns.write(np.array([0, 1]), pl.DataFrame({"k": ["a", "b"], "n": [1, 2]}))
        >>> columns.write(np.array([1]), pl.DataFrame({"n": [3]}), ["n"])
        >>> columns.read(np.array([1, 0])).rows()
        [('b', 3), ('a', 1)]
    """

    def __init__(self, dtypes: Mapping[str, pl.DataType]) -> None:
        self.names = list(dtypes)
        self._block = RowBlock({name: dtype for name, dtype in dtypes.items() if fits_a_block(dtype)})
        self._chunks = {name: Chunks(dtype) for name, dtype in dtypes.items() if not fits_a_block(dtype)}

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._block.size_bytes + sum(column.size_bytes for column in self._chunks.values())

    @property
    def row_bytes(self) -> int:
        """What of a slot lies side by side."""
        return self._block.row_bytes

    def reserve(self, slot_count: int) -> None:
        """Makes room for slots below a number: they can be read then, and hold zeros, empty texts or NULLs."""
        self._block.reserve(slot_count)
        for column in self._chunks.values():
            column.reserve(slot_count)

    def read(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns the values at slots, of all columns or of some."""
        wanted = self.names if names is None else names
        fixed = [name for name in wanted if name not in self._chunks]
        found = dict(zip(fixed, self._block.read(slots, fixed), strict=True)) if fixed else {}
        columns = [found[name] if name in found else self._chunks[name].read(slots).alias(name) for name in wanted]
        return together(columns)

    def write(self, slots: Slots, values: pl.DataFrame, names: Sequence[str] | None = None) -> None:
        """Puts values at slots, each of which stands once, of all columns or of some."""
        wanted = self.names if names is None else names
        self._block.write(slots, {name: values.get_column(name) for name in wanted if name not in self._chunks})
        for name in wanted:
            if name in self._chunks:
                self._chunks[name].write(slots, values[name])

    def can_fold(self, name: str, fold: Fold) -> bool:
        """Tells whether newer values of a column can be merged where the older ones stand."""
        return name not in self._chunks and self._block.can_fold(name, fold)

    def fold(self, slots: Slots, fresh: pl.DataFrame, folds: Mapping[str, Fold], is_new: NDArray[np.bool_]) -> None:
        """Merges newer values into some columns at slots, as `RowBlock.fold` does."""
        self._block.fold(slots, {name: fresh.get_column(name) for name in folds}, folds, is_new)

    def folded(
        self, slots: Slots, fresh: pl.DataFrame, folds: Mapping[str, Fold], is_new: NDArray[np.bool_]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Does the same; returns what was there and what is there now."""
        return self._block.folded(slots, {name: fresh.get_column(name) for name in folds}, folds, is_new)

    def told(
        self,
        slots: Slots,
        fresh: pl.DataFrame,
        folds: Mapping[str, Fold],
        is_new: NDArray[np.bool_],
        tells: Mapping[str, Tell],
    ) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
        """Does the same; returns what is there now, and which rows are new or differ in what `tells` says."""
        return self._block.told(slots, {name: fresh.get_column(name) for name in folds}, folds, is_new, tells)

    def forget(self, slots: Slots) -> None:
        """Says that what was written at slots is not needed any more."""
        self._block.forget(slots)
        for column in self._chunks.values():
            column.forget(slots)
