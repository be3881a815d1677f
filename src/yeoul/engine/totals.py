"""Aggregates of a batch by group, without the query engine where columns can tell them by themselves.

Sums, counts, extremes, first and last values are added up where rows stand, by kernels; nothing is brought into the
groups' order for that. Whatever else there is, the query engine is asked for. See `direct` for why.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import taken, together
from yeoul.engine.direct import NOT_READ, NotSimpleError, as_wide, read_column
from yeoul.engine.series import nulls_in, series_of, values_in
from yeoul.kernels.grouping import Groups, ends_of, extremes_of, sums_of, sums_of_floats

__all__ = ["DirectTotal", "Totals", "direct_total"]

DirectTotal = Callable[[pl.DataFrame, Groups], pl.Series | None]
"""Aggregates the rows of a frame by group, wherever they stand; None: the query engine has to."""
_Value = Callable[[pl.DataFrame], pl.Series | None]
_Reducing = Callable[[pl.Series, Groups, str], pl.Series | None]
_GROUP = "$group"
_ORDERED: Final = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Date, pl.Datetime, pl.Time, pl.Duration)
"""What is compared as whole numbers."""


class Totals:
    """Aggregates of many batches by group, as `group_by(...).agg` gives them.

    Args:
        aggregates: Over the rows of a group, each with a name of its own.

    Example:
        >>> from yeoul.kernels.grouping import group_rows
        >>> totals = Totals([pl.col("a").sum()])
        >>> groups = group_rows(np.array([7, 8, 7]), np.array([1, 1, 1]))
        >>> [column.to_list() for column in totals.of(pl.DataFrame({"a": [1, 2, 30]}), groups)]
        [[31, 2]]
    """

    def __init__(self, aggregates: Sequence[pl.Expr]) -> None:
        self._aggregates = list(aggregates)
        self._direct = [direct_total(one) for one in self._aggregates]
        self._used = [frozenset(one.meta.root_names()) for one in self._aggregates]

    def of(self, rows: pl.DataFrame, groups: Groups) -> list[pl.Series]:
        """Returns a column for each aggregate, a row for each group; no group is empty."""
        found = [None if one is None else one(rows, groups) for one in self._direct]
        totals = [value for value in found if value is not None]
        if len(totals) == len(found):
            return totals
        rest = iter(self._asked(rows, groups, [at for at, value in enumerate(found) if value is None]))
        return [next(rest) if value is None else value for value in found]

    def _asked(self, rows: pl.DataFrame, groups: Groups, left: Sequence[int]) -> list[pl.Series]:
        """Returns what the query engine says of some of the aggregates, of rows that stand group by group."""
        used = frozenset[str]().union(*(self._used[at] for at in left))
        values = together([column for column in rows.get_columns() if column.name in used])
        if groups.order is not None and len(groups.firsts) > 1:
            values = taken(values, groups.order)
        ids = np.repeat(np.arange(len(groups.sizes), dtype=np.uint32), groups.sizes)
        asked = [self._aggregates[at] for at in left]
        numbered = together([series_of(_GROUP, ids).set_sorted(), *values.get_columns()])
        return numbered.group_by(_GROUP, maintain_order=True).agg(asked).get_columns()[1:]


def direct_total(aggregate: pl.Expr) -> DirectTotal | None:
    """Returns what computes an aggregate on the columns themselves; None if it cannot be done.

    Example:
        >>> from yeoul.kernels.grouping import in_groups
        >>> total = direct_total(pl.col("a").sum())
        >>> total(pl.DataFrame({"a": [1, 2, 30]}), in_groups(np.array([2, 1]))).to_list()
        [3, 30]
    """
    try:
        return _total(json.loads(aggregate.meta.serialize(format="json")), aggregate.meta.output_name())
    except NOT_READ:
        return None


def _total(tree: Any, name: str) -> DirectTotal:
    match tree:
        case {"Alias": [inner, str()]}:
            return _total(inner, name)
        case "Len":
            return lambda _, groups: series_of(name, groups.sizes.astype(np.uint32))
        case {"Cast": {"expr": "Len", "dtype": {"Literal": "Int64"}}}:
            return lambda _, groups: series_of(name, groups.sizes)
        case {
            "Cast": {
                "expr": {"Agg": {"Count": {"input": inner, "include_nulls": False}}},
                "dtype": {"Literal": "Int64"},
            }
        }:
            return _over(read_column(inner), name, _counts)
        case {"Cast": {"expr": inner, "dtype": {"Literal": str(dtype_name)}}}:
            return _then_wide(_total(inner, name), dtype_name)
        case {"Agg": {"Count": {"input": inner, "include_nulls": False}}}:
            return _over(read_column(inner), name, _narrow_counts)
        case {"Agg": {"Sum": inner}}:
            return _over(read_column(inner), name, _sums)
        case {"Agg": {"Min": {"input": inner}}}:
            return _over(read_column(inner), name, lambda *given: _extremes(*given, least=True))
        case {"Agg": {"Max": {"input": inner}}}:
            return _over(read_column(inner), name, lambda *given: _extremes(*given, least=False))
        case {"Agg": {"First": {"Function": {"input": [inner], "function": "DropNulls"}}}}:
            return _over(read_column(inner), name, lambda *given: _ends(*given, last=False))
        case {"Agg": {"Last": {"Function": {"input": [inner], "function": "DropNulls"}}}}:
            return _over(read_column(inner), name, lambda *given: _ends(*given, last=True))
        case _:
            raise NotSimpleError


def _over(value: _Value, name: str, reducing: _Reducing) -> DirectTotal:
    def computed(rows: pl.DataFrame, groups: Groups) -> pl.Series | None:
        values = value(rows)
        return None if values is None else reducing(values, groups, name)

    return computed


def _then_wide(total: DirectTotal, dtype_name: str) -> DirectTotal:
    def computed(rows: pl.DataFrame, groups: Groups) -> pl.Series | None:
        totals = total(rows, groups)
        return None if totals is None else as_wide(totals, dtype_name)

    return computed


def _called(values: pl.Series, name: str) -> pl.Series:
    return values if values.name == name else values.alias(name)


def _counts(values: pl.Series, groups: Groups, name: str) -> pl.Series:
    nulls = nulls_in(values)
    return series_of(name, groups.sizes if nulls is None else sums_of(~nulls, groups))


def _narrow_counts(values: pl.Series, groups: Groups, name: str) -> pl.Series:
    return _counts(values, groups, name).cast(pl.UInt32)


def _sums(values: pl.Series, groups: Groups, name: str) -> pl.Series | None:
    """Adds integers and doubles, and counts truths."""
    if values.dtype == pl.Boolean:
        truths = values.fill_null(value=False) if values.null_count() else values
        return series_of(name, sums_of(truths.to_numpy(), groups).astype(np.uint32))
    known = values.fill_null(0) if values.null_count() else values
    if len(groups.sizes) == len(values):
        return _called(known, name) if values.dtype == pl.Int64 or values.dtype.is_float() else None
    if values.dtype == pl.Int64:
        return series_of(name, sums_of(known.to_numpy(), groups))
    return series_of(name, sums_of_floats(known.to_numpy(), groups)) if values.dtype == pl.Float64 else None


def _extremes(values: pl.Series, groups: Groups, name: str, *, least: bool) -> pl.Series | None:
    if len(groups.sizes) == len(values):
        return _called(values, name)
    if not isinstance(values.dtype, _ORDERED):
        return None
    words = values_in(values.to_physical())
    best, missing = extremes_of(words, nulls_in(values), groups, least=least)
    found = series_of(name, best.astype(words.dtype, copy=False), missing)
    return found if found.dtype == values.dtype else found.cast(values.dtype)


def _ends(values: pl.Series, groups: Groups, name: str, *, last: bool) -> pl.Series:
    """The first or the last value of each group that is not NULL; NULL where there is none."""
    if len(groups.sizes) == len(values):
        return _called(values, name)
    rows: NDArray[np.int64] = ends_of(nulls_in(values), groups, last=last)
    return _called(values[series_of("", rows.astype(np.uint32))], name)
