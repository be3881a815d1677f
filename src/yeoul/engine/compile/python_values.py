"""Columns as plain Python values and back: what a Python function is handed, and what it gave.

A ROW is handed over as a `Row`, a MAP as a dict, a TIMESTAMP_LTZ as a datetime in the session's zone. What comes back
has to be a value of its type: nothing is cut, parsed or written as text, only numbers widen. Polars is given values
that are of the type already; others make it stumble, in its own words or not at all.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NoReturn
from zoneinfo import ZoneInfo

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.variants import spelling_of
from yeoul.functions import Row
from yeoul.plan.types import DataType, Kind

__all__ = ["WrongValue", "column_of", "values_of"]

_Reader = Callable[[object], object]
_MOST_DIGITS = 38
_BITS = {Kind.TINYINT: 8, Kind.SMALLINT: 16, Kind.INT: 32, Kind.BIGINT: 64}
_SURE: dict[Kind, frozenset[type]] = {
    **dict.fromkeys(_BITS, frozenset({int})),
    Kind.BOOLEAN: frozenset({bool}),
    Kind.FLOAT: frozenset({float}),
    Kind.DOUBLE: frozenset({float}),
    Kind.STRING: frozenset({str}),
    Kind.BYTES: frozenset({bytes}),
}


class WrongValue(Exception):
    """A function gave what is no value of its type.

    Attributes:
        index: Which of its values it is.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def values_of(column: pl.Series, type: DataType, time_zone: str) -> list[object]:
    """Returns a column's values as Python has them; NULL is None.

    Example:
        >>> from yeoul.plan.types import INT, STRING, map_of
        >>> column = pl.Series([[{"key": "a", "value": 1}]])
        >>> values_of(column, map_of(STRING, INT), "UTC")
        [{'a': 1}]
    """
    values: list[object] = column.to_list()
    reads = _reader(type, time_zone)
    return values if reads is None else [None if one is None else reads(one) for one in values]


def _reader(type: DataType, time_zone: str) -> _Reader | None:
    """Returns what makes of Polars' value that of the function; None: they are the same."""
    match type.kind:
        case Kind.TIMESTAMP_LTZ:
            zone = ZoneInfo(time_zone)
            return lambda value: value.astimezone(zone)  # type: ignore[attr-defined]
        case Kind.ARRAY if type.element is not None:
            each = _reader(type.element, time_zone)
            return None if each is None else lambda value: [_read(each, one) for one in value]  # type: ignore[attr-defined]
        case Kind.MAP if type.key is not None and type.element is not None:
            key, item = _reader(type.key, time_zone), _reader(type.element, time_zone)
            return lambda value: {_read(key, one["key"]): _read(item, one["value"]) for one in value}  # type: ignore[attr-defined]
        case Kind.ROW:
            names = [field.name for field in type.fields]
            readers = [_reader(field.type, time_zone) for field in type.fields]
            return lambda value: Row.of(names, list(map(_read, readers, value.values())))  # type: ignore[attr-defined]
        case _:
            return None


def _read(reader: _Reader | None, value: object) -> object:
    return value if reader is None or value is None else reader(value)


