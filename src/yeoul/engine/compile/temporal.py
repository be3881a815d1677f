"""Functions of dates, times and intervals.

A TIMESTAMP_LTZ is read in the session's zone: it becomes a wall-clock reading first, and an instant again afterwards.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import polars as pl

from yeoul.engine.compile.arithmetic import shifted_months, shifted_time
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import checked
from yeoul.engine.compile.formatted_times import parsed, parsed_by_format
from yeoul.engine.compile.java_times import lenient_pattern
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.engine.compile.patterns import chrono_pattern
from yeoul.engine.compile.readings import plain_timestamp, text_to_date, text_to_timestamp, to_instant, to_zone
from yeoul.engine.compile.text import literal_text
from yeoul.engine.compile.written_times import FORMATTER, SIMPLE_FORMAT, written
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.types import DataType, Kind, timestamp, timestamp_ltz

__all__ = ["TEMPORAL"]

_SECOND_FORMAT = "%Y-%m-%d %H:%M:%S"
_JAVA_SECONDS = "yyyy-MM-dd HH:mm:ss"
_UNIT_MS = {
    "MILLISECOND": 1,
    "SECOND": 1_000,
    "MINUTE": 60_000,
    "HOUR": 3_600_000,
    "DAY": 86_400_000,
    "WEEK": 7 * 86_400_000,
}
_KNOWN_MS = (-62_167_219_200_000, 253_402_300_799_999)
"""The years 0 to 9999: Flink has no moments beyond."""
_UNIT_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12, "DECADE": 120, "CENTURY": 1_200, "MILLENNIUM": 12_000}
_TRUNCATION = {
    "MILLISECOND": "1ms", "SECOND": "1s", "MINUTE": "1m", "HOUR": "1h", "DAY": "1d",
    "MONTH": "1mo", "QUARTER": "1q", "YEAR": "1y",
}  # fmt: skip
_LONG_UNITS = {"DECADE": (10, 0), "CENTURY": (100, 1), "MILLENNIUM": (1_000, 1)}
"""How many years a unit has, and the year in which one of them begins."""


def _unit(site: Site, index: int, known: Mapping[str, object]) -> str:
    name = literal_text(site, index, "The unit").upper().removeprefix("SQL_TSI_")
    if name not in known:
        raise UserError(f"Unknown unit {name!r} in {site.text}", hint=did_you_mean(name, known), span=site.call.span)
    return name


def _wall(operand: pl.Expr, type: DataType, site: Site) -> pl.Expr:
    return to_zone(operand, site.context.time_zone) if type.kind is Kind.TIMESTAMP_LTZ else operand


# ---- parts ------------------------------------------------------------


def _of_interval(unit: str) -> Callable[[pl.Expr], pl.Expr] | None:
    """A field of a day-time interval; each but the greatest wraps round."""
    sizes: dict[str, tuple[int, int | None]] = {
        "DAY": (86_400_000, None),
        "HOUR": (3_600_000, 24),
        "MINUTE": (60_000, 60),
        "SECOND": (1_000, 60),
        "MILLISECOND": (1, 1_000),
    }
    if unit not in sizes:
        return None
    size, wrap = sizes[unit]

    def part(interval: pl.Expr) -> pl.Expr:
        whole = interval.dt.total_milliseconds().truncdiv(size)
        return whole if wrap is None else whole - whole.truncdiv(wrap) * wrap

    return part


_PARTS: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
    "YEAR": lambda t: t.dt.year(),
    "QUARTER": lambda t: t.dt.quarter(),
    "MONTH": lambda t: t.dt.month(),
    "WEEK": lambda t: t.dt.week(),
    "DAY": lambda t: t.dt.day(),
    "DOY": lambda t: t.dt.ordinal_day(),
    "DOW": lambda t: t.dt.weekday() % 7 + 1,
    "ISODOW": lambda t: t.dt.weekday(),
    "ISOYEAR": lambda t: t.dt.iso_year(),
    "DECADE": lambda t: t.dt.year().floordiv(10),
    "CENTURY": lambda t: t.dt.century(),
    "MILLENNIUM": lambda t: t.dt.millennium(),
    "HOUR": lambda t: t.dt.hour(),
    "MINUTE": lambda t: t.dt.minute(),
    "SECOND": lambda t: t.dt.second(),
    "MILLISECOND": lambda t: t.dt.millisecond(),
    "MICROSECOND": lambda t: t.dt.microsecond(),
    "NANOSECOND": lambda t: t.dt.nanosecond(),
    "EPOCH": lambda t: t.cast(pl.Datetime("ms")).dt.epoch("s"),
}
_CLOCK = frozenset({"HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "NANOSECOND"})


def _part(site: Site, unit: str, operand: pl.Expr, type: DataType) -> pl.Expr:
    part: Callable[[pl.Expr], pl.Expr] | None = _PARTS[unit]
    if type.kind is Kind.INTERVAL_DAY_TIME:
        part = _of_interval(unit)
    elif type.kind is Kind.INTERVAL_YEAR_MONTH:
        months: dict[str, Callable[[pl.Expr], pl.Expr]] = {
            "YEAR": lambda each: each.truncdiv(12),
            "MONTH": lambda each: each - each.truncdiv(12) * 12,
        }
        part = months.get(unit)
    elif type.kind is Kind.TIME and unit not in _CLOCK:
        part = None
    elif type.kind is Kind.DATE and unit in _CLOCK:
        return pl.when(operand.is_not_null()).then(pl.lit(0, dtype=pl.Int64))
    if part is None:
        raise UserError(f"{type.or_null()} has no {unit}, in {site.text}", span=site.call.span)
    source = operand if unit == "EPOCH" and type.kind is Kind.TIMESTAMP_LTZ else _wall(operand, type, site)
    if unit == "EPOCH":
        return source.dt.replace_time_zone(None).dt.epoch("s") if type.is_timestamp else part(source)
    return part(source).cast(pl.Int64)


def _extract(site: Site) -> pl.Expr:
    return _part(site, _unit(site, 0, _PARTS), site.args[1], site.types[1])


def _named_part(unit: str) -> Lowering:
    return lambda site: _part(site, unit, site.args[0], site.types[0])


# ---- rounding -----------------------------------------------------------


def _floor(operand: pl.Expr, unit: str) -> pl.Expr:
    """The start of the unit; weeks start on Sunday, as FLOOR(t TO WEEK) does in Flink."""
    if unit == "WEEK":
        return operand.dt.offset_by("1d").dt.truncate("1w").dt.offset_by("-1d")
    if unit in _LONG_UNITS:
        years, first = _LONG_UNITS[unit]
        year = (operand.dt.year() - first).floordiv(years) * years + first
        start = pl.date(year, 1, 1)
        return pl.when(operand.is_not_null()).then(start)
    return operand.dt.truncate(_TRUNCATION[unit])


def _rounded(*, up: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        unit = _unit(site, 1, {**_TRUNCATION, "WEEK": "1w", **_LONG_UNITS})
        operand, type = site.args[0], site.types[0]
        if type.kind is Kind.TIME:
            return _rounded_time(site, unit, up=up)
        if type.kind is Kind.DATE and unit in ("HOUR", "MINUTE", "SECOND", "MILLISECOND"):
            return operand
        wall = _wall(operand, type, site)
        floor = _floor(wall, unit)
        if unit in _LONG_UNITS:
            wall_type = timestamp(type.precision or 0) if type.is_timestamp else type
            floor = floor.cast(polars_dtype(wall_type))
        result = floor
        if up:
            step = "1w" if unit == "WEEK" else _TRUNCATION.get(unit) or f"{_LONG_UNITS[unit][0]}y"
            result = pl.when(floor == wall).then(wall).otherwise(floor.dt.offset_by(step))
        return to_instant(result, site.context.time_zone) if type.kind is Kind.TIMESTAMP_LTZ else result

    return lower


def _rounded_time(site: Site, unit: str, *, up: bool) -> pl.Expr:
    if unit not in _UNIT_MS or unit in ("DAY", "WEEK"):
        raise UserError(f"{site.types[0].or_null()} has no {unit}, in {site.text}", span=site.call.span)
    size = _UNIT_MS[unit] * 1_000_000
    ticks = site.args[0].cast(pl.Int64) + (size - 1 if up else 0)
    return (ticks.floordiv(size) * size % 86_400_000_000_000).cast(pl.Time)


# ---- distances ------------------------------------------------------------


def _timestampadd(site: Site) -> pl.Expr:
    unit = _unit(site, 0, {**_UNIT_MS, **_UNIT_MONTHS})
    amount, operand, type = site.args[1].cast(pl.Int64), site.args[2], site.types[2]
    if unit in _UNIT_MONTHS:
        wall = _wall(operand, type, site)
        moved = wall.dt.offset_by(pl.format("{}mo", amount * _UNIT_MONTHS[unit]))
        return to_instant(moved, site.context.time_zone) if type.kind is Kind.TIMESTAMP_LTZ else moved
    if type.kind is Kind.DATE:
        return (operand.cast(pl.Int32) + (amount * (_UNIT_MS[unit] // 86_400_000)).cast(pl.Int32)).cast(pl.Date)
    dtype = site.dtype
    assert isinstance(dtype, pl.Datetime)
    return operand + (amount * _UNIT_MS[unit]).cast(pl.Duration("ms")).cast(pl.Duration(dtype.time_unit))


def _on_first_day(clock: pl.Expr) -> pl.Expr:
    """A time of day as a point in time, all on one day."""
    return clock.cast(pl.Int64).floordiv(1_000).cast(pl.Datetime("us"))


def _timestampdiff(site: Site) -> pl.Expr:
    """Whole units from the first to the second, cut towards zero."""
    unit = _unit(site, 0, {**_UNIT_MS, **_UNIT_MONTHS})
    if unit in _UNIT_MS:
        start, end = _points(site, as_instants=True)
        return (
            (end - start).dt.total_microseconds().truncdiv(_UNIT_MS[unit] * 1_000).cast(pl.Int32, wrap_numerical=True)
        )
    start, end = _points(site)
    return _months_between(start, end, _UNIT_MONTHS[unit])


def _points(site: Site, *, as_instants: bool = False) -> tuple[pl.Expr, pl.Expr]:
    """The two points in time behind a unit, as readings of a clock; as instants if they are and that is wanted."""
    if as_instants and site.types[1].kind is site.types[2].kind is Kind.TIMESTAMP_LTZ:
        return site.args[1].cast(pl.Datetime("us", "UTC")), site.args[2].cast(pl.Datetime("us", "UTC"))
    first, second = (
        _on_first_day(operand) if type.kind is Kind.TIME else _wall(operand, type, site).cast(pl.Datetime("us"))
        for operand, type in zip(site.args[1:], site.types[1:], strict=True)
    )
    return first, second


def _interval_between(site: Site) -> pl.Expr:
    """(a - b) unit: the months, or the milliseconds, from b to a."""
    if site.call.type.kind is Kind.INTERVAL_YEAR_MONTH:
        end, start = _points(site)
        return _months_between(start, end, 1)
    end, start = _points(site, as_instants=True)
    return (end - start).cast(pl.Duration("ms"))


def _months_between(start: pl.Expr, end: pl.Expr, size: int) -> pl.Expr:
    """Whole units of so many months from the first to the second, cut towards zero."""
    early, late = pl.min_horizontal(start, end), pl.max_horizontal(start, end)
    months = (late.dt.year() - early.dt.year()) * 12 + late.dt.month().cast(pl.Int32) - early.dt.month().cast(pl.Int32)
    known = pl.when(start.is_not_null() & end.is_not_null()).then(months)
    over = early.dt.offset_by(pl.format("{}mo", known)) > late  # the last of a month counts as the last of any
    whole = (known - over.cast(pl.Int32)).truncdiv(size)
    return pl.when(end >= start).then(whole).otherwise(-whole).cast(pl.Int32)


def _end(site: Site, start: pl.Expr, end: pl.Expr, index: int) -> pl.Expr:
    """The end of a stretch given as (start, end) or as (start, interval)."""
    point, kind = site.types[index], site.types[index + 1].kind
    if kind is Kind.INTERVAL_YEAR_MONTH:
        return shifted_months(start, end, point)
    return shifted_time(start, end, point, site.text) if kind is Kind.INTERVAL_DAY_TIME else end


def _overlaps(site: Site) -> pl.Expr:
    a, c = site.args[0], site.args[2]
    b, d = (_end(site, start, end, index) for start, end, index in ((a, site.args[1], 0), (c, site.args[3], 2)))
    return (pl.max_horizontal(a, b) >= pl.min_horizontal(c, d)) & (pl.max_horizontal(c, d) >= pl.min_horizontal(a, b))


# ---- text -------------------------------------------------------------------


def _reader(site: Site) -> Callable[[pl.Series], pl.Series] | None:
    """What reads strings by the format; None if that is left out."""
    if len(site.args) < 2:
        return None
    java = literal_text(site, 1, "The format")
    chrono = chrono_pattern(java, site.call.span).replace("%-", "%")
    _check_readable(java, chrono, site)
    return lambda texts: parsed_by_format(texts, java, chrono)


def _check_readable(java: str, chrono: str, site: Site) -> None:
    try:
        parsed(pl.Series([""]), chrono)
    except pl.exceptions.ComputeError:
        raise UserError(
            f"No time can be read by the format {java!r} of {site.text}",
            hint="h and K want a beside them, and a wants one of them",
            span=site.call.span,
        ) from None


def _to_date(site: Site) -> pl.Expr:
    if len(site.args) == 1:
        return checked([site.args[0]], text_to_date, pl.Date())
    pattern = lenient_pattern(literal_text(site, 1, "The format"), site.call.span)
    return checked([site.args[0]], lambda texts: pattern.read(texts)[0].dt.date(), pl.Date())


def _to_timestamp(site: Site) -> pl.Expr:
    by_format = _reader(site)

    def read(column: pl.Series) -> pl.Series:
        if by_format is None:
            return text_to_timestamp(column, timestamp(3), "UTC")
        found = by_format(column)
        missed = found.null_count() > column.null_count()
        return found.fill_null(plain_timestamp(column, "ms")) if missed else found

    return checked([site.args[0]], read, pl.Datetime("ms"))


def _to_timestamp_ltz(site: Site) -> pl.Expr:
    if site.types[0].kind is Kind.STRING:
        by_format = _reader(site)
        zone = literal_text(site, 2, "The zone") if len(site.args) > 2 else "UTC"
        _check_zone(zone, site)
        if by_format is None:
            return checked(
                [site.args[0]],
                lambda column: text_to_timestamp(column, timestamp_ltz(3), zone),
                pl.Datetime("ms", "UTC"),
            )
        wall = checked([site.args[0]], by_format, pl.Datetime("ms"))
        return to_instant(wall, zone)
    precision = site.constant(1) if len(site.args) > 1 else 3
    if not isinstance(precision, int) or not 0 <= precision <= 9:
        raise UserError(
            f"The second argument of {site.text} must be a literal from 0 (seconds) over 3 (milliseconds) to 9",
            span=site.call.span,
        )
    number = site.args[0]
    if site.types[0].kind is Kind.DECIMAL:
        number = number.cast(pl.Int128).cast(pl.Int64)
    if precision not in (0, 3):
        dtype = site.dtype
        assert isinstance(dtype, pl.Datetime)
        have = {"ms": 3, "us": 6, "ns": 9}[dtype.time_unit]
        scaled = number.cast(pl.Int64) * int(10 ** (have - precision))
        return scaled.cast(pl.Datetime(dtype.time_unit)).dt.replace_time_zone("UTC")
    if site.types[0].is_float:
        number = number.cast(pl.Float64)
    if precision == 0 and site.types[0].is_float:
        number, precision = number * 1_000, 3
    number = number.cast(pl.Int64, strict=False)
    ticks = number if precision == 3 else number * 1_000
    least, most = _KNOWN_MS if precision == 3 else (one // 1_000 for one in _KNOWN_MS)
    known = pl.when(number.is_between(least, most)).then(ticks)
    return known.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")


def _check_zone(zone: str, site: Site) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UserError(
            f"Unknown time zone {zone!r} in {site.text}",
            hint="Write an IANA name, such as 'Asia/Seoul' or 'UTC'.",
            span=site.call.span,
        ) from None


def _date_format(site: Site) -> pl.Expr:
    """A time as DateTimeFormatter writes it; a string is read and written as SimpleDateFormat does."""
    java = literal_text(site, 1, "The format")
    if site.types[0].kind is Kind.STRING:
        read = lenient_pattern(_JAVA_SECONDS).read
        wall = checked([site.args[0]], lambda texts: read(texts)[0], pl.Datetime("ms"))
        return written(wall.dt.replace_time_zone("UTC"), java, SIMPLE_FORMAT, site.call.span)
    wall = _wall(site.args[0], site.types[0], site)
    if site.types[0].kind is Kind.DATE:
        wall = wall.cast(pl.Datetime("ms"))
    elif site.types[0].kind is Kind.TIME:
        wall = _on_first_day(wall)
    return written(wall, java, FORMATTER, site.call.span)


def _from_unixtime(site: Site) -> pl.Expr:
    """Seconds written as SimpleDateFormat does, which knows the zone."""
    java = literal_text(site, 1, "The format") if len(site.args) > 1 else _JAVA_SECONDS
    instant = (site.args[0].cast(pl.Int64) * 1_000).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    return written(instant.dt.convert_time_zone(site.context.time_zone), java, SIMPLE_FORMAT, site.call.span)


def _unix_timestamp(site: Site) -> pl.Expr:
    if not site.args:
        return _now(site, lambda clock: clock.astimezone(datetime.UTC), pl.Datetime("ms", "UTC")).dt.epoch("s")
    pattern = lenient_pattern(
        literal_text(site, 1, "The format") if len(site.args) > 1 else _JAVA_SECONDS, site.call.span
    )
    zone, is_plain = site.context.time_zone, len(site.args) == 1

    def read(texts: pl.Series) -> pl.Series:
        wall = texts.str.to_datetime(_SECOND_FORMAT, time_unit="ms", strict=False) if is_plain else None
        offset = pl.Series([None], dtype=pl.Int64)
        if wall is None or wall.null_count() > texts.null_count():
            wall, offset = pattern.read(texts)
        there = to_instant(pl.col("wall"), zone, ambiguous="latest").dt.epoch("ms")
        with_offset = pl.col("wall").dt.epoch("ms") - pl.col("offset")
        ticks = pl.DataFrame({"wall": wall}).with_columns(offset=offset).select(pl.coalesce(with_offset, there))
        return ticks.to_series() // 1_000

    seconds = checked([site.args[0]], read, pl.Int64())
    return pl.when(site.args[0].is_not_null()).then(seconds.fill_null(-(1 << 63)))


def _convert_tz(site: Site) -> pl.Expr:
    source, target = literal_text(site, 1, "The zone"), literal_text(site, 2, "The zone")
    _check_zone(source, site)
    _check_zone(target, site)
    wall = checked([site.args[0]], lambda column: parsed(column, _SECOND_FORMAT), pl.Datetime("ms"))
    return to_zone(to_instant(wall, source), target).dt.strftime(_SECOND_FORMAT)


# ---- now --------------------------------------------------------------------


def _now(site: Site, value: Callable[[datetime.datetime], object], dtype: pl.DataType) -> pl.Expr:
    """One reading of the clock for each batch, in the session's zone."""
    clock, zone = site.context.clock, ZoneInfo(site.context.time_zone)

    def read(_: pl.Series) -> pl.Series:
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=clock.now_ms())
        return pl.Series("now", [value(moment.astimezone(zone))], dtype=dtype)

    return checked([pl.lit(0)], read, dtype)


