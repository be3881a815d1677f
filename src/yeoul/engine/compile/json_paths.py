"""JSON_VALUE, JSON_QUERY, JSON_EXISTS over Polars' json_path_match.

Polars gives the value at a path as text, NULL if there is none or it is null, and does not say whether a text that
looks like an object was one. Where that matters (rare), the documents in question are read by Python, each once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import polars as pl

from yeoul.engine.compile.faults import checked
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.engine.compile.text import literal_text
from yeoul.errors import UserError

__all__ = ["JSON_PATHS"]

_STEP = re.compile(r"\.(?P<name>[^.\[\]\s'\"*]+)|\[(?P<index>\d+)\]|\['(?P<quoted>[^']*)'\]|\[\"(?P<double>[^\"]*)\"\]")
_NOTHING = object()


def _path(site: Site) -> str:
    """The path without its mode, tried on an empty document."""
    path = re.sub(r"^\s*(lax|strict)\s+", "", literal_text(site, 1, "The path"))
    try:
        pl.select(pl.lit("{}").str.json_path_match(path))
    except pl.exceptions.PolarsError:
        raise UserError(
            f"The JSON path {path!r} of {site.text} is not valid",
            hint="A path reads like $.orders[0].id",
            span=site.call.span,
        ) from None
    return path


def _steps(path: str) -> tuple[str | int, ...] | None:
    """The steps of a plain path; None for one with wildcards or filters."""
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            return None
        index = found["index"]
        steps.append(int(index) if index is not None else found["name"] or found["quoted"] or found["double"] or "")
        at = found.end()
    return tuple(steps)


def _walked(document: str, steps: tuple[str | int, ...]) -> object:
    try:
        value = json.loads(document)
    except ValueError:
        return _NOTHING
    for step in steps:
        if isinstance(step, int):
            there = isinstance(value, list) and step < len(value)
        else:
            there = isinstance(value, dict) and step in value
        if not there:
            return _NOTHING
        value = value[step]
    return value


def _looks_nested(found: pl.Series) -> pl.Series:
    return (found.str.starts_with("{") | found.str.starts_with("[")).fill_null(False)


def _containers(documents: pl.Series, path: str) -> pl.Series:
    """Tells for each document whether an object or an array is at the path."""
    steps = _steps(path)
    if steps is None:
        return pl.Series("c", [True] * len(documents), dtype=pl.Boolean)
    known = {document: isinstance(_walked(document, steps), dict | list) for document in documents.unique()}
    return pl.Series("c", [known[document] for document in documents], dtype=pl.Boolean)


def _value_or_query(*, nested: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        path = _path(site)

        def compute(documents: pl.Series) -> pl.Series:
            frame = pl.DataFrame([documents.alias("d")]).with_columns(pl.col("d").str.json_path_match(path).alias("v"))
            looks = _looks_nested(frame["v"])
            keep = looks if nested else ~looks
            if looks.any():
                is_container = _containers(frame["d"].filter(looks), path)
                keep = keep.scatter(looks.arg_true(), is_container if nested else ~is_container)
            return frame.select(pl.when(pl.lit(keep)).then(pl.col("v"))).to_series()

        return checked([site.args[0]], compute, pl.String())

    return lower


def _exists(site: Site) -> pl.Expr:
    path = _path(site)
    steps = _steps(path)

    def compute(documents: pl.Series) -> pl.Series:
        frame = pl.DataFrame([documents.alias("d")])
        there = frame.select(pl.col("d").str.json_path_match(path).is_not_null()).to_series()
        unsure = ~there & documents.str.contains("null", literal=True).fill_null(False)
        if steps is not None and unsure.any():
            nulls = [_walked(document, steps) is None for document in documents.filter(unsure)]
            there = there.scatter(unsure.arg_true(), nulls)
        return frame.select(pl.when(pl.col("d").is_not_null()).then(pl.lit(there))).to_series()

    return checked([site.args[0]], compute, pl.Boolean())


JSON_PATHS: Mapping[str, Lowering] = {
    "json_value": _value_or_query(nested=False),
    "json_query": _value_or_query(nested=True),
    "json_exists": _exists,
}
