"""Values at slots merged with newer ones: numbers where they stand, the others side by side.

Numbers are read, merged and written by one kernel, in one visit to each row. What is no plain number (decimals, texts)
is read, merged as columns, and written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import Selection, together
from yeoul.engine.series import series_of
from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.kernels.folding import Fold, Tell

__all__ = ["Merging"]

_WAS = "$was"


class Merging:
    """How the columns of a state are merged, each by itself.

    Args:
        folds: What an older and a newer value of a column become.

    Example:
        >>> merging = Merging({"n": Fold.SUM, "d": Fold.GREATEST})
        >>> columns = SlotColumns({"n": pl.Int64(), "d": pl.String()})
        >>> columns.write(np.array([0]), pl.DataFrame({"n": [1], "d": ["b"]}))
        >>> fresh, is_new = pl.DataFrame({"n": [10, 20], "d": ["a", "z"]}), np.array([False, True])
        >>> columns.reserve(2)
        >>> was, now = merging.merged(columns, np.array([0, 1]), fresh, is_new)
        >>> was.rows()[:1], now.rows(), columns.read(np.array([0, 1])).rows()
        ([(1, 'b')], [(11, 'b'), (20, 'z')], [(11, 'b'), (20, 'z')])
    """

    def __init__(self, folds: Mapping[str, Fold]) -> None:
        self._folds = folds
        self._parts: _Parts | None = None

    def merge(self, columns: SlotColumns, slots: Slots, fresh: pl.DataFrame, is_new: NDArray[np.bool_]) -> None:
        """Merges newer values into those at slots, each of which stands once.

        Args:
            columns: Have room for the slots.
            slots: One for each row of `fresh`.
            fresh: Has all columns; others do not matter.
            is_new: Where there is nothing to merge with, whatever stands there.
        """
        parts = self._divided(columns)
        if parts.there:
            columns.fold(slots, fresh, parts.there, is_new)
        if parts.beside is not None:
            parts.merge_beside(columns, slots, fresh, is_new)

    def merged(
        self, columns: SlotColumns, slots: Slots, fresh: pl.DataFrame, is_new: NDArray[np.bool_]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Does the same; returns what was at the slots, which is anything where `is_new`, and what is there now."""
        parts = self._divided(columns)
        if parts.beside is None:
            return columns.folded(slots, fresh, parts.there, is_new)
        beside = parts.merge_beside(columns, slots, fresh, is_new)
        if not parts.there:
            return beside
        there = columns.folded(slots, fresh, parts.there, is_new)
        was, now = (_in_order(columns, *each) for each in zip(there, beside, strict=True))
        return was, now

    def told(
        self,
        columns: SlotColumns,
        slots: Slots,
        fresh: pl.DataFrame,
        is_new: NDArray[np.bool_],
        tells: Mapping[str, Tell],
    ) -> tuple[pl.DataFrame, NDArray[np.bool_]] | None:
        """Does the same; returns what is there now, and which rows are new or differ in what `tells` says.

        None if some column cannot be merged where it stands: then nothing was done.
        """
        parts = self._divided(columns)
        return columns.told(slots, fresh, parts.there, is_new, tells) if parts.beside is None else None

    def _divided(self, columns: SlotColumns) -> _Parts:
        """How each column is merged: by its type, so that it is the same for all that are handed in."""
        if self._parts is None:
            there = {name: self._folds[name] for name in columns.names if columns.can_fold(name, self._folds[name])}
            others = [name for name in columns.names if name not in there]
            beside = Selection([_merged(name, self._folds[name]) for name in others]) if others else None
            self._parts = _Parts(there, others, beside)
        return self._parts


@dataclass(frozen=True, slots=True)
class _Parts:
    """The columns that are merged where they stand, and how the others are."""

    there: Mapping[str, Fold]
    others: Sequence[str]
    beside: Selection | None

    def merge_beside(
        self, columns: SlotColumns, slots: Slots, fresh: pl.DataFrame, is_new: NDArray[np.bool_]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Merges the others; returns what they were and what they are."""
        assert self.beside is not None
        was = columns.read(slots, self.others)
        now = self.beside.of(fresh.hstack([column.alias(column.name + _WAS) for column in was.get_columns()]))
        if is_new.any():
            new = series_of("", is_new)
            now = together([fresh[name].zip_with(new, now[name]) for name in self.others])
        columns.write(slots, now, self.others)
        return was, now


def _merged(name: str, fold: Fold) -> pl.Expr:
    """A column merged with its older values, whose name ends in `_WAS`."""
    was, now = pl.col(name + _WAS), pl.col(name)
    match fold:
        case Fold.SUM:
            merged = was + now
        case Fold.LEAST:
            merged = pl.when(now.is_null() | (was <= now)).then(was).otherwise(now)
        case Fold.GREATEST:
            merged = pl.when(now.is_null() | (was >= now)).then(was).otherwise(now)
        case Fold.FIRST:
            merged = pl.coalesce(was, now)
        case Fold.LAST:
            merged = pl.coalesce(now, was)
    return merged.alias(name)


def _in_order(columns: SlotColumns, *parts: pl.DataFrame) -> pl.DataFrame:
    own = {column.name: column for part in parts for column in part.get_columns()}
    return together([own[name] for name in columns.names])
