"""Values as JSON text: JSON_STRING, JSON_OBJECT, JSON_ARRAY, JSON_QUOTE. Everything is a Polars expression.

Numbers are written as Java writes them, timestamps as the 'json' format of Flink does, bytes in Base64.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from yeoul.engine.compile.casts import float_text
from yeoul.engine.compile.distinct_values import per_value
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.engine.compile.readings import to_zone
from yeoul.engine.compile.text import literal_text
from yeoul.plan.expressions import Call, Cast, Expression
from yeoul.plan.functions.json import JSON_MAKERS
from yeoul.plan.types import DataType, Kind

__all__ = ["JSON_WRITING", "json_part", "json_quoted"]

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES |= {chr(code): f"\\u{code:04X}" for code in range(32) if chr(code) not in _ESCAPES}


def json_quoted(text: pl.Expr) -> pl.Expr:
    """Text as a JSON string."""
    escaped = text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
    return pl.concat_str(pl.lit('"'), escaped, pl.lit('"'))


def _written(operand: pl.Expr, type: DataType) -> pl.Expr:
    """A value as JSON; NULL for NULL."""
    match type.kind:
        case Kind.STRING:
            return json_quoted(operand)
        case Kind.VARIANT:
            return operand
        case Kind.BOOLEAN:
            return pl.when(operand).then(pl.lit("true")).when(operand.not_()).then(pl.lit("false"))
        case Kind.FLOAT | Kind.DOUBLE:
            return checked([operand], float_text, pl.String())
        case Kind.BYTES:
            return pl.concat_str(pl.lit('"'), operand.bin.encode("base64"), pl.lit('"'))
        case Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ:
            return _instant(operand, type)
        case Kind.ARRAY if type.element is not None:
            items = operand.list.eval(_written(pl.element(), type.element).fill_null("null")).list.join(",")
            return pl.concat_str(pl.lit("["), items, pl.lit("]"))
        case Kind.MAP if type.element is not None and type.key is not None:
            return _map(operand, type.key, type.element)
        case Kind.ROW:
            return _row(operand, type)
        case _:
            return operand.cast(pl.String)


def _instant(operand: pl.Expr, type: DataType) -> pl.Expr:
    """2024-01-02T10:11:12.345, without a fraction that is zero; an instant with a Z."""
    wall = to_zone(operand, "UTC") if type.kind is Kind.TIMESTAMP_LTZ else operand
    text = wall.dt.strftime("%Y-%m-%dT%H:%M:%S%.9f").str.strip_chars_end("0").str.strip_chars_end(".")
    return pl.concat_str(pl.lit('"'), text, pl.lit('Z"' if type.kind is Kind.TIMESTAMP_LTZ else '"'))


def _map(operand: pl.Expr, key: DataType, value: DataType) -> pl.Expr:
    name, item = pl.element().struct.field("key"), pl.element().struct.field("value")
    named = _written(name, key)
    if key.kind is not Kind.STRING:
        named = pl.concat_str(pl.lit('"'), named, pl.lit('"'))
    pair = pl.concat_str(named.fill_null('"null"'), pl.lit(":"), _written(item, value).fill_null("null"))
    return pl.concat_str(pl.lit("{"), operand.list.eval(pair).list.join(","), pl.lit("}"))


def _row(operand: pl.Expr, type: DataType) -> pl.Expr:
    pairs = [
        pl.concat_str(
            pl.lit(json.dumps(field.name, ensure_ascii=False) + ":"),
            _written(operand.struct.field(field.name), field.type).fill_null("null"),
        )
        for field in type.fields
    ]
    joined = pl.concat_str(pl.lit("{"), pl.concat_str(pairs, separator=","), pl.lit("}"))
    return pl.when(operand.is_not_null()).then(joined)


def json_part(expression: Expression, lowered: pl.Expr) -> pl.Expr:
    """A value inside an object or an array: what another JSON function made stays as it is."""
    inner = expression.operand if isinstance(expression, Cast) else expression
    if isinstance(inner, Call) and inner.function in JSON_MAKERS:
        return lowered
    return _written(lowered, expression.type)


def _joined(opening: str, parts: list[pl.Expr], closing: str, *, keep_nulls: bool) -> pl.Expr:
    if not parts:
        return pl.lit(opening + closing)
    kept = [part.fill_null("null") for part in parts] if keep_nulls else parts
    joined = pl.concat_str(kept, separator=",", ignore_nulls=True).fill_null("")
    return pl.concat_str(pl.lit(opening), joined, pl.lit(closing))


def _json_array(site: Site) -> pl.Expr:
    keep_nulls = literal_text(site, 0, "The clause ON NULL") == "NULL"
    parts = [json_part(one, lowered) for one, lowered in zip(site.call.args[1:], site.args[1:], strict=True)]
    return _joined("[", parts, "]", keep_nulls=keep_nulls)


def _json_object(site: Site) -> pl.Expr:
    keep_nulls = literal_text(site, 0, "The clause ON NULL") == "NULL"
    parts: list[pl.Expr] = []
    for index in range(1, len(site.args), 2):
        key = pl.lit(json.dumps(literal_text(site, index, "A key"), ensure_ascii=False) + ":")
        value = json_part(site.call.args[index + 1], site.args[index + 1])
        parts.append(pl.concat_str(key, value.fill_null("null") if keep_nulls else value))
    return _joined("{", parts, "}", keep_nulls=keep_nulls)


def _json(site: Site) -> pl.Expr:
    """Text that is JSON already, without its blanks."""

    def compact(value: object) -> str | None:
        try:
            return json.dumps(json.loads(str(value)), ensure_ascii=False, separators=(",", ":"))
        except ValueError:
            raise EvaluationError(f"{site.text} needs JSON, got {value!r}", span=site.call.span) from None

    return per_value(site.args[0], compact, pl.String())


def _unquoted(value: object) -> str:
    text = str(value)
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


JSON_WRITING: Mapping[str, Lowering] = {
    "json_string": lambda site: _written(site.args[0], site.types[0]),
    "json_object": _json_object,
    "json_array": _json_array,
    "json": _json,
    "json_quote": lambda site: per_value(site.args[0], json.dumps, pl.String()),
    "json_unquote": lambda site: per_value(site.args[0], _unquoted, pl.String()),
}
