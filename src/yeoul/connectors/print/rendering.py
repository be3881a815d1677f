"""Values as Flink's `print` connector writes them: Java's own spelling of each type.

Owns the spelling only. Callers: `print.sink`. Source: Flink's PrintTableSink writes `Row.toString`, so that a timestamp
is `LocalDateTime.toString` (no seconds when they are zero), an instant `Instant.toString`, a double
`Double.toString`, bytes a list of signed numbers.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from yeoul.plan.types import DataType, Kind

__all__ = ["render_column"]

_NULL = "null"
_UNITS_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH_DATE = datetime.date(1970, 1, 1)
_DAY_SECONDS = 86_400


def render_column(column: pl.Series, type: DataType) -> list[str]:
    """Returns each value of a column as text.

    Example:
        >>> from yeoul.plan.types import DOUBLE, BYTES
        >>> render_column(pl.Series([1.0, None, 1e10, 0.0001]), DOUBLE)
        ['1.0', 'null', '1.0E10', '1.0E-4']
        >>> render_column(pl.Series([bytes([65, 255])]), BYTES)
        ['[65, -1]']
    """
    if column.dtype.is_temporal():
        return _render_temporal(column)
    render = _renderer(type)
    return [_NULL if value is None else render(value) for value in column.to_list()]


def _render_temporal(column: pl.Series) -> list[str]:
    """Renders from the physical integers, so that nanoseconds survive."""
    render: Callable[[int], str]
    match column.dtype:
        case pl.Datetime(time_unit=unit, time_zone=zone):
            per_second = _UNITS_PER_SECOND[unit]

            def render(value: int) -> str:
                return _instant(value, per_second) if zone else _local(value, per_second)

        case pl.Duration(time_unit=unit):
            per_second = _UNITS_PER_SECOND[unit]

            def render(value: int) -> str:
                return _duration(value, per_second)

        case pl.Date():
            return [_NULL if value is None else value.isoformat() for value in column.to_list()]
        case _:

            def render(value: int) -> str:
                return _clock(value // 1_000_000_000, value % 1_000_000_000, always_seconds=False)

    return [_NULL if value is None else render(value) for value in column.to_physical().to_list()]


def _renderer(type: DataType) -> Callable[[Any], str]:
    """Returns what spells one value of Python that is not null; also used inside arrays, maps and rows."""
    match type.kind:
        case Kind.BOOLEAN:
            return lambda value: "true" if value else "false"
        case Kind.FLOAT:
            return lambda value: _java_double(value, np.float32)
        case Kind.DOUBLE:
            return lambda value: _java_double(value, np.float64)
        case Kind.BYTES:
            return lambda value: str([byte - 256 if byte > 127 else byte for byte in value])
        case Kind.DECIMAL:
            return lambda value: format(Decimal(value), "f")
        case Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ | Kind.TIME | Kind.DATE | Kind.INTERVAL_DAY_TIME:
            return lambda value: _render_temporal(pl.Series([value]))[0]
        case Kind.ARRAY if type.element is not None:
            return _array_renderer(type.element)
        case Kind.MAP if type.element is not None and type.key is not None:
            return _map_renderer(type.key, type.element)
        case Kind.ROW:
            return _row_renderer(type)
        case _:
            return str


def _nullable(type: DataType) -> Callable[[Any], str]:
    render = _renderer(type)
    return lambda value: _NULL if value is None else render(value)


def _array_renderer(element: DataType) -> Callable[[Any], str]:
    render = _nullable(element)
    return lambda values: f"[{', '.join(render(value) for value in values)}]"


def _map_renderer(key: DataType, value: DataType) -> Callable[[Any], str]:
    render_key, render_value = _nullable(key), _nullable(value)
    return lambda pairs: (
        "{" + ", ".join(f"{render_key(pair['key'])}={render_value(pair['value'])}" for pair in pairs) + "}"
    )


def _row_renderer(type: DataType) -> Callable[[Any], str]:
    fields = [(field.name, _nullable(field.type)) for field in type.fields]
    return lambda row: f"+I[{', '.join(render(row[name]) for name, render in fields)}]"


def _java_double(value: float, width: type[np.float32] | type[np.float64]) -> str:
    """Spells as Java does: `1.0E10` from ten million on and below a thousandth."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return np.format_float_positional(width(value), unique=True, trim="0")
    mantissa, exponent = np.format_float_scientific(width(value), unique=True, trim="0", exp_digits=1).split("e")
    return f"{mantissa}E{int(exponent)}"


def _clock(seconds: int, fraction: int, always_seconds: bool, per_second: int = 1_000_000_000) -> str:
    text = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}"
    if seconds % 60 or fraction or always_seconds:
        text += f":{seconds % 60:02}"
    if not fraction:
        return text
    nanoseconds = fraction * (1_000_000_000 // per_second)
    digits = 3 if nanoseconds % 1_000_000 == 0 else 6 if nanoseconds % 1_000 == 0 else 9
    return f"{text}.{nanoseconds:09}"[: len(text) + 1 + digits]


def _stamp(value: int, per_second: int, always_seconds: bool) -> str:
    seconds, fraction = divmod(value, per_second)
    days, second_of_day = divmod(seconds, _DAY_SECONDS)
    date = (_EPOCH_DATE + datetime.timedelta(days=days)).isoformat()
    return f"{date}T{_clock(second_of_day, fraction, always_seconds, per_second)}"


def _local(value: int, per_second: int) -> str:
    return _stamp(value, per_second, always_seconds=False)


def _instant(value: int, per_second: int) -> str:
    return _stamp(value, per_second, always_seconds=True) + "Z"


def _duration(value: int, per_second: int) -> str:
    """Spells as `java.time.Duration` does: PT1H30M, PT5S, PT0.25S."""
    sign, magnitude = ("-", -value) if value < 0 else ("", value)
    seconds, fraction = divmod(magnitude, per_second)
    parts = [(seconds // 3600, "H"), (seconds // 60 % 60, "M")]
    text = "".join(f"{sign}{count}{unit}" for count, unit in parts if count)
    rest = f"{seconds % 60}" + (f".{fraction * (1_000_000_000 // per_second):09}".rstrip("0") if fraction else "")
    if rest != "0" or not text:
        text += f"{sign if rest != '0' else ''}{rest}S"
    return f"PT{text}"
