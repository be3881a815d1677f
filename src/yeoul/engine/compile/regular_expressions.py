"""The REGEXP functions.

A pattern runs in Rust's engine, over columns, if that takes it. Look-around and back-references it does not: such a
pattern runs in Python's engine, once per different value of a batch. A pattern that is none gives NULL (REGEXP: FALSE).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.distinct_values import per_value
from yeoul.engine.compile.faults import checked
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.engine.compile.text import literal_text, place, unless_null
from yeoul.errors import UserError

__all__ = ["REGULAR_EXPRESSIONS"]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern for one of the engines; both None: it is no pattern."""

    rust: str | pl.Expr | None = None
    python: re.Pattern[str] | None = None


def _pattern(site: Site) -> _Pattern:
    value = site.constant(1)
    if not isinstance(value, str):
        return _Pattern(rust=site.args[1])
    try:
        pl.select(pl.lit("").str.contains(value))
    except pl.exceptions.PolarsError:
        try:
            return _Pattern(python=re.compile(value))
        except re.error:
            return _Pattern()
    return _Pattern(rust=value)


def _null(site: Site) -> pl.Expr:
    return pl.lit(None, dtype=site.dtype)


def _in_either(
    site: Site,
    columns: Callable[[pl.Expr, str | pl.Expr], pl.Expr],
    value: Callable[[re.Pattern[str], str], object],
) -> pl.Expr:
    found = _pattern(site)
    if found.python is not None:
        pattern = found.python
        return per_value(site.args[0], lambda text: value(pattern, str(text)), site.dtype)
    if isinstance(found.rust, pl.Expr):
        return _of_columns(site, found.rust, columns, value)
    return _null(site) if found.rust is None else columns(site.args[0], found.rust)


def _of_columns(
    site: Site,
    regexes: pl.Expr,
    columns: Callable[[pl.Expr, str | pl.Expr], pl.Expr],
    value: Callable[[re.Pattern[str], str], object],
) -> pl.Expr:
    """Patterns out of a column; if one of them is nothing for Rust, all pairs of the batch go through Python."""
    dtype = site.dtype

    def compute(texts: pl.Series, patterns: pl.Series) -> pl.Series:
        length = max(len(texts), len(patterns)) if min(len(texts), len(patterns)) else 0
        pair = [one if len(one) == length else one.new_from_index(0, length) for one in (texts, patterns)]
        frame = pl.DataFrame([pair[0].alias("t"), pair[1].alias("r")])
        try:
            return frame.select(columns(pl.col("t"), pl.col("r")).cast(dtype)).to_series()
        except pl.exceptions.PolarsError:
            known = {row: _one(value, *row) for row in frame.unique().iter_rows()}
            return pl.Series("r", [known[row] for row in frame.iter_rows()], dtype=dtype)

    return checked([site.args[0], regexes], compute, dtype)


def _one(value: Callable[[re.Pattern[str], str], object], text: str | None, pattern: str | None) -> object:
    try:
        return None if text is None or pattern is None else value(re.compile(pattern), text)
    except re.error:
        return None


def _regexp(site: Site) -> pl.Expr:
    if site.constant(1) == "":
        return pl.when(site.args[0].is_not_null()).then(pl.lit(False))
    found = _pattern(site)
    if found.rust is None and found.python is None:
        return pl.when(site.args[0].is_not_null()).then(pl.lit(False))
    return _in_either(
        site, lambda text, regex: text.str.contains(regex), lambda regex, text: regex.search(text) is not None
    )


def _regexp_replace(site: Site) -> pl.Expr:
    """The new text is taken as it stands: Flink quotes what Java would take for groups."""
    literal_text(site, 1, "The regular expression")
    new, known = site.args[2], site.constant(2)
    quoted: str | pl.Expr = new.fill_null("").str.replace_all("$", "$$$$", literal=False)
    quoted = known.replace("$", "$$") if isinstance(known, str) else quoted
    found = _pattern(site)
    if found.python is not None and not isinstance(known, str):
        raise UserError(f"The new text of {site.text} must be a literal with this pattern", span=site.call.span)
    replaced = _in_either(
        site,
        lambda text, regex: text.str.replace_all(literal_text(site, 1, ""), quoted),
        lambda regex, text: regex.sub(lambda _: str(known), text),
    )
    return unless_null(site, replaced, 0, 2)


def _group(site: Site, default: int) -> int:
    value = site.constant(2) if len(site.args) > 2 else default
    assert isinstance(value, int), "a column is read value by value"
    return value


def _matched(match: re.Match[str] | None, group: int) -> str | None:
    return None if match is None or group > match.re.groups else match[group]


def _regexp_extract(site: Site) -> pl.Expr:
    group = _group(site, 0)
    if group < 0:
        return _null(site)
    return _in_either(
        site, lambda text, regex: text.str.extract(regex, group), lambda r, one: _matched(r.search(one), group)
    )


def _regexp_extract_all(site: Site) -> pl.Expr:
    group = _group(site, 1)
    if group < 0:
        return _null(site)

    def columns(text: pl.Expr, regex: str | pl.Expr) -> pl.Expr:
        matches = text.str.extract_all(regex)
        if group:
            if not isinstance(regex, str):
                raise UserError(f"The regular expression of {site.text} must be a literal", span=site.call.span)
            if group > re.compile(regex).groups:
                return _null(site)
            matches = matches.list.eval(pl.element().str.extract(regex, group))
        return pl.when(matches.list.len() > 0).then(matches)

    def value(regex: re.Pattern[str], one: str) -> list[str | None] | None:
        found = [_matched(match, group) for match in regex.finditer(one)] if group <= regex.groups else []
        return found or None

    return _in_either(site, columns, value)


def _regexp_count(site: Site) -> pl.Expr:
    return _in_either(
        site,
        lambda text, regex: text.str.count_matches(regex).cast(pl.Int32),
        lambda regex, text: sum(1 for _ in regex.finditer(text)),
    )


def _regexp_substr(site: Site) -> pl.Expr:
    return _in_either(
        site, lambda text, regex: text.str.extract(regex, 0), lambda regex, text: _matched(regex.search(text), 0)
    )


def _regexp_instr(site: Site) -> pl.Expr:
    def value(regex: re.Pattern[str], text: str) -> int:
        match = regex.search(text)
        return 0 if match is None else match.start() + 1

    def columns(text: pl.Expr, regex: str | pl.Expr) -> pl.Expr:
        return pl.when(text.is_not_null()).then(place(text, text.str.find(regex)))

    return _in_either(site, columns, value)


REGULAR_EXPRESSIONS: Mapping[str, Lowering] = {
    "regexp": _regexp,
    "regexp_replace": _regexp_replace,
    "regexp_extract": _regexp_extract,
    "regexp_extract_all": _regexp_extract_all,
    "regexp_count": _regexp_count,
    "regexp_substr": _regexp_substr,
    "regexp_instr": _regexp_instr,
}
