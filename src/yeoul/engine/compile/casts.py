"""CAST and TRY_CAST, as Flink defines them.

A number that does not fit an integer is cut to its lower bits, a float after it has stopped at the ends of INT or
BIGINT; one with too many digits for a decimal is NULL. Only text can fail.

A cast that cannot fail is one Polars expression. One that can runs `attempt`, which gives NULL where it fails; the
counts of NULLs before and after tell whether any did, so good columns pay for nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from yeoul.engine.compile.bitmaps import bitmap_text
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.nested_casts import NESTED, Parted, nested_cast, nested_text
from yeoul.engine.compile.readings import text_to_date, text_to_time, text_to_timestamp, to_instant, to_zone
from yeoul.errors import Span
from yeoul.plan.functions.coercion import as_decimal
from yeoul.plan.types import DataType, Kind

__all__ = ["cast_can_fail", "lower_cast"]

Attempt = Callable[[pl.Series], pl.Series]
_WIDTH = {Kind.TINYINT: 1, Kind.SMALLINT: 2, Kind.INT: 4, Kind.BIGINT: 8}
_INFINITE = ["Infinity", "+Infinity", "-Infinity"]
_TRUE = ["t", "true", "y", "yes", "1"]
_FALSE = ["f", "false", "n", "no", "0"]


def lower_cast(
    operand: pl.Expr,
    source: DataType,
    target: DataType,
    *,
    null_on_error: bool,
    text: str,
    zone: str,
    span: Span | None = None,
) -> pl.Expr:
    """Returns the operand cast; `text` names the cast in errors."""
    if source.kind is Kind.NULL:
        return operand.cast(polars_dtype(target))
    sure = _sure(operand, source, target, zone)
    if sure is not None:
        return sure
    written = str(target.or_null())

    def compute(column: pl.Series) -> pl.Series:
        result, failed = _converted(column, source, target, zone)
        if failed is None or not failed.any():
            return result
        if not null_on_error:
            raise EvaluationError(
                f"{text} failed: {_shown(column[int(failed.argmax())])} is not a value of {written}",
                hint="TRY_CAST gives NULL where a value cannot be cast.",
                span=span,
            )
        return result.to_frame("a").select(pl.when(pl.Series(~failed)).then(pl.col("a"))).to_series()

    return checked([operand], compute, polars_dtype(target))


def cast_can_fail(source: DataType, target: DataType) -> bool:
    """Tells whether some value of one type has no counterpart in the other."""
    if source.kind is target.kind and source.kind in NESTED:
        return any(cast_can_fail(a, b) for a, b in zip(_parts(source), _parts(target), strict=False))
    return source.kind is not Kind.NULL and _sure(pl.col("x"), source, target, "UTC") is None


def _parts(type: DataType) -> list[DataType]:
    parts = [*(field.type for field in type.fields), type.key, type.element]
    return [each for each in parts if each is not None]


def _converted(column: pl.Series, source: DataType, target: DataType, zone: str) -> Parted:
    """A column cast, and where a value could not be."""
    if source.kind is Kind.NULL:
        return column.cast(polars_dtype(target)), None
    sure = _sure(pl.col("a"), source, target, zone)
    if sure is not None:
        return column.to_frame("a").select(sure).to_series(), None
    if source.kind in NESTED:
        return nested_cast(column, source, target, lambda part, a, b: _converted(part, a, b, zone))
    result = _attempt(source, target, zone)(column)
    if result.null_count() == column.null_count():
        return result, None
    return result, (result.is_null() & column.is_not_null()).to_numpy()


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str | bytes) else str(value)


# ---- casts that cannot fail ------------------------------------------------------------


def _sure(operand: pl.Expr, source: DataType, target: DataType, zone: str) -> pl.Expr | None:
    """The cast as an expression, if no value can fail it."""
    a, b = source.kind, target.kind
    if source.same_as(target):
        return operand
    if b is Kind.STRING:
        return _of_length(_written(operand, source, zone), target)
    if a is b is Kind.BYTES or (a is Kind.STRING and b is Kind.BYTES):
        return _of_length(operand.cast(pl.Binary), target)
    if source.is_numeric and target.is_numeric:
        return _between_numbers(operand, source, target)
    if a is Kind.BOOLEAN:
        return operand.cast(pl.Int8).cast(polars_dtype(target), strict=False) if target.is_numeric else None
    if b is Kind.BOOLEAN:
        return operand != 0 if source.is_numeric else None
    if a in (Kind.DATE, Kind.TIME) or source.is_timestamp:
        return _between_times(operand, source, target, zone)
    if source.is_interval or target.is_interval:
        return _intervals(operand, source, target)
    return None


def _between_numbers(operand: pl.Expr, source: DataType, target: DataType) -> pl.Expr:
    dtype = polars_dtype(target)
    if target.is_float or (source.is_integer and target.is_integer and _WIDTH[source.kind] <= _WIDTH[target.kind]):
        return operand.cast(dtype)
    if isinstance(dtype, pl.Decimal):
        return _to_decimal(operand, source, target, dtype)
    if source.kind is Kind.DECIMAL:
        operand = operand.cast(pl.Int128)
    elif source.is_float:
        operand = operand.cast(pl.Int64 if target.kind is Kind.BIGINT else pl.Int32, wrap_numerical=True)
    return operand.cast(dtype, wrap_numerical=True)


def _to_decimal(operand: pl.Expr, source: DataType, target: DataType, dtype: pl.Decimal) -> pl.Expr:
    if source.is_float:
        return checked([operand], lambda column: _float_to_decimal(column, target), dtype)
    (p1, s1), (p2, s2) = as_decimal(source), as_decimal(target)
    if s2 >= s1 and p2 - s2 >= p1 - s1:
        return operand.cast(dtype)
    return checked([operand], lambda column: rounded_decimal(column, dtype), dtype)


def _between_times(operand: pl.Expr, source: DataType, target: DataType, zone: str) -> pl.Expr | None:
    wall = to_zone(operand, zone) if source.kind is Kind.TIMESTAMP_LTZ else operand
    match target.kind:
        case Kind.DATE if source.is_timestamp:
            return wall.dt.date()
        case Kind.TIME if source.is_timestamp:
            return _cut(wall.dt.time().cast(pl.Int64), target.precision or 0, 9).cast(pl.Time)
        case Kind.TIME if source.kind is Kind.TIME:
            return _cut(operand.cast(pl.Int64), target.precision or 0, 9).cast(pl.Time)
        case Kind.TIMESTAMP if source.kind is Kind.TIME:
            return operand.cast(pl.Int64).cast(pl.Datetime("ns")).cast(polars_dtype(target))
        case Kind.TIMESTAMP_LTZ if source.kind is Kind.TIME:
            dtype = polars_dtype(target)
            assert isinstance(dtype, pl.Datetime)
            return to_instant(operand.cast(pl.Int64).cast(pl.Datetime("ns")).cast(pl.Datetime(dtype.time_unit)), zone)
        case Kind.TIMESTAMP if source.is_timestamp or source.kind is Kind.DATE:
            return _at_precision(wall, source, target)
        case Kind.TIMESTAMP_LTZ if source.kind is Kind.TIMESTAMP_LTZ:
            return _at_precision(operand, source, target)
        case Kind.TIMESTAMP_LTZ if source.kind in (Kind.TIMESTAMP, Kind.DATE):
            return to_instant(_at_precision(operand, source, target, zoned=False), zone)
        case _:
            return None


def _cut(units: pl.Expr, digits: int, have: int) -> pl.Expr:
    step = 10 ** max(0, have - digits)
    return units if step == 1 else units.floordiv(step) * step


def _at_precision(operand: pl.Expr, source: DataType, target: DataType, *, zoned: bool | None = None) -> pl.Expr:
    """Changes the unit, and cuts the digits that the target's precision does not have."""
    dtype = polars_dtype(target)
    assert isinstance(dtype, pl.Datetime)
    keep_zone = target.kind is Kind.TIMESTAMP_LTZ if zoned is None else zoned
    plain = pl.Datetime(dtype.time_unit, "UTC" if keep_zone else None)
    digits, had = target.precision or 0, source.precision or 0
    cast = operand.cast(plain)
    if source.kind is Kind.DATE or digits >= had or digits in (3, 6, 9):
        return cast
    have = {"ms": 3, "us": 6, "ns": 9}[dtype.time_unit]
    return _cut(cast.cast(pl.Int64), digits, have).cast(plain)


