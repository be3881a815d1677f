"""SQL values as text, column by column.

Times are written as Flink writes them: `2024-01-01 10:00:00.123` with the type's own number of digits in tables,
without trailing zeros in JSON and CSV, instants in the session's zone in tables and in UTC with a `Z` elsewhere.
"""

from __future__ import annotations

import msgspec
import polars as pl

from yeoul.plan.nodes import Schema
from yeoul.plan.types import DataType, Kind

__all__ = ["NULL_TEXT", "exchange_columns", "json_rows", "table_columns"]

NULL_TEXT = "<NULL>"

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def table_columns(batch: pl.DataFrame, schema: Schema, zone: str) -> pl.DataFrame:
    """Returns every column as strings for people; NULL is `<NULL>`."""
    columns = [
        _table_text(batch[field.name], field.type, zone).fill_null(NULL_TEXT).alias(field.name)
        for field in schema.fields
    ]
    return pl.DataFrame(columns)


def exchange_columns(batch: pl.DataFrame, schema: Schema, *, nested_as_text: bool) -> pl.DataFrame:
    """Returns the columns for JSON and CSV: times, bytes and intervals as strings, the rest as it is.

    Args:
        batch: The rows.
        schema: Their SQL types.
        nested_as_text: Whether arrays, maps and rows become JSON text.
    """
    columns = []
    for field in schema.fields:
        series = batch[field.name]
        if field.type.kind in _NESTED:
            columns.append(_json_text(series, field.type) if nested_as_text else series)
        else:
            columns.append(_exchange_text(series, field.type))
    return pl.DataFrame(columns)


def _json_text(series: pl.Series, type: DataType) -> pl.Series:
    texts = [None if value is None else _encoder.encode(_plain(value, type)).decode() for value in series.to_list()]
    return pl.Series(series.name, texts, pl.String)


_NESTED = frozenset({Kind.ARRAY, Kind.MAP, Kind.ROW})


def _table_text(series: pl.Series, type: DataType, zone: str) -> pl.Series:
    match type.kind:
        case Kind.TIMESTAMP:
            return series.dt.strftime(_pattern(type))
        case Kind.TIMESTAMP_LTZ:
            return series.dt.convert_time_zone(zone).dt.strftime(_pattern(type))
        case Kind.BOOLEAN:
            return series.cast(pl.String).str.to_uppercase()
        case Kind.BYTES:
            return "x'" + series.bin.encode("hex") + "'"
        case Kind.ARRAY | Kind.MAP | Kind.ROW:
            texts = [None if value is None else _shown(value, type, zone) for value in series.to_list()]
            return pl.Series(series.name, texts, pl.String)
        case _:
            return _exchange_text(series, type).cast(pl.String)


def _exchange_text(series: pl.Series, type: DataType) -> pl.Series:
    match type.kind:
        case Kind.TIMESTAMP:
            return _without_zeros(series.dt.strftime("%Y-%m-%d %H:%M:%S%.9f"))
        case Kind.TIMESTAMP_LTZ:
            return _without_zeros(series.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.9f")) + "Z"
        case Kind.DATE:
            return series.dt.strftime("%Y-%m-%d")
        case Kind.TIME:
            return _without_zeros(series.dt.strftime("%H:%M:%S%.9f"))
        case Kind.BYTES:
            return series.bin.encode("base64")
        case Kind.INTERVAL_DAY_TIME:
            return series.dt.total_milliseconds().map_elements(_day_time, return_dtype=pl.String)
        case Kind.INTERVAL_YEAR_MONTH:
            return series.map_elements(_year_month, return_dtype=pl.String)
        case _:
            return series


def _without_zeros(texts: pl.Series) -> pl.Series:
    """Cuts trailing zeros of a fraction, and the point if nothing is left behind it."""
    return texts.str.strip_chars_end("0").str.strip_chars_end(".")


def _pattern(type: DataType) -> str:
    precision = type.precision or 0
    unit = 3 if precision <= 3 else 6 if precision <= 6 else 9
    return "%Y-%m-%d %H:%M:%S" + (f"%.{unit}f" if precision else "")


def _day_time(millis: int) -> str:
    """An interval as SQL writes it.

    Example:
        >>> _day_time(90_061_005), _day_time(-1_000)
        ('+1 01:01:01.005', '-0 00:00:01.000')
    """
    sign, rest = "-" if millis < 0 else "+", abs(millis)
    seconds, millis = divmod(rest, 1_000)
    days, seconds = divmod(seconds, 86_400)
    return f"{sign}{days} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"


def _year_month(months: int) -> str:
    """An interval of months as SQL writes it.

    Example:
        >>> _year_month(14)
        '+1-02'
    """
    return f"{'-' if months < 0 else '+'}{abs(months) // 12}-{abs(months) % 12:02}"


def _plain(value: object, type: DataType) -> object:
    """A nested value in JSON's terms: a MAP is an object, times and bytes are strings."""
    if value is None:
        return None
    if type.kind is Kind.ARRAY and type.element is not None:
        return [_plain(item, type.element) for item in _items(value)]
    if type.kind is Kind.MAP and type.element is not None:
        return {str(entry["key"]): _plain(entry["value"], type.element) for entry in _entries(value)}
    if type.kind is Kind.ROW and isinstance(value, dict):
        return {field.name: _plain(value[field.name], field.type) for field in type.fields}
    return _exchange_text(pl.Series([value]), type)[0] if type.kind in _TEXTUAL else value


_TEXTUAL = frozenset({Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ, Kind.DATE, Kind.TIME, Kind.BYTES})


def _shown(value: object, type: DataType, zone: str) -> str:
    """A nested value for people: `[1, 2]`, `{a=1}`, `(1, x)`."""
    if value is None:
        return "NULL"
    if type.kind is Kind.ARRAY and type.element is not None:
        return "[" + ", ".join(_shown(item, type.element, zone) for item in _items(value)) + "]"
    if type.kind is Kind.MAP and type.element is not None:
        element = type.element
        return "{" + ", ".join(f"{one['key']}={_shown(one['value'], element, zone)}" for one in _entries(value)) + "}"
    if type.kind is Kind.ROW and isinstance(value, dict):
        return "(" + ", ".join(_shown(value[field.name], field.type, zone) for field in type.fields) + ")"
    return str(_table_text(pl.Series([value]), type, zone)[0])


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, pl.Series)) else []


def _entries(value: object) -> list[dict[str, object]]:
    return [entry for entry in _items(value) if isinstance(entry, dict)]


def json_rows(batch: pl.DataFrame, schema: Schema) -> bytes:
    """Returns the rows as JSON, one a line."""
    rows = exchange_columns(batch, schema, nested_as_text=False).to_dicts()
    for field in schema.fields:
        if field.type.kind in _NESTED:
            for row in rows:
                row[field.name] = _plain(row[field.name], field.type)
    return _encoder.encode_lines(rows)
