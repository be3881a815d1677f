"""Dates and times of day in the two spellings that Flink's JSON format knows, as counts since 1970.

`SQL`: `2024-01-31 10:00:00[.f]`; `ISO-8601`: `2024-01-31T10:00[:00[.f]]`; a TIMESTAMP_LTZ ends in `Z`. Digits beyond
the column's precision are cut. The calendar is strict: 2023-02-29 is refused.
"""

from __future__ import annotations

import numpy as np

from yeoul.kernels.json.numbers import POWERS
from yeoul.kernels.machine import compiled, load_u8

SQL, ISO = 0, 1
_MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


@compiled
def _pair(p):
    """Returns the two digits at p as a number; more than 99 if they are not digits."""
    tens = load_u8(p) - 48
    ones = load_u8(p + 1) - 48
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return 1000
    return tens * 10 + ones


@compiled
def read_date(p, end):
    """Reads `yyyy-MM-dd`; returns (address after it or 0, days since 1970-01-01)."""
    if p + 10 > end or load_u8(p + 4) != 45 or load_u8(p + 7) != 45:
        return 0, 0
    century, year, month, day = _pair(p), _pair(p + 2), _pair(p + 5), _pair(p + 8)
    if century > 99 or year > 99 or month < 1 or month > 12 or day < 1 or day > _MONTH_DAYS[np.uint64(month)]:
        return 0, 0
    year += century * 100
    if month == 2 and day == 29 and (year % 4 != 0 or (year % 100 == 0 and year % 400 != 0)):
        return 0, 0
    year -= month <= 2
    era = (year + 400) // 400 - 1
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return p + 10, era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


@compiled
def read_time(p, end, style):
    """Reads `HH:mm:ss[.fffffffff]`; returns (address after it or 0, nanoseconds since midnight)."""
    if p + 5 > end or load_u8(p + 2) != 58:
        return 0, 0
    hour, minute = _pair(p), _pair(p + 3)
    if hour > 23 or minute > 59:
        return 0, 0
    seconds = hour * 3600 + minute * 60
    p += 5
    if p + 3 > end or load_u8(p) != 58:
        return (p if style == ISO else 0), seconds * 1_000_000_000
    second = _pair(p + 1)
    if second > 59:
        return 0, 0
    p += 3
    nanos = (seconds + second) * 1_000_000_000
    if p < end and load_u8(p) == 46:
        p += 1
        first = p
        fraction = 0
        while p < end and p - first < 9:
            digit = load_u8(p) - 48
            if digit < 0 or digit > 9:
                break
            fraction = fraction * 10 + digit
            p += 1
        if p == first:
            return 0, 0
        nanos += fraction * POWERS[np.uint64(9 - (p - first))]
    return p, nanos


@compiled
def read_timestamp(p, end, style, zoned, precision):
    """Reads a timestamp that ends exactly at `end`.

    Args:
        p: Its first byte.
        end: Its end.
        style: SQL or ISO.
        zoned: 1 if it must end in Z.
        precision: Digits of a second that count (0 to 9).

    Returns:
        (1 or 0 for well-formed or not, the count of 10**-u seconds since 1970 with u = 3, 6 or 9, the least that holds
        the precision).
    """
    p, days = read_date(p, end)
    if p == 0 or p >= end or load_u8(p) != (84 if style == ISO else 32):
        return 0, 0
    p, nanos = read_time(p + 1, end, style)
    if p == 0 or p + zoned != end or (zoned and load_u8(p) != 90):
        return 0, 0
    nanos -= nanos % POWERS[np.uint64(9 - precision)]
    unit = 3 if precision <= 3 else (6 if precision <= 6 else 9)
    if unit == 9 and (days > 106750 or days < -106750):
        return 0, 0
    return 1, days * 86400 * POWERS[np.uint64(unit)] + nanos // POWERS[np.uint64(9 - unit)]
