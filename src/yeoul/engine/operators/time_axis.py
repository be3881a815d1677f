"""The axis on which windows lie, and how far a watermark has come along it.

A TIMESTAMP row time is its own axis: milliseconds of its wall-clock reading. A TIMESTAMP_LTZ row time is an instant,
but its windows are cut in the session's local time zone, as Flink cuts them: an instant is read as local wall-clock
time, and `window_start` and `window_end` are such readings.

A local axis is not monotone. Where clocks are set back an hour of readings comes twice, and both passes fall into the
same windows; where they are set forward an hour of readings never comes. `passed` answers for both: it is the last
reading that no instant after the watermark can show. So a window that ends inside the repeated hour stays open until
the second pass is over, and a window that ends inside the skipped hour closes when the hour is skipped.

Offsets come from Polars' own zone tables and are looked up once a day of data: on the hot path a batch is shifted by
one constant. Two changes of offset within one UTC day are not provided for; no zone has made them.
"""

from __future__ import annotations

import polars as pl

from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME

__all__ = ["TimeAxis", "epoch_ms"]

_DAY_MS = 86_400_000
_MOST_DAYS = 32
_REACH_MS = 8_000_000_000_000_000
"""What a calendar can convert, either way from 1970; beyond lie only the two ends of time."""


def epoch_ms(times: pl.Series) -> pl.Series:
    """Returns a Datetime column as Int64 milliseconds since 1970 on its own axis."""
    is_ms = isinstance(times.dtype, pl.Datetime) and times.dtype.time_unit == "ms"
    return (times if is_ms else times.dt.cast_time_unit("ms")).cast(pl.Int64)


def _range_of(instants: pl.Series) -> tuple[int, int]:
    low, high = instants.min(), instants.max()
    return (low, high) if isinstance(low, int) and isinstance(high, int) else (0, 0)


class TimeAxis:
    """Converts between instants and readings of one zone; pure but for a cache.

    Args:
        zone: An IANA name such as `Europe/Berlin`; None for a TIMESTAMP row time, whose axis is its own.

    Example:
        >>> berlin = TimeAxis("Europe/Berlin")
        >>> berlin.passed(1_700_000_000_000) - 1_700_000_000_000
        3600000
        >>> TimeAxis(None).passed(17)
        17
    """

    def __init__(self, zone: str | None) -> None:
        self._zone = None if zone in (None, "UTC", "Etc/UTC", "Z") else zone
        self._dtype = pl.Datetime("ms") if zone is None else pl.Datetime("ms", "UTC")
        self._shifts: dict[int, int | None] = {}
        self._changes: dict[int, int] = {}

    def readings(self, times: pl.Series) -> pl.Series:
        """Returns the readings of a row-time column (Datetime) as Int64 milliseconds."""
        instants = epoch_ms(times)
        if self._zone is None or not len(instants):
            return instants
        shift = self._constant_shift(*_range_of(instants))
        return self._convert(instants) if shift is None else instants + shift

    def passed(self, watermark_ms: int) -> int:
        """Returns the last reading, in ms, that no instant after the watermark shows."""
        if self._zone is None or not -_REACH_MS < watermark_ms < _REACH_MS:
            return watermark_ms
        day = watermark_ms // _DAY_MS
        shift = self._shift_of(day)
        if shift is not None and shift == self._shift_of(day + 1):
            return watermark_ms + shift
        return int(self._passed_exactly(pl.Series([watermark_ms], dtype=pl.Int64))[0])

    def passed_each(self, watermarks: pl.Series) -> pl.Series:
        """Returns `passed` of every watermark of an Int64 column without nulls."""
        if self._zone is None or not len(watermarks):
            return watermarks
        known = watermarks.is_between(-_REACH_MS, _REACH_MS)
        low, high = _range_of(watermarks.filter(known))
        shift = self._constant_shift(low, high + _DAY_MS)
        local = self._passed_exactly(watermarks.clip(low, high)) if shift is None else watermarks + shift
        return local.zip_with(known, watermarks)

    def instant(self, reading_ms: int) -> int:
        """Returns the first watermark, in ms, that has passed a reading: of two such instants the later one."""
        if self._zone is None:
            return reading_ms
        low, high = reading_ms - _DAY_MS, reading_ms + _DAY_MS
        while low < high:
            middle = (low + high) // 2
            if self.passed(middle) >= reading_ms:
                high = middle
            else:
                low = middle + 1
        return low

    def shift_between(self, earliest_ms: int, latest_ms: int) -> int | None:
        """Returns the zone's offset in ms, if it is the same at all instants between two, else None."""
        return 0 if self._zone is None else self._constant_shift(earliest_ms, latest_ms)

    def row_times(self, readings: pl.Series) -> pl.Series:
        """Returns `instant` of every reading of an Int64 column, as row times again."""
        if self._zone is None:
            return readings.cast(self._dtype)
        known = readings.unique()
        instants = pl.Series([self.instant(reading) for reading in known.to_list()], dtype=pl.Int64)
        return readings.replace_strict(known, instants, return_dtype=pl.Int64).cast(self._dtype)

    def _constant_shift(self, low: int, high: int) -> int | None:
        """Returns the offset that holds from `low` to `high`, None where it changes or the way is long."""
        first, last = low // _DAY_MS, high // _DAY_MS
        if last - first >= _MOST_DAYS:
            return None
        shift = self._shift_of(first)
        return shift if all(self._shift_of(day) == shift for day in range(first + 1, last + 1)) else None

    def _shift_of(self, day: int) -> int | None:
        """Returns the offset that holds all through a UTC day, None on a day of change."""
        if day not in self._shifts:
            ends = pl.Series([day * _DAY_MS, (day + 1) * _DAY_MS - 1], dtype=pl.Int64)
            first, last = (self._convert(ends) - ends).to_list()
            self._shifts[day] = first if first == last else None
        return self._shifts[day]

    def _change_of(self, day: int) -> int:
        """Returns the instant of the change on a day of change."""
        if day not in self._changes:
            low, high = day * _DAY_MS, (day + 1) * _DAY_MS - 1
            before = self._shift_at(low)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._shift_at(middle) == before else (low, middle)
            self._changes[day] = high
        return self._changes[day]

    def _shift_at(self, instant: int) -> int:
        one = pl.Series([instant], dtype=pl.Int64)
        return int((self._convert(one) - one)[0])

    def _passed_exactly(self, watermarks: pl.Series) -> pl.Series:
        """The least reading of all instants after each watermark, less one."""
        following = watermarks + 1
        least = self._convert(following)
        days = (following // _DAY_MS).unique()
        for day in pl.concat([days, days + 1]).unique().to_list():
            if self._shift_of(day) is None:
                change = self._change_of(day)
                after = change + self._shift_at(change)
                capped = least.clip(upper_bound=after)
                least = capped.zip_with(following < change, least)
        return least - 1

    def _convert(self, instants: pl.Series) -> pl.Series:
        assert self._zone is not None
        zoned = instants.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC").dt.convert_time_zone(self._zone)
        return zoned.dt.replace_time_zone(None).cast(pl.Int64)


assert START_OF_TIME < -_REACH_MS < _REACH_MS < END_OF_TIME