def _current_instant(site: Site) -> pl.Expr:
    return _now(site, lambda moment: moment.astimezone(datetime.UTC), pl.Datetime("ms", "UTC"))


TEMPORAL: Mapping[str, Lowering] = {
    "extract": _extract,
    "year": _named_part("YEAR"),
    "quarter": _named_part("QUARTER"),
    "month": _named_part("MONTH"),
    "week": _named_part("WEEK"),
    "dayofyear": _named_part("DOY"),
    "dayofmonth": _named_part("DAY"),
    "dayofweek": _named_part("DOW"),
    "hour": _named_part("HOUR"),
    "minute": _named_part("MINUTE"),
    "second": _named_part("SECOND"),
    "interval_between": _interval_between,
    "floor_to": _rounded(up=False),
    "ceil_to": _rounded(up=True),
    "timestampadd": _timestampadd,
    "timestampdiff": _timestampdiff,
    "overlaps": _overlaps,
    "to_date": _to_date,
    "to_timestamp": _to_timestamp,
    "to_timestamp_ltz": _to_timestamp_ltz,
    "date_format": _date_format,
    "from_unixtime": _from_unixtime,
    "unix_timestamp": _unix_timestamp,
    "convert_tz": _convert_tz,
    "current_timestamp": _current_instant,
    "proctime": _current_instant,
    "localtimestamp": lambda site: _now(site, lambda moment: moment.replace(tzinfo=None), pl.Datetime("ms")),
    "current_date": lambda site: _now(site, lambda moment: moment.date(), pl.Date()),
    "localtime": lambda site: _now(site, lambda moment: moment.time().replace(microsecond=0), pl.Time()),
}