def column_of(values: Sequence[object], type: DataType, time_zone: str) -> pl.Series:
    """Returns the column of a function's values.

    Raises:
        WrongValue: One of them is none of the type.
    """
    dtype = polars_dtype(type)
    sure = _SURE.get(type.kind)
    if sure is not None and type.nullable and set(map(_type_of, values)) <= {*sure, None.__class__}:
        try:
            return pl.Series("f", values, dtype=dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            pass  # one is too great, or no text: the loop below finds it
    made = []
    for index, one in enumerate(values):
        try:
            made.append(_written(one, type, time_zone))
        except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
            reason = f": {error}" if str(error) else ""
            raise WrongValue(index, f"it returned {_shown(one)}, which is no {type}{reason}") from None
    return pl.Series("f", made, dtype=dtype, strict=True)


def _type_of(value: object) -> type:
    return value.__class__


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _written(value: object, type: DataType, time_zone: str) -> object:
    """A Python value as Polars takes it for the type.

    Raises:
        TypeError, ValueError, OverflowError, ArithmeticError: It is none.
    """
    if value is None:
        if type.nullable or type.kind is Kind.NULL:
            return None
        raise TypeError
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a number of NumPy's
        value = value.item()
    return _WRITERS[type.kind](value, type, time_zone)


def _boolean(value: object, type: DataType, time_zone: str) -> object:
    return value if isinstance(value, bool) else _refuse()


def _integer(value: object, type: DataType, time_zone: str) -> object:
    if isinstance(value, bool):
        _refuse()
    number = operator.index(value)  # type: ignore[arg-type]
    half = 1 << _BITS[type.kind] - 1
    return number if -half <= number < half else _refuse()


def _float(value: object, type: DataType, time_zone: str) -> object:
    return float(value) if isinstance(value, int | float | Decimal) else _refuse()


def _decimal(value: object, type: DataType, time_zone: str) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        _refuse()
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        _refuse()
    precision, scale = type.precision or _MOST_DIGITS, type.scale or 0
    with localcontext() as context:
        context.prec = 2 * _MOST_DIGITS
        rounded = number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    return rounded if len(rounded.as_tuple().digits) <= precision or not rounded else _refuse()


def _string(value: object, type: DataType, time_zone: str) -> object:
    if not isinstance(value, str):
        _refuse()
    value.encode()
    return str(value)


def _variant(value: object, type: DataType, time_zone: str) -> object:
    return spelling_of(value, doubles=False) if isinstance(value, str) else _refuse()


def _bytes(value: object, type: DataType, time_zone: str) -> object:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else _refuse()


def _date(value: object, type: DataType, time_zone: str) -> object:
    return value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else _refuse()


def _time(value: object, type: DataType, time_zone: str) -> object:
    return value.replace(tzinfo=None) if isinstance(value, dt.time) else _refuse()


def _timestamp(value: object, type: DataType, time_zone: str) -> object:
    """The clock's reading; of an instant that in UTC, as in PyFlink."""
    if not isinstance(value, dt.datetime):
        _refuse()
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)


def _instant(value: object, type: DataType, time_zone: str) -> object:
    """The instant; a clock's reading is one of the session's zone, as in PyFlink."""
    if not isinstance(value, dt.datetime):
        _refuse()
    return (value.replace(tzinfo=ZoneInfo(time_zone)) if value.tzinfo is None else value).astimezone(dt.UTC)


def _interval(value: object, type: DataType, time_zone: str) -> object:
    return value if isinstance(value, dt.timedelta) else _refuse()


def _array(value: object, type: DataType, time_zone: str) -> object:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable) or type.element is None:
        _refuse()
    return [_written(one, type.element, time_zone) for one in value]


def _map(value: object, type: DataType, time_zone: str) -> object:
    if not isinstance(value, Mapping) or type.key is None or type.element is None:
        _refuse()
    key, item = type.key, type.element
    pairs = value.items()
    return [{"key": _written(k, key, time_zone), "value": _written(v, item, time_zone)} for k, v in pairs]


def _row(value: object, type: DataType, time_zone: str) -> object:
    names = [field.name for field in type.fields]
    if isinstance(value, Row) and value.has_names:
        value = value.as_dict()
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise TypeError(f"expected {', '.join(names)}")
        value = [value[name] for name in names]
    if not isinstance(value, tuple | list):
        _refuse()
    if len(value) != len(names):
        raise TypeError(f"expected {len(names)} values, got {len(value)}")
    return {field.name: _written(one, field.type, time_zone) for field, one in zip(type.fields, value, strict=True)}


def _bitmap(value: object, type: DataType, time_zone: str) -> object:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        _refuse()
    return sorted({operator.index(one) & 0xFFFFFFFF for one in value})


def _refuse() -> NoReturn:
    raise TypeError


_WRITERS: dict[Kind, Callable[[object, DataType, str], object]] = {
    **dict.fromkeys(_BITS, _integer),
    Kind.BOOLEAN: _boolean,
    Kind.FLOAT: _float,
    Kind.DOUBLE: _float,
    Kind.DECIMAL: _decimal,
    Kind.STRING: _string,
    Kind.VARIANT: _variant,
    Kind.BYTES: _bytes,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMP_LTZ: _instant,
    Kind.INTERVAL_DAY_TIME: _interval,
    Kind.ARRAY: _array,
    Kind.MAP: _map,
    Kind.ROW: _row,
    Kind.BITMAP: _bitmap,
}
