"""VARIANT: a JSON document that was read once. It is held as text in one spelling, so equal documents are equal text.

Members stand in the order of their names. A number without an exponent is a decimal of up to 38 digits, written without
zeros that say nothing; every other number is a DOUBLE. Documents are read in Python, once per different text.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/types/#variant
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import NoReturn

import polars as pl

from yeoul.engine.compile.distinct_values import per_value
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.json_search import java_double
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.errors import UserError

__all__ = ["VARIANTS", "spelling_of", "variant_item"]

_ESCAPES = str.maketrans(
    {chr(code): f"\\u{code:04X}" for code in range(32)}
    | {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
)
_MOST_DIGITS = 38


class _Number(str):
    """A number as it is written in the document's one spelling."""


def _number(text: str) -> _Number:
    if not text.isascii() or "e" in text.lower():
        return _Number(java_double(float(text)))
    value = Decimal(text)
    _, digits, exponent = value.as_tuple()
    if len(digits) > _MOST_DIGITS or not isinstance(exponent, int) or -exponent > _MOST_DIGITS:
        return _Number(java_double(float(text)))
    plain = format(value, "f")
    short = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return _Number("0" if short in ("-0", "") else short)


def _spelled(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _Number():
            return value
        case str():
            return f'"{value.translate(_ESCAPES)}"'
        case list():
            return f"[{','.join(map(_spelled, value))}]"
        case dict():
            members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
            return "{" + ",".join(f"{_spelled(name)}:{_spelled(each)}" for name, each in members) + "}"
        case _:
            raise AssertionError(value)


def _refused(text: str) -> NoReturn:
    raise ValueError(text)


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a key that occurs twice")
    return found


def spelling_of(text: str, *, doubles: bool) -> str:
    """The one spelling of a document.

    Raises:
        ValueError: It is not JSON, or has a key twice and must not.
    """
    return _spelled(
        json.loads(
            text,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_refused,
            object_pairs_hook=dict if doubles else _unique,
        )
    )


def _parse(*, lenient: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        doubles = len(site.args) > 1 and site.constant(1)
        if not isinstance(doubles, bool):
            raise UserError(f"Whether {site.text} takes doubles must be TRUE or FALSE", span=site.call.span)

        def read(value: object) -> str | None:
            try:
                return spelling_of(str(value), doubles=doubles)
            except (ValueError, RecursionError):
                if lenient or not site.strict:
                    return None
                raise EvaluationError(
                    f"{site.text} got {value!r}, which is not JSON",
                    hint="TRY_PARSE_JSON gives NULL where a text is not JSON.",
                    span=site.call.span,
                ) from None

        return per_value(site.args[0], read, pl.String())

    return lower


def variant_item(site: Site) -> pl.Expr:
    """A member of an object or an element of an array, from 1; NULL if there is none, an error of anything else."""

    def member(variant: str | None, key: str | int | None) -> str | None:
        if variant is None or key is None:
            return None
        document = json.loads(variant, parse_int=_Number, parse_float=_Number)
        if isinstance(document, dict) and isinstance(key, str):
            return _spelled(document[key]) if key in document else None
        if isinstance(document, list) and isinstance(key, int):
            return _spelled(document[key - 1]) if 1 <= key <= len(document) else None
        if site.strict:
            wanted = "an object" if isinstance(key, str) else "an array"
            raise EvaluationError(f"{site.text} needs {wanted}, got {variant}", span=site.call.span)
        return None

    def compute(variants: pl.Series, keys: pl.Series) -> pl.Series:
        rows = pl.select(
            *(
                pl.lit(each).first().alias(name) if len(each) == 1 else pl.lit(each).alias(name)
                for name, each in (("v", variants), ("k", keys))
            )
        )
        found = {row: member(*row) for row in rows.unique().iter_rows()}
        return pl.Series("v", [found[row] for row in rows.iter_rows()], dtype=pl.String)

    return checked(site.args, compute, pl.String())


VARIANTS: Mapping[str, Lowering] = {
    "parse_json": _parse(lenient=False),
    "try_parse_json": _parse(lenient=True),
}
