"""Whole columns handed to vectorised Python functions (Polars, Arrow, pandas), and the columns that they give."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.python_values import WrongValue
from yeoul.plan.types import DataType

__all__ = ["column_given", "handed_over"]


def handed_over(column: pl.Series, func_type: str) -> object:
    """Returns the column as the function's kind has it."""
    if func_type == "arrow":
        return column.to_arrow()
    return column.to_pandas() if func_type == "pandas" else column


def column_given(given: object, type: DataType, time_zone: str) -> pl.Series:
    """Returns the column that a function gave, in its type; numbers widen, NaN of pandas is NULL.

    Raises:
        WrongValue: It is no column, or one of other values.
        PolarsError: A value does not fit.
    """
    dtype = polars_dtype(type)
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise WrongValue(0, f"it returned {given!r}, which is no column")
    column = pl.Series("f", given)  # type: ignore[arg-type]
    have = column.dtype
    if have == pl.Null() or have == dtype:
        return column.cast(dtype)
    if not _may_become(have, dtype):
        raise WrongValue(0, f"it returned a column of {have}, which is none of {type}")
    if have.is_float() and dtype.is_integer():
        fraction = column.filter(column.is_not_null() & ((column % 1) != 0))
        if len(fraction):
            raise WrongValue(0, f"it returned {fraction[0]!r}, which is no {type}")
    if isinstance(have, pl.Datetime) and isinstance(dtype, pl.Datetime) and have.time_zone is None and dtype.time_zone:
        column = column.dt.replace_time_zone(time_zone, ambiguous="earliest").dt.convert_time_zone(dtype.time_zone)
    return column.cast(dtype, strict=True)


def _may_become(have: pl.DataType, dtype: pl.DataType) -> bool:
    """Whether values of one type are such of the other: no text is parsed, nothing is written as text."""
    if have.is_numeric() or dtype.is_numeric():
        return have.is_numeric() and dtype.is_numeric()
    if have.is_temporal() or dtype.is_temporal():
        return have.base_type() is dtype.base_type() or (isinstance(have, pl.Date) and isinstance(dtype, pl.Datetime))
    return have.is_nested() == dtype.is_nested() and (have.is_nested() or _is_text(have) == _is_text(dtype))


def _is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
