"""What the footer of a Parquet file knows of a predicate: the row groups in which it can hold.

A predicate over columns is rewritten as one over their least and greatest values and their numbers of NULLs, and
computed over a frame with one row a row group. What is not known counts as possible. Callers: `parquet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.plan.expressions import Call, ColumnRef, Expression, Literal
from yeoul.plan.types import BIGINT, BOOLEAN, DataType, Kind

__all__ = ["can_hold"]

_TRUE = Literal(True, BOOLEAN.not_null())
_LEAST, _GREATEST, _NULLS = "$least", "$greatest", "$nulls"
_SWAPPED = {
    "less": "greater",
    "less_or_equal": "greater_or_equal",
    "greater": "less",
    "greater_or_equal": "less_or_equal",
    "equals": "equals",
}
_IS_OF: Mapping[Kind, Callable[[pa.DataType], bool]] = {
    **dict.fromkeys((Kind.TINYINT, Kind.SMALLINT, Kind.INT, Kind.BIGINT), pa.types.is_integer),
    **dict.fromkeys((Kind.FLOAT, Kind.DOUBLE), pa.types.is_floating),
    Kind.DECIMAL: pa.types.is_decimal,
    Kind.STRING: lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    Kind.DATE: pa.types.is_date,
    **dict.fromkeys((Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ), pa.types.is_timestamp),
}
"""Which types of a file are ordered as a column's own values are."""


def can_hold(footer: pq.FileMetaData, predicate: Expression | None, context: EvaluationContext) -> NDArray[np.bool_]:
    """Tells for each row group whether the predicate can be TRUE for any of its rows.

    Args:
        footer: Of the file.
        predicate: Over columns of the file, with the types that the table declares; None: every row is wanted.
        context: What the predicate may know of the world.
    """
    asked: dict[str, DataType] = {}
    possible = _TRUE if predicate is None else _possible(predicate, asked)
    if not asked:
        return np.ones(footer.num_row_groups, np.bool_)
    held = footer.schema.to_arrow_schema()
    columns = [
        series
        for name, kind in asked.items()
        for series in _extremes(footer, name, kind, held.field(name).type if name in held.names else None)
    ]
    found = pl.DataFrame(columns).select(compile_expression(possible, context)).to_series()
    found = found.new_from_index(0, footer.num_row_groups) if len(found) != footer.num_row_groups else found
    return found.fill_null(True).to_numpy(writable=True)


def _possible(predicate: Expression, asked: dict[str, DataType]) -> Expression:
    """Returns what has to hold of the extremes for a predicate to be TRUE of some row; notes the columns it names."""
    match predicate:
        case Call(function="and" | "or", args=args):
            return Call(predicate.function, tuple(_possible(one, asked) for one in args), BOOLEAN)
        case Call(function="between", args=(ColumnRef() as column, Literal() as low, Literal() as high)):
            least = _compared("greater_or_equal", column, low, asked)
            return Call("and", (least, _compared("less_or_equal", column, high, asked)), BOOLEAN)
        case Call(function="in", args=(ColumnRef() as column, *values)) if all(isinstance(v, Literal) for v in values):
            found = [_compared("equals", column, value, asked) for value in values]
            return found[0] if len(found) == 1 else Call("or", (found[0], _any(found[1:])), BOOLEAN)
        case Call(function="is_null", args=(ColumnRef() as column,)):
            asked.setdefault(column.name, column.type)
            zero = Literal(0, BIGINT.not_null())
            return Call("greater", (ColumnRef(column.name + _NULLS, BIGINT), zero), BOOLEAN)
        case Call(function=function, args=(ColumnRef() as column, Literal() as value)) if function in _SWAPPED:
            return _compared(function, column, value, asked)
        case Call(function=function, args=(Literal() as value, ColumnRef() as column)) if function in _SWAPPED:
            return _compared(_SWAPPED[function], column, value, asked)
        case _:
            return _TRUE


def _any(parts: Sequence[Expression]) -> Expression:
    found = parts[0]
    for part in parts[1:]:
        found = Call("or", (found, part), BOOLEAN)
    return found


def _compared(function: str, column: ColumnRef, value: Expression, asked: dict[str, DataType]) -> Expression:
    kind = column.type
    # A NaN counts as greater than all, and no statistics tell of one.
    if kind.kind not in _IS_OF or (kind.is_float and function.startswith("greater")):
        return _TRUE
    asked.setdefault(column.name, kind)
    least, greatest = (ColumnRef(column.name + end, kind.or_null()) for end in (_LEAST, _GREATEST))
    if function.startswith("less"):
        return Call(function, (least, value), BOOLEAN)
    if function.startswith("greater"):
        return Call(function, (greatest, value), BOOLEAN)
    both = Call("less_or_equal", (least, value), BOOLEAN), Call("greater_or_equal", (greatest, value), BOOLEAN)
    return Call("and", both, BOOLEAN)


def _extremes(footer: pq.FileMetaData, name: str, kind: DataType, held: pa.DataType | None) -> Iterator[pl.Series]:
    """Yields a column's least and greatest value and its number of NULLs in each row group; null: not known."""
    dtype = polars_dtype(kind)
    places = {footer.schema.column(index).path: index for index in range(footer.num_columns)}
    groups = range(footer.num_row_groups)
    known = [None if name not in places else footer.row_group(one).column(places[name]).statistics for one in groups]
    alike = held is not None and kind.kind in _IS_OF and _IS_OF[kind.kind](held)
    ends = [one if alike and one is not None and one.has_min_max else None for one in known]
    yield _told(name + _LEAST, [None if one is None else one.min for one in ends], dtype)
    yield _told(name + _GREATEST, [None if one is None else one.max for one in ends], dtype)
    nulls = [one.null_count if one is not None and one.has_null_count else None for one in known]
    yield pl.Series(name + _NULLS, nulls, dtype=pl.Int64)


def _told(name: str, values: Sequence[object], dtype: pl.DataType) -> pl.Series:
    try:
        return pl.Series(name, values, strict=True).cast(dtype)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        return pl.Series(name, [None], dtype=dtype).new_from_index(0, len(values))
