"""Times as text, by a pattern of Java's letters: most of them by chrono, the rest computed and put between.

Java has two languages of patterns, alike but for some letters: DateTimeFormatter's, which DATE_FORMAT takes, and
SimpleDateFormat's, which FROM_UNIXTIME takes. Weeks are those of the United States: they begin on Sunday, and the one
with January 1 in it is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.compile.patterns import chrono_words, pattern_words
from yeoul.errors import Span

__all__ = ["FORMATTER", "SIMPLE_FORMAT", "written"]

Part = Callable[[pl.Expr], pl.Expr]
"""Gives the number or the text that stands for a letter."""

_FINEST = {"1s": ("S", "-S"), "1m": ("M", "-M"), "1h": ("H", "-H", "I", "-I", "p")}
"""The letters of a pattern that show a unit; all others show days, or longer."""
_FINEST_MS = {"1s": 1_000, "1m": 60_000, "1h": 3_600_000, "1d": 86_400_000}


def _saturday(times: pl.Expr) -> pl.Expr:
    """The last day of a time's week: it says which week of which year it is."""
    return times.dt.date() + pl.duration(days=6 - times.dt.weekday() % 7)


def _week_of_month(times: pl.Expr) -> pl.Expr:
    """Which week of its month it is, from 1; the first begins with the month."""
    days = times.dt.day().cast(pl.Int32) - 1
    first_weekday = (times.dt.weekday().cast(pl.Int32) - days) % 7  # Sunday is 0
    return (days + first_weekday) // 7 + 1


_BOTH: dict[str, Part] = {
    "W": _week_of_month,
    "w": lambda times: (_saturday(times).dt.ordinal_day().cast(pl.Int32) - 1) // 7 + 1,
    "Y": lambda times: _saturday(times).dt.year(),
    "k": lambda times: (times.dt.hour().cast(pl.Int32) + 23) % 24 + 1,
    "K": lambda times: times.dt.hour() % 12,
}
FORMATTER: Mapping[str, Part] = _BOTH | {
    "Q": lambda times: times.dt.quarter(),
    "e": lambda times: times.dt.weekday() % 7 + 1,
    "F": lambda times: (times.dt.day() - 1) % 7 + 1,
}
"""What chrono does not know of DateTimeFormatter's letters."""
_ERAS = {"GGGG": ("Anno Domini", "Before Christ"), "GGGGG": ("A", "B")}
SIMPLE_FORMAT: Mapping[str, Part] = _BOTH | {
    "u": lambda times: times.dt.weekday(),
    "F": lambda times: (times.dt.day() - 1) // 7 + 1,
}
"""What chrono does not know of SimpleDateFormat's, or knows as something else; besides, it shows the zone."""
_NOT_OF_FORMATTER = frozenset({"WW", "FF"})
_OFFSETS: Mapping[str, tuple[str, int]] = {"Z": ("%z", 5), "X": ("%:z", 3), "XX": ("%z", 5), "XXX": ("%:z", 6)}
"""An offset from UTC, how chrono writes it and how much of that is shown; with X it is `Z` where there is none."""


def written(times: pl.Expr, java: str, letters: Mapping[str, Part], span: Span | None) -> pl.Expr:
    """Returns times as text.

    Args:
        times: Points in time; with a zone, its offset can be shown.
        java: The pattern.
        letters: Those that are computed, but for offsets.
        span: Where the pattern stands in a statement.

    Raises:
        UserError: A letter that is not known.
    """
    has_zone = letters is SIMPLE_FORMAT
    known = {*letters, "G", *(_OFFSETS if has_zone else ())}
    wall = times.dt.replace_time_zone(None) if has_zone else times
    pieces: list[pl.Expr] = []
    plain: list[tuple[str, str]] = []
    for kind, word in pattern_words(java):
        is_computed = word[0] in (*letters, "G") and (has_zone or word not in _NOT_OF_FORMATTER)
        if kind == "letter" and (is_computed or (has_zone and word in _OFFSETS)):
            pieces += [_by_chrono(wall, chrono_words(plain, java, span, known))] if plain else []
            pieces.append(_piece(times, wall, word, letters))
            plain = []
        else:
            plain.append((kind, word))
    if plain or not pieces:
        pieces.append(_by_chrono(wall, chrono_words(plain, java, span, known)))
    return pieces[0] if len(pieces) == 1 else pl.concat_str(pieces)


def _piece(times: pl.Expr, wall: pl.Expr, word: str, letters: Mapping[str, Part]) -> pl.Expr:
    if word in _OFFSETS:
        return _offset(times, word)
    return _era(wall, word, letters) if word[0] == "G" else _number(letters[word[0]](wall), word)


def _era(wall: pl.Expr, word: str, letters: Mapping[str, Part]) -> pl.Expr:
    after, before = ("AD", "BC") if letters is SIMPLE_FORMAT else _ERAS.get(word, ("AD", "BC"))
    return pl.when(wall.dt.year() > 0).then(pl.lit(after)).when(wall.is_not_null()).then(pl.lit(before))


def _offset(times: pl.Expr, word: str) -> pl.Expr:
    chrono, length = _OFFSETS[word]
    shown = times.dt.strftime(chrono).str.head(length)
    return shown if word == "Z" else pl.when(times.dt.strftime("%z") == "+0000").then(pl.lit("Z")).otherwise(shown)


def _number(value: pl.Expr, word: str) -> pl.Expr:
    shown = value % 100 if word == "YY" else value
    return shown.cast(pl.String).str.zfill(len(word))


def _by_chrono(times: pl.Expr, chrono: str) -> pl.Expr:
    """Neighbours that a pattern does not tell apart, as event times often are, are written once for all."""
    finest = next((unit for unit, letters in _FINEST.items() if any(f"%{one}" in chrono for one in letters)), "1d")

    def write(column: pl.Series) -> pl.Series:
        starts, sizes = _alike(column, finest)
        if len(starts) > len(column) // 2:
            return column.dt.strftime(chrono)
        texts = column[starts].dt.strftime(chrono)
        if len(starts) == 1:
            return texts.new_from_index(0, len(column))
        return texts[np.repeat(np.arange(len(starts), dtype=np.uint32), sizes)]

    has_fraction = "f" in chrono.replace("%%", "")
    return times.dt.strftime(chrono) if has_fraction else times.map_batches(write, pl.String(), is_elementwise=True)


def _alike(times: pl.Series, unit: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns where runs of neighbours of one unit of time begin, and their lengths; NULLs are a unit of their own."""
    assert isinstance(times.dtype, pl.Datetime)
    ticks = _FINEST_MS[unit] * {"ms": 1, "us": 1_000, "ns": 1_000_000}[times.dtype.time_unit]
    values = times.to_physical().fill_null(np.iinfo(np.int64).min).to_numpy()
    if len(values) and values.min() // ticks == values.max() // ticks:
        return np.zeros(1, np.int64), np.array([len(values)])
    begins = np.ones(len(values), np.bool_)
    begins[1:] = np.diff(values // ticks) != 0
    starts = np.flatnonzero(begins)
    return starts, np.diff(starts, append=len(values))