def _intervals(operand: pl.Expr, source: DataType, target: DataType) -> pl.Expr:
    if target.is_integer and source.kind is Kind.INTERVAL_DAY_TIME:
        return operand.dt.total_milliseconds().cast(polars_dtype(target))
    return operand.cast(polars_dtype(target))


# ---- to text ------------------------------------------------------------


def _of_length(whole: pl.Expr, target: DataType) -> pl.Expr:
    """Text or bytes, cut and padded to the length that the type has, if it has one."""
    if target.precision is None:
        return whole
    if target.kind is Kind.STRING:
        cut = whole.str.head(target.precision)
        return cut.str.pad_end(target.precision) if target.fixed else cut
    if target.fixed:
        whole = whole + pl.lit(bytes(target.precision))
    return whole.bin.head(target.precision)


def _written(operand: pl.Expr, source: DataType, zone: str) -> pl.Expr:
    """A value as Flink writes it: TRUE, 1.0E7, 2024-01-31 10:00:00.000, [1, 2], (1, a), {k=v}."""
    digits = source.precision or 0
    match source.kind:
        case Kind.STRING | Kind.VARIANT:
            return operand
        case Kind.BYTES:
            return checked([operand], _bytes_to_text, pl.String())
        case Kind.BOOLEAN:
            return pl.when(operand).then(pl.lit("TRUE")).when(operand.not_()).then(pl.lit("FALSE"))
        case Kind.FLOAT | Kind.DOUBLE:
            return checked([operand], float_text, pl.String())
        case Kind.DATE:
            return operand.dt.strftime("%Y-%m-%d")
        case Kind.TIME:
            return _with_fraction(operand, "%H:%M:%S", digits)
        case Kind.TIMESTAMP:
            return _with_fraction(operand, "%Y-%m-%d %H:%M:%S", digits)
        case Kind.TIMESTAMP_LTZ:
            return _with_fraction(to_zone(operand, zone), "%Y-%m-%d %H:%M:%S", digits)
        case Kind.INTERVAL_DAY_TIME:
            return _day_time_text(operand)
        case Kind.INTERVAL_YEAR_MONTH:
            sign = pl.when(operand < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
            months = operand.abs()
            return pl.concat_str(
                sign, months.floordiv(12).cast(pl.String), pl.lit("-"), (months % 12).cast(pl.String).str.zfill(2)
            )
        case Kind.BITMAP:
            return bitmap_text(operand)
        case Kind.ARRAY | Kind.MAP | Kind.ROW:
            return checked([operand], lambda column: nested_text(column, source, _writer(zone)), pl.String())
        case _:
            return operand.cast(pl.String)


def _with_fraction(operand: pl.Expr, pattern: str, digits: int) -> pl.Expr:
    """Writes a time with exactly `digits` digits of a second; chrono knows 3, 6 and 9."""
    if digits == 0:
        return operand.dt.strftime(pattern)
    known = 3 if digits <= 3 else 6 if digits <= 6 else 9
    written = operand.dt.strftime(f"{pattern}%.{known}f")
    return written if known == digits else written.str.head(-(known - digits))


def _day_time_text(operand: pl.Expr) -> pl.Expr:
    total = operand.dt.total_milliseconds()
    size = total.abs()
    sign = pl.when(total < 0).then(pl.lit("-")).otherwise(pl.lit("+"))
    days, rest = size.floordiv(86_400_000), (size % 86_400_000).cast(pl.Duration("ms"))
    clock = (pl.lit(0).cast(pl.Datetime("ms")) + rest).dt.strftime("%H:%M:%S%.3f")
    return pl.concat_str(sign, days.cast(pl.String), pl.lit(" "), clock)


def _writer(zone: str) -> Callable[[pl.Series, DataType], pl.Series]:
    return lambda part, type: part.to_frame("a").select(_written(pl.col("a"), type, zone)).to_series()


def float_text(column: pl.Series) -> pl.Series:
    """Writes floats as Java does: shortest digits, scientific below 1E-3 and from 1E7, NaN, Infinity."""
    written = column.cast(pl.String)
    size = column.abs()
    odd = ((size >= 1e7) | ((size < 1e-3) & (size != 0)) | size.is_nan()).fill_null(False)
    if not odd.any():
        return written
    unusual = column.filter(odd).unique()
    table = {value: _java_float(value, text) for value, text in zip(unusual, unusual.cast(pl.String), strict=True)}
    replaced = [table[value] if not math.isnan(value) else "NaN" for value in column.filter(odd)]
    return written.scatter(odd.arg_true(), replaced)


def _java_float(value: float, shortest: str) -> str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if math.isnan(value):
        return "NaN"
    mantissa, _, exponent = shortest.lower().partition("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits) - (0 if digits else 1))
    digits = digits.rstrip("0")
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"


# ---- casts that can fail ------------------------------------------------------------


def _attempt(source: DataType, target: DataType, zone: str) -> Attempt:
    """A function that casts a column, NULL where a value cannot be."""
    dtype = polars_dtype(target)
    if source.kind is Kind.STRING:
        return _from_text(target, zone)
    return lambda column: column.cast(dtype, strict=False)


def _from_text(target: DataType, zone: str) -> Attempt:
    dtype = polars_dtype(target)
    match target.kind:
        case Kind.BOOLEAN:
            return _text_to_boolean
        case Kind.DATE:
            return text_to_date
        case Kind.TIME:
            return lambda column: _text_to_time(column, target.precision or 0)
        case Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ:
            return lambda column: text_to_timestamp(column, target, zone)
        case Kind.DECIMAL:
            return lambda column: _text_to_decimal(column, target)
        case _ if target.is_integer:
            return lambda column: _text_to_integer(column, dtype)
        case _:
            return lambda column: _text_to_float(column, dtype)


def _text_to_float(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Reads numbers, and of what is none just NaN and Infinity as Java writes them."""
    words = _stripped(column)
    odd = words.str.contains("(?i)n") & words.is_in(["NaN", "+NaN", "-NaN", *_INFINITE]).not_()
    return words.set(odd, None).cast(dtype, strict=False)


def _stripped(column: pl.Series) -> pl.Series:
    return column.str.strip_chars(" \t\r\n")


def _bytes_to_text(column: pl.Series) -> pl.Series:
    """Reads UTF-8; Polars refuses a whole column with one bad value, which gets the replacement character."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        read = [None if value is None else value.decode(errors="replace") for value in column]
        return pl.Series(column.name, read, dtype=pl.String)


def _text_to_time(column: pl.Series, digits: int) -> pl.Series:
    read = text_to_time(column).cast(pl.Int64)
    return read.to_frame("a").select(_cut(pl.col("a"), digits, 9).cast(pl.Time)).to_series()


def _text_to_integer(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Reads whole numbers; a well-formed fraction is cut, as Flink does."""
    result = column.cast(dtype, strict=False)
    if result.null_count() == column.null_count():
        return result
    words = _stripped(column)
    cut = words.str.extract(r"^([+-]?[0-9]*)\.[0-9]*$").str.replace(r"^([+-]?)$", "${1}0")
    plain = words.str.extract(r"^([+-]?[0-9]+)$")
    whole = plain.fill_null(cut).set(words.is_in([".", "+.", "-."]).fill_null(False), None)
    return whole.cast(dtype, strict=False)


def rounded_decimal(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Changes a decimal's scale, halves away from zero (Polars' own cast rounds them to even)."""
    assert isinstance(dtype, pl.Decimal)
    scale = column.dtype.scale if isinstance(column.dtype, pl.Decimal) else 0
    kept = column.round(dtype.scale, mode="half_away_from_zero") if dtype.scale < scale else column
    return kept.cast(dtype, strict=False)


def _float_to_decimal(column: pl.Series, target: DataType) -> pl.Series:
    """Rounds what the shortest digits of a float say, as Java does; what has no such digits is NULL."""
    return _text_to_decimal(column.cast(pl.String), target)


def _text_to_decimal(column: pl.Series, target: DataType) -> pl.Series:
    """Reads with as many digits after the point as there is room for, then rounds."""
    precision, scale = as_decimal(target)
    room = 38 - (precision - scale)
    words = _stripped(column).str.replace(rf"^([+-]?[0-9]*\.[0-9]{{{room}}})[0-9]+$", "$1")
    read = words.cast(pl.Decimal(38, room), strict=False)
    return rounded_decimal(read, polars_dtype(target))


def _text_to_boolean(column: pl.Series) -> pl.Series:
    word = column.str.to_lowercase()
    value = pl.when(pl.col("a").is_in(_TRUE)).then(True).when(pl.col("a").is_in(_FALSE)).then(False)
    return word.to_frame("a").select(value.alias("a")).to_series()
