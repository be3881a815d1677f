"""Times in strings as Java's DateTimeFormatter reads them by a pattern, which TO_TIMESTAMP and TO_TIMESTAMP_LTZ go by.

Parts that a pattern lacks are those of 1970-01-01 00:00:00. A day up to the 31st that its month does not have is the
month's last, and 24:00:00 is the beginning of the next day.
"""

from __future__ import annotations

import itertools
import re

import polars as pl

from yeoul.engine.compile.patterns import pattern_words

__all__ = ["parsed", "parsed_by_format"]

_LAST_DAYS = ("30", "29", "28")
_MISSING = (
    (("%Y", "%y"), "1970", "%Y"),
    (("%m", "%b", "%B", "%j"), "01", "%m"),
    (("%d", "%j"), "01", "%d"),
)
_NAMES = frozenset({"MMM", "MMMM", "LLL", "LLLL", "E", "EE", "EEE", "EEEE", "a"})


def parsed(texts: pl.Series, chrono: str) -> pl.Series:
    """Reads a column by a pattern in chrono's letters; NULL where it does not match.

    Example:
        >>> parsed(pl.Series(["2024-05"]), "%Y-%m").to_list()
        [datetime.datetime(2024, 5, 1, 0, 0)]
    """
    padded, missing = texts, ""
    for letters, value, directive in _MISSING:
        if not any(each in chrono for each in letters):
            padded, missing = padded + f" {value}", f"{missing} {directive}"
    clock = any(each in chrono for each in ("%H", "%I"))
    if clock and "%M" not in chrono:
        padded, missing = padded + " 00", missing + " %M"
    return padded.str.to_datetime(chrono + missing, time_unit="ms", strict=False)


def parsed_by_format(texts: pl.Series, java: str, chrono: str) -> pl.Series:
    """Reads a column by a pattern in Java's letters, of which chrono's are known.

    Example:
        >>> parsed_by_format(pl.Series(["30.02.2023", "32.01.2023"]), "dd.MM.yyyy", "%d.%m.%Y").to_list()
        [datetime.datetime(2023, 2, 28, 0, 0), None]
    """
    found = _up_to_the_31st(texts, java, chrono)
    before = _before(java, ("H", "HH")) if found.null_count() > texts.null_count() and _has_year(java) else None
    if before is None:
        return found
    missed = found.is_null() & texts.str.contains(f"^(?:{before})24")
    midnight = _up_to_the_31st(texts.filter(missed).str.replace(f"^({before})24", "${1}00"), java, chrono)
    days = midnight.dt.truncate("1d")
    return found.scatter(missed.arg_true(), days.dt.offset_by("1d").zip_with(days == midnight, days.clear(len(days))))


def _up_to_the_31st(texts: pl.Series, java: str, chrono: str) -> pl.Series:
    found = parsed(texts, chrono)
    before = _before(java, ("d", "dd")) if found.null_count() > texts.null_count() and _has_year(java) else None
    if before is None:
        return found
    missed = found.is_null() & texts.is_not_null()
    beyond = texts.filter(missed)
    last = pl.Series([None], dtype=found.dtype).new_from_index(0, len(beyond))
    for day in _LAST_DAYS:
        last = last.fill_null(parsed(beyond.str.replace(f"^({before})(?:29|30|31)", f"${{1}}{day}"), chrono))
    return found.scatter(missed.arg_true(), last)


def _has_year(java: str) -> bool:
    return any(kind == "letter" and word[0] in "yu" for kind, word in pattern_words(java))


def _before(java: str, wanted: tuple[str, ...]) -> str | None:
    """Returns what stands before one of the words, as a regular expression; None if there is none of them."""
    words = pattern_words(java)
    places = [place for place, (kind, word) in enumerate(words) if kind == "letter" and word in wanted]
    if not places:
        return None
    pairs = itertools.pairwise(words[: places[0] + 1])
    return "".join(_piece(kind, word, packed=follows[0] == "letter") for (kind, word), follows in pairs)


def _piece(kind: str, word: str, *, packed: bool) -> str:
    if kind == "text":
        return re.escape(word)
    if word in _NAMES:
        return r"[^\W\d]+"
    return rf"\d{{{len(word)}}}" if packed else r"\d{1,9}"
