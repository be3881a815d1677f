"""Frames of other libraries as Polars frames, and Polars frames as declared tables.

Owns the mapping from Polars types to SQL types. Invariants: a column of a frame is taken without loss or refused.
Callers: jobs, for `yeoul.sql(text, name=frame)`.
"""

from __future__ import annotations

import polars as pl

from yeoul.errors import UserError
from yeoul.plan import types
from yeoul.plan.tables import Column, TableDefinition
from yeoul.plan.types import DataType, RowField

__all__ = ["as_frame", "define_table", "sql_type"]

_SIMPLE: dict[type[pl.DataType], DataType] = {
    pl.Boolean: types.BOOLEAN,
    pl.Int8: types.TINYINT,
    pl.Int16: types.SMALLINT,
    pl.Int32: types.INT,
    pl.Int64: types.BIGINT,
    pl.UInt8: types.SMALLINT,
    pl.UInt16: types.INT,
    pl.UInt32: types.BIGINT,
    pl.UInt64: types.decimal(20, 0),
    pl.Float32: types.FLOAT,
    pl.Float64: types.DOUBLE,
    pl.String: types.STRING,
    pl.Categorical: types.STRING,
    pl.Enum: types.STRING,
    pl.Binary: types.BYTES,
    pl.Date: types.DATE,
    pl.Time: types.time(9),
    pl.Duration: types.INTERVAL_DAY_TIME,
    pl.Null: types.STRING,
}
_PRECISIONS = {"ms": 3, "us": 6, "ns": 9}


def sql_type(dtype: pl.DataType) -> DataType | None:
    """Returns the SQL type of a Polars type, None if there is none.

    Example:
        >>> str(sql_type(pl.Datetime("ms"))), str(sql_type(pl.List(pl.Int32())))
        ('TIMESTAMP(3)', 'ARRAY<INT>')
    """
    match dtype:
        case pl.Datetime(time_unit=unit, time_zone=zone):
            make = types.timestamp if zone is None else types.timestamp_ltz
            return make(_PRECISIONS[unit])
        case pl.Decimal(precision=precision, scale=scale):
            return types.decimal(precision or 38, scale)
        case pl.List(inner=inner) | pl.Array(inner=inner):
            element = sql_type(_instance(inner))
            return None if element is None else types.array_of(element)
        case pl.Struct(fields=fields):
            inners = [(field.name, sql_type(_instance(field.dtype))) for field in fields]
            known = [RowField(name, inner) for name, inner in inners if inner is not None]
            return types.row_of(*known) if len(known) == len(inners) else None
        case _:
            return _SIMPLE.get(type(dtype))


def _instance(dtype: pl.DataType | pl.datatypes.DataTypeClass) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def as_frame(name: str, value: object) -> pl.DataFrame:
    """Returns a frame of another library (pandas, Arrow, anything with `__arrow_c_stream__`) as a Polars frame.

    Raises:
        UserError: It is no frame, or holds what has no columnar type.
    """
    if isinstance(value, pl.DataFrame):
        return value
    if isinstance(value, pl.LazyFrame):
        return value.collect()
    try:
        if hasattr(value, "__arrow_c_stream__"):
            converted = pl.DataFrame(value)
        elif type(value).__module__.split(".")[0] == "pandas":
            converted = pl.from_pandas(value)  # type: ignore[call-overload]
        else:
            converted = pl.DataFrame(value)  # type: ignore[arg-type]
    except Exception as error:  # the other library's own errors have no common type
        hint = "Give a Polars, pandas or Arrow frame, a list of dicts, or a dict of lists."
        raise UserError(f"Table {name!r}: cannot take a {type(value).__name__}: {error}", hint=hint) from error
    if not isinstance(converted, pl.DataFrame):
        raise UserError(
            f"Table {name!r}: expected a frame, got a {type(value).__name__}", hint="Give a frame, not a column."
        )
    return converted


def define_table(name: str, frame: pl.DataFrame) -> TableDefinition:
    """Returns the table that reads `frame` through the connector `frame`.

    Raises:
        UserError: A column's type has no SQL type.
    """
    columns = []
    for column, dtype in frame.schema.items():
        known = sql_type(dtype)
        if known is None:
            raise UserError(
                f"Table {name!r}, column {column!r}: no SQL type for {dtype}", hint="Cast or drop the column."
            )
        columns.append(Column(column, known))
    return TableDefinition(name, tuple(columns), options={"connector": "frame", "frame.name": name})
