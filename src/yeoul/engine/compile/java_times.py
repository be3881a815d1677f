"""Times in strings as Java's SimpleDateFormat reads and writes them, which UNIX_TIMESTAMP and FROM_UNIXTIME go by.

It reads leniently: what follows the pattern in a string does not matter, numbers may have fewer digits than the pattern
has letters, and the 13th month is the first of the next year. Parts that a pattern lacks are those of 1970-01-01.

Source: https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/text/SimpleDateFormat.html
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.patterns import pattern_words
from yeoul.errors import Span, UserError

__all__ = ["LenientPattern", "lenient_pattern"]

_NUMBERS = {"y": "year", "u": "weekday", "M": "month", "d": "day", "D": "day", "S": "millisecond", "s": "second"} | {
    "m": "minute", "H": "hour", "k": "hour", "h": "hour", "K": "hour"
}  # fmt: skip
_MONTHS = [name.lower() for name in calendar.month_abbr[1:]]
_DAY_NAMES = "(?i:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH_NAMES = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_MONTH_NAMES = f"(?P<name>(?i:{_MONTH_NAMES}|{'|'.join(_MONTHS)}))"
_KNOWN = "Known: y M d D H h k K m s S a E G X Z"
_OFFSET = r"(?P<offset>Z|[+-]\d{2}:?(?:\d{2})?)"


@dataclass(frozen=True, slots=True)
class LenientPattern:
    """A pattern that strings are read by.

    Attributes:
        expression: Finds the parts at the beginning of a string, each in a group with its name.
        parts: The names of the groups.
        two_digits: Whether years below 100 lie in this century or the last.
        wraps_hour: Whether the hours are counted to twelve or from one, so that the last of them is 0.
    """

    expression: str
    parts: frozenset[str]
    two_digits: bool
    wraps_hour: int

    def read(self, texts: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Returns wall-clock readings, NULL where a string does not begin as the pattern says, and offsets from UTC.

        An offset is in milliseconds, NULL where the pattern or the string has none.
        """
        found = texts.str.extract_groups(self.expression).struct.unnest()
        parts = {name: found[name].cast(pl.Int64, strict=False) for name in self.parts - {"name", "half", "offset"}}
        given = pl.DataFrame(parts | {name: found[name] for name in self.parts & {"name", "half", "offset"}})
        known = pl.all_horizontal(pl.col(*self.parts).is_not_null())
        read = given.select(pl.when(known).then(self._wall()).alias("wall"), self._offset().alias("offset"))
        return read["wall"], read["offset"]

    def _wall(self) -> pl.Expr:
        year = self._part("year", 1970)
        if self.two_digits:
            year = pl.when(year < 70).then(year + 2000).when(year < 100).then(year + 1900).otherwise(year)
        month = self._part("month", 1) - 1
        if "name" in self.parts:
            month = pl.col("name").str.to_lowercase().str.head(3).replace_strict(_MONTHS, range(12), default=None)
        hour = self._part("hour", 0)
        hour = hour % self.wraps_hour if self.wraps_hour else hour
        if "half" in self.parts:
            hour += pl.when(pl.col("half").str.to_uppercase() == "PM").then(12).otherwise(0)
        first = pl.date((year + month.floordiv(12)).clip(0, 9_999), month % 12 + 1, 1).cast(pl.Datetime("ms"))
        days = self._part("day", 1) - 1
        minutes = (days * 24 + hour) * 60 + self._part("minute", 0)
        ticks = (minutes * 60 + self._part("second", 0)) * 1_000 + self._part("millisecond", 0)
        return first + ticks.cast(pl.Duration("ms"))

    def _part(self, name: str, missing: int) -> pl.Expr:
        return pl.col(name) if name in self.parts else pl.lit(missing, pl.Int64)

    def _offset(self) -> pl.Expr:
        if "offset" not in self.parts:
            return pl.lit(None, pl.Int64)
        digits = (
            pl.col("offset").str.replace_all(r"\D", "").str.pad_end(4, "0").cast(pl.Int64, strict=False).fill_null(0)
        )
        minutes = digits // 100 * 60 + digits % 100
        sign = pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
        return sign * minutes * 60_000


def lenient_pattern(java: str, span: Span | None = None) -> LenientPattern:
    """Returns what reads strings as SimpleDateFormat does with a pattern.

    Raises:
        UserError: A letter that is not known, or that says nothing of a time.

    Example:
        >>> wall, _ = lenient_pattern("yyyy-MM-dd").read(pl.Series(["2024-13-5 and more", "May"]))
        >>> wall.to_list()
        [datetime.datetime(2025, 1, 5, 0, 0), None]
    """
    words = pattern_words(java)
    parts: dict[str, str] = {}
    expression = "^"
    for place, (kind, word) in enumerate(words):
        follows = words[place + 1] if place + 1 < len(words) else ("text", "")
        if kind == "text":
            expression += re.escape(word)
        else:
            name, piece = _piece(word, packed=_is_number(follows), java=java, span=span)
            if name in parts:
                raise UserError(f"The format {java!r} has {name} twice", hint="Name each part once.", span=span)
            expression += piece
            parts |= {name: word} if name else {}
    if not parts:
        raise UserError(f"The format {java!r} has no part of a time", hint=_KNOWN, span=span)
    hour = parts.get("hour", "H")[0]
    return LenientPattern(
        expression,
        frozenset(parts),
        len(parts.get("year", "")) == 2,
        {"H": 0, "k": 24, "h": 12, "K": 12}[hour],
    )


def _is_number(word: tuple[str, str]) -> bool:
    kind, letters = word
    return kind == "letter" and letters[0] in _NUMBERS and not (letters[0] == "M" and len(letters) > 2)


def _piece(word: str, *, packed: bool, java: str, span: Span | None) -> tuple[str, str]:
    """Returns the part that letters stand for, and what finds it; digits that follow each other are counted."""
    letter = word[0]
    if letter == "M" and len(word) > 2:
        return "name", _MONTH_NAMES
    if letter == "E":
        return "", _DAY_NAMES
    if letter == "G":
        return "", "(?i:AD)"
    if letter == "a":
        return "half", "(?P<half>(?i:AM|PM))"
    if letter in "XZ":
        return "offset", _OFFSET
    if letter not in _NUMBERS or letter == "u":
        raise UserError(f"{word!r} in the format {java!r} is not supported", hint=_KNOWN, span=span)
    digits = rf"\d{{{len(word)}}}" if packed else r"\d{1,9}"
    return _NUMBERS[letter], rf"[ \t]*(?P<{_NUMBERS[letter]}>{digits})"
