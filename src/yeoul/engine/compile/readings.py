"""Dates and times out of strings, and wall clocks in zones.

The common spelling is tried on the whole column first; only if a value is left over are the rarer ones tried.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from yeoul.engine.compile.dtypes import TimeUnit, time_unit
from yeoul.plan.types import DataType, Kind

__all__ = ["plain_timestamp", "text_to_date", "text_to_time", "text_to_timestamp", "to_instant", "to_zone"]

_TIMESTAMP_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_LATE_DAY = r"^(\d{1,4}-\d{1,2})-(0?[1-9]|[12]\d|3[01])((?: .*)?)$"


def to_zone(instant: pl.Expr, zone: str) -> pl.Expr:
    """Returns the wall-clock reading of an instant in a zone."""
    if zone == "UTC":
        return instant.dt.replace_time_zone(None)
    return instant.dt.convert_time_zone(zone).dt.replace_time_zone(None)


def to_instant(wall: pl.Expr, zone: str, *, ambiguous: Literal["earliest", "latest"] = "earliest") -> pl.Expr:
    """Returns the instant of a wall-clock reading in a zone.

    A reading that occurs twice is the earlier, if not said otherwise; one that the clocks skip is moved forward by the
    gap, as Java does.
    """
    if zone == "UTC":
        return wall.dt.replace_time_zone("UTC")

    def placed(reading: pl.Expr) -> pl.Expr:
        local = reading.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")
        return local.dt.convert_time_zone("UTC")

    day_before = placed(wall.dt.offset_by("-1d")).dt.offset_by("24h")
    return pl.coalesce(placed(wall), day_before)


def text_to_date(column: pl.Series) -> pl.Series:
    """Reads yyyy-MM-dd, also before a time; NULL for anything else."""
    plain = column.str.to_date("%Y-%m-%d", strict=False)
    if plain.null_count() == column.null_count():
        return _of_our_era(plain)
    words = column.str.strip_chars(" ").str.extract(r"^(\d{1,4}(?:-\d{1,2}){0,2})(?:[ T].*)?$", 1)
    dashes = words.str.count_matches("-", literal=True)
    short = {0: "-01-01", 1: "-01", 2: ""}
    whole = words + dashes.replace_strict(list(short), list(short.values()), default=None, return_dtype=pl.String)
    return _of_our_era(whole.str.to_date("%Y-%m-%d", strict=False))


def _of_our_era(days: pl.Series) -> pl.Series:
    """Years 1 to 9999; others are no dates."""
    outside = (days.dt.year() < 1) | (days.dt.year() > 9999)
    return days.set(outside, None) if outside.any() else days


def text_to_time(column: pl.Series) -> pl.Series:
    """Reads HH[:mm[:ss[.fraction]]]; NULL for anything else."""
    words = column.str.strip_chars(" ")
    full = words.str.to_time("%H:%M:%S%.f", strict=False)
    if full.null_count() == column.null_count():
        return full
    shorter = words.str.replace(r"^([0-9]{1,2})$", "${1}:00").str.to_time("%H:%M", strict=False)
    return full.fill_null(shorter)


def text_to_timestamp(column: pl.Series, target: DataType, zone: str) -> pl.Series:
    """Reads yyyy-MM-dd[ |T]HH:mm[:ss[.fraction]] or a date; with a trailing Z only if the target is an instant."""
    unit = time_unit(target.precision)
    local = target.kind is Kind.TIMESTAMP_LTZ
    wall = column.str.to_datetime(_TIMESTAMP_FORMATS[0], time_unit=unit, strict=False)
    if wall.null_count() > column.null_count():
        wall = _in_any_spelling(column, unit)
    wall = _cut_to(wall, target.precision or 0, unit)
    if not local:
        return wall
    result = wall.to_frame("a").select(to_instant(pl.col("a"), zone)).to_series()
    if result.null_count() > column.null_count() and column.str.ends_with("Z").any():
        without = column.str.strip_suffix("Z").filter(column.str.ends_with("Z"))
        instants = _cut_to(_in_any_spelling(without, unit), target.precision or 0, unit).dt.replace_time_zone("UTC")
        result = result.scatter(column.str.ends_with("Z").fill_null(False).arg_true(), instants)
    return result


def _in_any_spelling(column: pl.Series, unit: TimeUnit) -> pl.Series:
    words = column.str.strip_chars(" ").str.replace(r"^(\d{1,4}-\d{1,2}-\d{1,2})T", "$1 ")
    tries = [words.str.to_datetime(each, time_unit=unit, strict=False) for each in _TIMESTAMP_FORMATS]
    result = tries[0]
    for each in tries[1:]:
        result = result.fill_null(each) if result.null_count() else result
    return result.fill_null(_beyond_the_calendar(words, unit)) if result.null_count() > column.null_count() else result


_ANY_NUMBERS = r"^\s*(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,4}):(\d{1,4}):(\d{1,4})(?:\.(\d{1,9}))?\s*$"


def plain_timestamp(column: pl.Series, unit: TimeUnit) -> pl.Series:
    """Reads yyyy-MM-dd[ HH:mm:ss[.fraction]]; NULL for anything else.

    With a time it is as lenient as Java's Timestamp.valueOf: 25:61:00 is 02:01:00 of the next day, February 30 is in
    March.
    """
    with_time = column.str.to_datetime(_TIMESTAMP_FORMATS[0], time_unit=unit, strict=False)
    found = with_time.fill_null(column.str.to_datetime(_TIMESTAMP_FORMATS[-1], time_unit=unit, strict=False))
    return found if found.null_count() == column.null_count() else found.fill_null(_overflowing(column, unit))


def _overflowing(column: pl.Series, unit: TimeUnit) -> pl.Series:
    parts = column.str.extract_groups(_ANY_NUMBERS).struct.unnest()
    parts.columns = ["year", "month", "day", "hour", "minute", "second", "fraction"]
    numbers = parts.select(
        pl.all().exclude("fraction").cast(pl.Int64), pl.col("fraction").fill_null("").str.pad_end(9, "0").cast(pl.Int64)
    )
    is_day = pl.col("month").is_between(1, 12) & pl.col("day").is_between(1, 31)
    first = pl.when(is_day).then(pl.date(pl.col("year"), pl.when(is_day).then("month"), 1)).cast(pl.Datetime("ns"))
    hours = (pl.col("day") - 1) * 24 + pl.col("hour")
    seconds = (hours * 60 + pl.col("minute")) * 60 + pl.col("second")
    beyond = (seconds * 1_000_000_000 + pl.col("fraction")).cast(pl.Duration("ns"))
    return numbers.select(first + beyond).to_series().cast(pl.Datetime(unit))


def _beyond_the_calendar(words: pl.Series, unit: TimeUnit) -> pl.Series:
    """Reads a day up to 31 that the month does not have as its last, and 24:00:00 as the day after, as Java does."""
    parts = words.str.extract_groups(_LATE_DAY).struct.unnest()
    parts.columns = ["month", "day", "clock"]
    midnight = pl.col("clock").str.contains(r"^ 24:0?0:0?0(?:\.0*)?$")
    clock = pl.when(midnight).then(pl.lit(" 00:00:00")).when(pl.col("clock") == "").then(pl.lit(" 00:00:00"))
    first = pl.concat_str("month", pl.lit("-01"), clock.otherwise("clock")).str.to_datetime(
        _TIMESTAMP_FORMATS[0], time_unit=unit, strict=False
    )
    day = pl.min_horizontal(pl.col("day").cast(pl.Int64), first.dt.month_end().dt.day().cast(pl.Int64))
    days = day - 1 + midnight.cast(pl.Int64)
    return parts.select(first + pl.duration(days=days)).to_series().cast(pl.Datetime(unit))


def _cut_to(wall: pl.Series, digits: int, unit: TimeUnit) -> pl.Series:
    have = {"ms": 3, "us": 6, "ns": 9}[unit]
    if digits >= have:
        return wall
    step = 10 ** (have - digits)
    ticks: pl.Series = wall.cast(pl.Int64) // step * step
    return ticks.cast(pl.Datetime(unit))
