"""Simple expressions computed on columns directly, without the query engine.

Polars plans, optimises and executes even `a > 1` over ten rows: a few tens of microseconds when all of that is in the
processor's caches, ten times as much when it is not, which is how a job meets it that gets a few rows every few
milliseconds. What columns can do themselves (comparing, adding, AND, OR) is done by them here; the results are
equal. An expression is read once, from its serialised form; what is not understood is left to the query engine, as is a
CASE where rows need a branch of it that is not. Used by `columnwise`.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from yeoul.engine.series import nulls_in, series_of

__all__ = ["NOT_READ", "Direct", "NotSimpleError", "as_wide", "direct", "read_column"]

Direct = Callable[[pl.DataFrame], pl.Series | None]
"""Computes a column of a frame; None: the query engine has to."""
_Value = Callable[[pl.DataFrame], pl.Series | None]
_Node = Mapping[str, Any]

_COMPARING: Final = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtEq": operator.le,
    "Gt": operator.gt,
    "GtEq": operator.ge,
}
_COMPUTING: Final = {"Plus": operator.add, "Minus": operator.sub, "Multiply": operator.mul}
_JOINING: Final = {"And": operator.and_, "Or": operator.or_}
_CONSTANTS: Final[Mapping[str, pl.DataType]] = {
    "String": pl.String(),
    "Int": pl.Int64(),
    "Int8": pl.Int8(),
    "Int16": pl.Int16(),
    "Int32": pl.Int32(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
}
"""The types of single values, by what the serialised form calls them."""
_NARROWER: Final = frozenset((pl.Int8(), pl.Int16(), pl.Int32(), pl.UInt8(), pl.UInt16(), pl.UInt32()))


def direct(expression: pl.Expr) -> Direct | None:
    """Returns what computes an expression on the columns themselves; None if it cannot be done.

    Example:
        >>> positive = direct((pl.col("a") > pl.lit(0, dtype=pl.Int64)).alias("positive"))
        >>> positive(pl.DataFrame({"a": [1, None, -1]})).to_list()
        [True, None, False]
        >>> direct(pl.col("a").str.to_uppercase()) is None
        True
    """
    try:
        tree = json.loads(expression.meta.serialize(format="json"))
        return _named(tree)
    except NOT_READ:
        return None


class NotSimpleError(Exception):
    """Something that columns cannot do themselves."""


NOT_READ: Final = (pl.exceptions.PolarsError, NotSimpleError, RecursionError)
"""What reading an expression may end in: the last where it is too deep, as a CASE of hundreds of branches is."""


def _named(tree: _Node) -> Direct:
    match tree:
        case {"Alias": [{"Column": str(column)}, str(name)]} if column == name:
            return read_column(tree["Alias"][0])
        case {"Alias": [inner, str(name)]}:
            value = read_column(inner)

            def renamed(batch: pl.DataFrame) -> pl.Series | None:
                column = value(batch)
                return column if column is None or column.name == name else column.alias(name)

            return renamed
        case _:
            return read_column(tree)


def read_column(tree: _Node) -> _Value:
    """Reads an expression that has a row for each row of the batch."""
    match tree:
        case {"Column": str(name)}:
            return lambda batch: batch.get_column(name)
        case {"BinaryExpr": {"left": left, "op": str(op), "right": right}}:
            return _binary(op, left, right)
        case {"Function": {"input": [inner], "function": {"Boolean": "IsNull"}}}:
            return _of(read_column(inner), _is_null)
        case {"Function": {"input": [inner], "function": {"Boolean": "IsNotNull"}}}:
            return _of(read_column(inner), lambda values: ~_is_null(values))
        case {"Function": {"input": [inner], "function": {"Boolean": "Not"}}}:
            return _of(read_column(inner), operator.invert)
        case {"Cast": {"expr": inner, "dtype": {"Literal": str(dtype_name)}}}:
            return _widened(read_column(inner), dtype_name)
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": {"Literal": {"Scalar": {"Null": _}}}}}:
            return _where(read_column(predicate), read_column(truthy))
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            return _case(read_column(predicate), read_column(truthy), _column_if_simple(falsy))
        case _:
            raise NotSimpleError


def _of(value: _Value, function: Callable[[pl.Series], pl.Series]) -> _Value:
    def computed(batch: pl.DataFrame) -> pl.Series | None:
        column = value(batch)
        return None if column is None else function(column)

    return computed


def _is_null(values: pl.Series) -> pl.Series:
    # Polars would ask its query engine.
    nulls = nulls_in(values)
    return series_of(values.name, np.zeros(len(values), np.bool_) if nulls is None else nulls)


def _binary(op: str, left: _Node, right: _Node) -> _Value:
    match left:
        case {"Function": {"input": [inner], "function": {"Boolean": "IsNull"}}} if op == "Or":
            return _null_or(read_column(inner), read_column(right))
    if op in _JOINING:
        return _pairwise(_JOINING[op], read_column(left), read_column(right), _are_boolean)
    if op in _COMPARING:
        return _pairwise(_COMPARING[op], read_column(left), _operand(right), _are_alike)
    if op in _COMPUTING:
        return _pairwise(_COMPUTING[op], read_column(left), _operand(right), _are_numbers)
    raise NotSimpleError


def _null_or(value: _Value, right: _Value) -> _Value:
    """Returns `value IS NULL OR right`, which is `right` where nothing is NULL, as mostly."""

    def computed(batch: pl.DataFrame) -> pl.Series | None:
        column, other = value(batch), right(batch)
        if column is None or other is None or other.dtype != pl.Boolean():
            return None
        return _is_null(column) | other if column.null_count() else other

    return computed


def _pairwise(
    function: Callable[[pl.Series, pl.Series], pl.Series],
    left: _Value,
    right: _Value,
    fits: Callable[[pl.DataType, pl.DataType], bool],
) -> _Value:
    def computed(batch: pl.DataFrame) -> pl.Series | None:
        one = left(batch)
        other = None if one is None else right(batch)
        if one is None or other is None or not fits(one.dtype, other.dtype):
            return None
        return function(one, other)

    return computed


def _are_boolean(one: pl.DataType, other: pl.DataType) -> bool:
    return one == pl.Boolean() == other


def _are_alike(one: pl.DataType, other: pl.DataType) -> bool:
    return one == other and (one.is_numeric() or one == pl.String())


def _are_numbers(one: pl.DataType, other: pl.DataType) -> bool:
    return one == other and (one.is_integer() or one.is_float())


def _operand(tree: _Node) -> _Value:
    """Reads a column or a single value, which columns take for every row."""
    match tree:
        case {"Literal": {"Scalar": {**scalar}}} | {"Literal": {"Dyn": {**scalar}}}:
            [(kind, value)] = ((str(kind), value) for kind, value in scalar.items())
            dtype = _CONSTANTS.get(kind)
            if dtype is None or value is None:  # what JSON has no way to say, as NaN, is null there
                raise NotSimpleError
            constant = pl.Series([value], dtype=dtype)
            return lambda batch: constant
        case _:
            return read_column(tree)


def _widened(value: _Value, dtype_name: str) -> _Value:
    """A cast that cannot fail: to the type that the column has already, or of any integers to the widest."""

    def computed(batch: pl.DataFrame) -> pl.Series | None:
        column = value(batch)
        return None if column is None else as_wide(column, dtype_name)

    return computed


def as_wide(column: pl.Series, dtype_name: str) -> pl.Series | None:
    if str(column.dtype) == dtype_name:
        return column
    return column.cast(pl.Int64) if dtype_name == "Int64" and column.dtype in _NARROWER else None


def _column_if_simple(tree: _Node) -> _Value:
    try:
        return read_column(tree)
    except NotSimpleError:
        return lambda _: None


def _where(predicate: _Value, truthy: _Value) -> _Value:
    """A CASE of one branch: NULL where it does not hold, as aggregates have it of rows that a FILTER leaves out."""

    def computed(batch: pl.DataFrame) -> pl.Series | None:
        holds = predicate(batch)
        one = None if holds is None else truthy(batch)
        if holds is None or one is None or holds.all(ignore_nulls=False):
            return one
        holds = holds.fill_null(value=False) if holds.null_count() else holds
        return one.zip_with(holds, one.clear(len(one)))

    return computed


def _case(predicate: _Value, truthy: _Value, falsy: _Value) -> _Value:
    """A CASE of two branches; the second is not looked at where the first holds for every row, as most do."""

    def computed(batch: pl.DataFrame) -> pl.Series | None:
        holds = predicate(batch)
        one = None if holds is None else truthy(batch)
        if holds is None or one is None or holds.all(ignore_nulls=False):
            return one
        other = falsy(batch)
        if other is None or other.dtype != one.dtype:
            return None
        holds = holds.fill_null(value=False) if holds.null_count() else holds
        return one.zip_with(holds, other) if holds.any() else other.alias(one.name)

    return computed
