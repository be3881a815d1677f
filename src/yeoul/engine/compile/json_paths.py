"""JSON_VALUE, JSON_QUERY, JSON_EXISTS, IS JSON: documents are read in Python, each different one of a batch once.

What is at a path comes with a status: there, empty (nothing, or null), or an error; the clauses ON EMPTY and ON ERROR
say what becomes of the last two. The plain forms, which give NULL for both, go through Polars' own path search where
it gives the same: for scalars that are there.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping

import polars as pl

from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.json_search import MISSING, JsonPath, PathError, java_double, json_text, parse_path
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.engine.compile.text import literal_text
from yeoul.errors import UserError

__all__ = ["JSON_PATHS"]

_THERE, _EMPTY, _ERROR = 0, 1, 2
_PLAIN_TEXT = re.compile(r'[^"\\{}\[\]]*')
Found = tuple[int, object]


def _path(site: Site) -> JsonPath:
    text = literal_text(site, 1, "The path")
    try:
        return parse_path(text)
    except PathError as error:
        raise UserError(
            f"The JSON path {text!r} of {site.text} is not valid: {error}",
            hint="A path reads like $.orders[0].id or $.orders[?(@.price > 10)].id",
            span=site.call.span,
        ) from None


def _searched(site: Site, read: Callable[[object], Found], dtype: pl.DataType) -> pl.Expr:
    """A struct for each document: `s` is the status, `v` the value; NULL for NULL."""
    path = _path(site)
    both = pl.Struct({"s": pl.Int8(), "v": dtype})

    def search(document: str) -> dict[str, object]:
        try:
            value = path.of(document)
        except PathError:
            return {"s": _ERROR, "v": None}
        status, found = (_EMPTY, None) if value is MISSING or value is None else read(value)
        return {"s": status, "v": found}

    def compute(documents: pl.Series) -> pl.Series:
        known: dict[str, dict[str, object]] = {each: search(each) for each in documents.drop_nulls().unique()}
        return pl.Series("j", [None if each is None else known[each] for each in documents], dtype=both)

    return checked([site.args[0]], compute, both)


def _settled(site: Site, found: pl.Expr, outcomes: Mapping[int, tuple[str, pl.Expr]]) -> pl.Expr:
    """The value, or what the clause of its status says: (behaviour, default)."""
    status, value = found.struct.field("s"), found.struct.field("v")
    for code, (behaviour, _) in outcomes.items():
        if behaviour == "ERROR" and site.strict:
            status = checked([status], functools.partial(_refuse, site.text, code), pl.Int8())
    result: pl.Expr = pl.when(status == _THERE).then(value)
    for code, (behaviour, default) in outcomes.items():
        if behaviour not in ("NULL", "ERROR"):
            result = pl.when(status == code).then(default).otherwise(result)
    return result


def _refuse(text: str, code: int, status: pl.Series) -> pl.Series:
    wrong = (status == code).fill_null(False)
    if wrong.any():
        what = "found nothing" if code == _EMPTY else "met an error"
        raise EvaluationError(f"{text} {what} in row {first_true(wrong) + 1} of the batch, and is to fail then")
    return status


# ---- JSON_VALUE ------------------------------------------------------------------


def _scalar_text(value: object, lax: bool) -> Found:
    match value:
        case dict() | list():
            return (_EMPTY if lax else _ERROR), None
        case bool():
            return _THERE, "true" if value else "false"
        case float():
            return _THERE, java_double(value)
        case _:
            return _THERE, str(value)


def _converted(kind: str, value: object, lax: bool) -> Found:
    """A scalar as the type that RETURNING asks for; one that is none of it is an error."""
    status, text = _scalar_text(value, lax)
    if status != _THERE or kind == "STRING":
        return status, text
    try:
        if kind == "BOOLEAN":
            return (
                (_THERE, value) if isinstance(value, bool) else (_THERE, {"true": True}.get(str(text).lower(), False))
            )
        return _THERE, int(str(text)) if kind == "INT" else float(str(text))
    except ValueError:
        return _ERROR, None


def _json_value(site: Site) -> pl.Expr:
    lax = _path(site).lax
    if len(site.args) == 2:
        found = _searched(site, lambda value: _scalar_text(value, lax), pl.String())
        return _settled(site, found, {})
    kind = literal_text(site, 2, "The returned type")
    found = _searched(site, lambda value: _converted(kind, value, lax), site.dtype)
    outcomes = {
        _EMPTY: (literal_text(site, 3, "The behaviour"), site.args[4]),
        _ERROR: (literal_text(site, 5, "The behaviour"), site.args[6]),
    }
    return _settled(site, found, outcomes)


# ---- JSON_QUERY ------------------------------------------------------------------


def _wrapped(value: object, wrapper: str, lax: bool) -> Found:
    if wrapper == "UNCONDITIONAL" or (wrapper == "CONDITIONAL" and not isinstance(value, list)):
        return _THERE, [value]
    if not isinstance(value, dict | list):
        return (_EMPTY if lax else _ERROR), None
    return _THERE, value


def _json_query(site: Site) -> pl.Expr:
    lax = _path(site).lax
    wrapper = literal_text(site, 3, "The wrapper") if len(site.args) > 3 else "WITHOUT"
    as_array = site.constant(2) == "ARRAY"

    def read(value: object) -> Found:
        status, found = _wrapped(value, wrapper, lax)
        if status != _THERE:
            return status, None
        if not as_array:
            return _THERE, json_text(found)
        if not isinstance(found, list):
            return _ERROR, None
        return _THERE, [one if isinstance(one, str | None) else json_text(one) for one in found]

    found = _searched(site, read, site.dtype)
    outcomes: dict[int, tuple[str, pl.Expr]] = {}
    for code, index in ((_EMPTY, 4), (_ERROR, 5)):
        behaviour = literal_text(site, index, "The behaviour") if len(site.args) > index else "NULL"
        empty = pl.lit("{}" if behaviour == "EMPTY OBJECT" else "[]")
        outcomes[code] = (behaviour, pl.lit(pl.Series([[]], dtype=site.dtype)).first() if as_array else empty)
    return _settled(site, found, outcomes)


# ---- tests -----------------------------------------------------------------------


def _json_exists(site: Site) -> pl.Expr:
    found = _searched(site, lambda value: (_THERE, True), pl.Boolean())
    behaviour = literal_text(site, 2, "The behaviour") if len(site.args) > 2 else "FALSE"
    on_error = {"TRUE": pl.lit(True), "FALSE": pl.lit(False)}.get(behaviour, pl.lit(None, dtype=pl.Boolean))
    named = behaviour if behaviour in ("ERROR",) else "DEFAULT"
    return _settled(site, found, {_EMPTY: ("DEFAULT", pl.lit(False)), _ERROR: (named, on_error)})


def _shape(document: str) -> str:
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return ""
    return "OBJECT" if isinstance(value, dict) else "ARRAY" if isinstance(value, list) else "SCALAR"


def _is_json(site: Site) -> pl.Expr:
    wanted = literal_text(site, 1, "The shape") if len(site.args) > 1 else "VALUE"

    def compute(documents: pl.Series) -> pl.Series:
        known = {each: _shape(each) for each in documents.drop_nulls().unique()}
        shapes = ("" if each is None else known[each] for each in documents)
        return pl.Series("j", [bool(each) and wanted in ("VALUE", each) for each in shapes], dtype=pl.Boolean)

    return checked([site.args[0]], compute, pl.Boolean())


JSON_PATHS: Mapping[str, Lowering] = {
    "json_value": _json_value,
    "json_query": _json_query,
    "json_exists": _json_exists,
    "is_json": _is_json,
}
