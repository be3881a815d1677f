"""Which kernel field reads a column of which type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl
from polars.datatypes import DataTypeClass

from yeoul.errors import UserError
from yeoul.formats.contract import FormatColumn
from yeoul.kernels.json import state
from yeoul.kernels.json.schema import JsonField

__all__ = ["UNIT_DIGITS", "instance", "json_fields", "type_name"]

UNIT_DIGITS: Final = {"ms": 3, "us": 6, "ns": 9}
_INTEGERS: Final[dict[type[pl.DataType], tuple[int, bool, str]]] = {
    pl.Int8: (8, False, "TINYINT"),
    pl.Int16: (16, False, "SMALLINT"),
    pl.Int32: (32, True, "INT"),
    pl.Int64: (64, True, "BIGINT"),
}
_SIMPLE: Final[dict[type[pl.DataType], tuple[int, str]]] = {
    pl.String: (state.STRING, "STRING"),
    pl.Binary: (state.BYTES, "BYTES"),
    pl.Boolean: (state.BOOLEAN, "BOOLEAN"),
    pl.Float32: (state.DOUBLE, "FLOAT"),
    pl.Float64: (state.DOUBLE, "DOUBLE"),
    pl.Date: (state.DATE, "DATE"),
    pl.Time: (state.TIME, "TIME"),
    pl.List: (state.JSON_TEXT, "ARRAY or MAP"),
}


def json_fields(columns: Sequence[FormatColumn]) -> tuple[JsonField, ...]:
    """Returns the kernel's fields for columns, in their order.

    Raises:
        UserError: A type that JSON cannot be read into.
    """
    return tuple(_field(column.name, column.dtype) for column in columns)


def _field(name: str, dtype: pl.DataType) -> JsonField:
    kind = type(dtype)
    if kind in _INTEGERS:
        bits, cuts, _ = _INTEGERS[kind]
        return JsonField(name, state.INTEGER, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, cuts)
    if kind in _SIMPLE:
        return JsonField(name, _SIMPLE[kind][0])
    if isinstance(dtype, pl.Decimal):
        return JsonField(name, state.DECIMAL, dtype.precision or 38, dtype.scale)
    if isinstance(dtype, pl.Datetime):
        return JsonField(name, state.TIMESTAMP, UNIT_DIGITS[dtype.time_unit], dtype.time_zone is not None)
    if isinstance(dtype, pl.Struct):
        inner = tuple(_field(part.name, instance(part.dtype)) for part in dtype.fields)
        return JsonField(name, state.ROW, fields=inner)
    raise UserError(
        f"Column {name!r}: the json format cannot read the type {dtype}",
        hint="It reads BOOLEAN, TINYINT to BIGINT, FLOAT, DOUBLE, DECIMAL, STRING, BYTES, DATE, TIME, TIMESTAMP, "
        "TIMESTAMP_LTZ, ARRAY, MAP and ROW",
    )


def instance(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    """Returns a type written as a class (`pl.Int64`) as an object."""
    return dtype() if isinstance(dtype, type) else dtype


def type_name(dtype: pl.DataType) -> str:
    """Returns a type as SQL spells it, for messages.

    Example:
        >>> type_name(pl.Int64()), type_name(pl.Datetime("ms", "UTC"))
        ('BIGINT', 'TIMESTAMP_LTZ(3)')
    """
    kind = type(dtype)
    if kind in _INTEGERS:
        return _INTEGERS[kind][2]
    if kind in _SIMPLE:
        return _SIMPLE[kind][1]
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return f"TIMESTAMP{'_LTZ' if dtype.time_zone else ''}({UNIT_DIGITS[dtype.time_unit]})"
    return "ROW" if isinstance(dtype, pl.Struct) else str(dtype)
