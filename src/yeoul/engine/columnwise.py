"""Selecting and filtering without the thread pool, for batches that are small.

Polars hands a selection to its pool, whatever the height: for a few rows the hand-over costs more than the work, twice
the processor time, and on a busy machine the wait for another thread. So the same expressions are computed where they
are asked for, simple ones by the columns themselves (`direct`); the results are equal. For selecting and filtering that
pays up to a whole piece of a file, which is decoded while other threads decode others. Used by the operators that see
every batch.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.direct import direct
from yeoul.engine.series import series_of

__all__ = ["Predicate", "Selection", "chosen", "concatenated", "taken", "together", "where", "without"]

_PIECE_ROWS = 100_000


class Selection:
    """Columns to be computed of many batches, as `DataFrame.select` does it.

    Args:
        columns: Expressions over a batch's rows, or columns by name.

    Example:
        >>> tenfold = Selection([(pl.col("a") * 10).alias("b")])
        >>> tenfold.of(pl.DataFrame({"a": [1, 2]})).to_dict(as_series=False)
        {'b': [10, 20]}
    """

    def __init__(self, columns: Sequence[pl.Expr | str]) -> None:
        self._columns = list(columns)
        self._direct = [operator.itemgetter(one) if isinstance(one, str) else direct(one) for one in self._columns]

    def of(self, batch: pl.DataFrame, others: Sequence[str] = ()) -> pl.DataFrame:
        """Returns the columns, and those of the batch that are named beside them."""
        if batch.height >= _PIECE_ROWS or not batch.height:
            return batch.select([*self._columns, *others])
        found = [None if compute is None else compute(batch) for compute in self._direct]
        columns = [value for value in found if value is not None]
        if len(columns) < len(found):
            left = [column for column, value in zip(self._columns, found, strict=True) if value is None]
            computed = batch.select_seq(left)
            if not columns and not others:
                return computed
            if computed.height != batch.height:  # all that is left is constant
                return batch.select_seq([*self._columns, *others])
            rest = iter(computed.get_columns())
            columns = [next(rest) if value is None else value for value in found]
        if others:
            columns += [batch.get_column(name) for name in others]
        return together(columns)


class Predicate:
    """A condition that many batches are asked for.

    Args:
        condition: Over a batch's rows.

    Example:
        >>> Predicate(pl.col("a") > 1).filtered(pl.DataFrame({"a": [1, None, 3]})).to_series().to_list()
        [3]
    """

    def __init__(self, condition: pl.Expr) -> None:
        self._condition = condition
        self._direct = direct(condition)

    def filtered(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows for which it is true."""
        if batch.height >= _PIECE_ROWS or not batch.width:
            return batch.filter(self._condition)
        kept = None if self._direct is None else self._direct(batch)
        if kept is None:
            kept = batch.select_seq(self._condition).to_series()
        if len(kept) != batch.height:  # a condition without columns is one value
            return batch.filter(self._condition)
        if kept.all(ignore_nulls=False):
            return batch
        return where(batch, kept)


def together(columns: Sequence[pl.Series]) -> pl.DataFrame:
    """Returns columns of one height as a frame, in a third of the time that `DataFrame` takes to look at them.

    Example:
        >>> together([pl.Series("a", [1]), pl.Series("b", [2])]).to_dict(as_series=False)
        {'a': [1], 'b': [2]}
    """
    return columns[0].to_frame().hstack(list(columns[1:])) if columns else pl.DataFrame()


def chosen(batch: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Returns some columns of a batch, one at least.

    Example:
        >>> chosen(pl.DataFrame({"a": [1], "b": [2]}), ["b"]).columns
        ['b']
    """
    return together([batch.get_column(name) for name in names])


def taken(batch: pl.DataFrame, rows: NDArray[np.integer[Any]]) -> pl.DataFrame:
    """Returns some rows of a batch, in the given order; any may be given twice.

    Example:
        >>> taken(pl.DataFrame({"a": [1, 2, 3]}), np.array([2, 0])).to_series().to_list()
        [3, 1]
    """
    if not batch.width:
        return batch
    if len(rows) >= _PIECE_ROWS:
        return batch[rows]
    places = series_of("", rows.astype(np.uint32, copy=False))
    return together([column[places] for column in batch.get_columns()])


def where(batch: pl.DataFrame, wanted: pl.Series | NDArray[np.bool_]) -> pl.DataFrame:
    """Returns the rows of a batch for which it is true, in their order.

    Example:
        >>> where(pl.DataFrame({"a": [1, 2, 3]}), np.array([True, False, True])).to_series().to_list()
        [1, 3]
    """
    if not isinstance(wanted, pl.Series) and np.count_nonzero(wanted) == len(wanted):
        return batch
    kept = wanted if isinstance(wanted, pl.Series) else series_of("", wanted)
    if batch.height >= _PIECE_ROWS or not batch.width:
        return batch.filter(kept)
    return together([column.filter(kept) for column in batch.get_columns()])


def without(batch: pl.DataFrame, names: Sequence[str] | frozenset[str]) -> pl.DataFrame:
    """Returns a batch without some columns; those that it does not have do not matter.

    Example:
        >>> without(pl.DataFrame({"a": [1], "$row": [0]}), ["$row"]).columns
        ['a']
    """
    left = [name for name in batch.columns if name not in names]
    return batch if len(left) == batch.width else chosen(batch, left) if left else batch.drop(batch.columns)


def concatenated(batches: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Returns batches of equal columns as one, in order.

    Example:
        >>> concatenated([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})])["a"].to_list()
        [1, 2]
    """
    whole = batches[0]
    for batch in batches[1:]:
        whole = whole.vstack(batch)
    return whole
