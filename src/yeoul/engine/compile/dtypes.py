"""How a SQL type lies in memory: the one mapping from `DataType` to Polars, and literals in it."""

from __future__ import annotations

from typing import Literal as OneOf

import polars as pl

from yeoul.plan.expressions import Literal
from yeoul.plan.types import DataType, Kind

__all__ = ["TimeUnit", "literal", "polars_dtype", "polars_schema", "time_unit"]

TimeUnit = OneOf["ms", "us", "ns"]

_FLAT: dict[Kind, pl.DataType] = {
    Kind.BOOLEAN: pl.Boolean(),
    Kind.TINYINT: pl.Int8(),
    Kind.SMALLINT: pl.Int16(),
    Kind.INT: pl.Int32(),
    Kind.BIGINT: pl.Int64(),
    Kind.FLOAT: pl.Float32(),
    Kind.DOUBLE: pl.Float64(),
    Kind.STRING: pl.String(),
    Kind.BYTES: pl.Binary(),
    Kind.BITMAP: pl.List(pl.UInt32()),
    Kind.VARIANT: pl.String(),
    Kind.DATE: pl.Date(),
    Kind.TIME: pl.Time(),
    Kind.INTERVAL_DAY_TIME: pl.Duration("ms"),
    Kind.INTERVAL_YEAR_MONTH: pl.Int32(),
    Kind.NULL: pl.Null(),
}


def time_unit(precision: int | None) -> TimeUnit:
    """Returns the unit that holds `precision` fractional digits of a second.

    Example:
        >>> time_unit(0), time_unit(3), time_unit(6), time_unit(9)
        ('ms', 'ms', 'us', 'ns')
    """
    digits = 6 if precision is None else precision
    return "ms" if digits <= 3 else "us" if digits <= 6 else "ns"


def polars_dtype(type: DataType) -> pl.DataType:
    """Returns the Polars type that holds a SQL type; a year-month interval is an Int32 of months.

    Example:
        >>> from yeoul.plan.types import BIGINT, array_of, timestamp_ltz
        >>> polars_dtype(timestamp_ltz(3)), polars_dtype(array_of(BIGINT))
        (Datetime(time_unit='ms', time_zone='UTC'), List(Int64))
    """
    match type.kind:
        case Kind.DECIMAL:
            return pl.Decimal(type.precision or 38, type.scale or 0)
        case Kind.TIMESTAMP:
            return pl.Datetime(time_unit(type.precision))
        case Kind.TIMESTAMP_LTZ:
            return pl.Datetime(time_unit(type.precision), "UTC")
        case Kind.ARRAY if type.element is not None:
            return pl.List(polars_dtype(type.element))
        case Kind.MAP if type.element is not None and type.key is not None:
            return pl.List(pl.Struct({"key": polars_dtype(type.key), "value": polars_dtype(type.element)}))
        case Kind.ROW:
            return pl.Struct({field.name: polars_dtype(field.type) for field in type.fields})
        case kind:
            return _FLAT[kind]


def polars_schema(fields: tuple[tuple[str, DataType], ...]) -> pl.Schema:
    """Returns the schema of a frame with these columns."""
    return pl.Schema({name: polars_dtype(type) for name, type in fields})


def literal(constant: Literal) -> pl.Expr:
    """Returns a literal as an expression of exactly its own type; one row long."""
    dtype = polars_dtype(constant.type)
    value = constant.value
    if value is None:
        return pl.lit(None, dtype=dtype)
    return pl.lit(pl.Series("literal", [value], dtype=dtype).first(), dtype=dtype)
