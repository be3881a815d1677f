"""LISTAGG and ARRAY_AGG: every value of a group, in the order of arrival."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.errors import UserError
from yeoul.plan.expressions import Literal
from yeoul.plan.rendering import render_aggregate

__all__ = ["array_agg", "listagg", "separator_of"]


def listagg(job: Job) -> CompiledAggregate:
    """LISTAGG."""
    separator = separator_of(job)
    values, kept = job.value.drop_nulls(), job.column("list").explode().drop_nulls()
    if job.call.distinct:
        values, kept = values.unique(maintain_order=True), kept.unique(maintain_order=True)
    strings = job.column("list")
    final = pl.when(strings.list.len() > 0).then(strings.list.join(separator))
    return job.done({"list": values}, {"list": kept}, final)


def array_agg(job: Job) -> CompiledAggregate:
    """NULL values stay, rows that the filter leaves out do not: so each value is wrapped in a struct."""
    wrapped = pl.struct(job.value.alias("v"))
    values = wrapped if job.keep is None else wrapped.filter(job.keep)
    kept = job.column("list").explode().drop_nulls()
    if job.call.distinct:
        values, kept = values.unique(maintain_order=True), kept.unique(maintain_order=True)
    rows = job.column("list")
    final = pl.when(rows.list.len() > 0).then(rows.list.eval(pl.element().struct.field("v"))).cast(job.dtype)
    return job.done({"list": values}, {"list": kept}, final)


def separator_of(job: Job) -> str:
    """Returns what LISTAGG puts between values."""
    if len(job.call.args) < 2:
        return ","
    given = job.call.args[1]
    if not isinstance(given, Literal) or not isinstance(given.value, str):
        raise UserError(f"The separator of {render_aggregate(job.call)} must be a literal", span=job.call.span)
    return given.value
