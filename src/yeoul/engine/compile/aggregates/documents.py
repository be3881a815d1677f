"""JSON_ARRAYAGG and JSON_OBJECTAGG: JSON text out of the values of a group, in the order of arrival."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.json_writing import json_part, json_quoted
from yeoul.plan.rendering import render_aggregate

__all__ = ["JSON_AGGREGATES", "document_of", "document_parts", "json_aggregate"]

JSON_AGGREGATES = tuple(
    f"json_{kind}agg_{nulls}_on_null" for kind in ("array", "object") for nulls in ("null", "absent")
)
_KEY, _VALUE = "key", "value"


def json_aggregate(job: Job) -> CompiledAggregate:
    """Both: a group keeps its parts."""
    parts, kept = document_parts(job), job.column("list").explode().drop_nulls()
    values = parts if job.keep is None else parts.filter(job.keep)
    return job.done({"list": values.drop_nulls()}, {"list": kept}, document_of(job, job.column("list")))


def document_parts(job: Job) -> pl.Expr:
    """What is kept of each row: a value's text, or a key beside it; NULL for one that is left out."""
    value = json_part(job.call.args[-1], job.args[-1])
    if "_null_on_null" in job.call.function:
        value = value.fill_null("null")
    if "arrayagg" in job.call.function:
        return value
    return pl.when(value.is_not_null()).then(pl.struct(job.args[0].alias(_KEY), value.alias(_VALUE)))


def document_of(job: Job, parts: pl.Expr) -> pl.Expr:
    """The document of each list of parts."""
    if "arrayagg" in job.call.function:
        return pl.concat_str(pl.lit("["), parts.list.join(","), pl.lit("]"))
    field = pl.element().struct.field
    pairs = parts.list.eval(pl.concat_str(json_quoted(field(_KEY)), pl.lit(":"), field(_VALUE)))
    keys = checked([parts.list.eval(field(_KEY))], _told_apart(job), pl.List(pl.String()))
    text = pl.concat_str(pl.lit("{"), pairs.list.join(","), pl.lit("}"))
    return pl.when(keys.is_not_null()).then(text)


def _told_apart(job: Job) -> Callable[[pl.Series], pl.Series]:
    text, span = render_aggregate(job.call), job.call.span

    def check(keys: pl.Series) -> pl.Series:
        doubled = keys.list.n_unique() != keys.list.len()
        if doubled.any():
            names = keys.filter(doubled)[0]
            shown = names.filter(names.is_duplicated())[0]
            raise EvaluationError(f"{text} met the key {shown!r} twice", hint="Group by the key too", span=span)
        if keys.list.eval(pl.element().is_null()).list.any().any():
            raise EvaluationError(f"{text} met a key that is NULL", hint="FILTER (WHERE key IS NOT NULL)", span=span)
        return keys

    return check
