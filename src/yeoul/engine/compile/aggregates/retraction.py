"""Aggregates from which no value can be subtracted: over rows that can be taken back they keep the values."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from yeoul.engine.compile.aggregates.bags import BAG, bagged, values_of
from yeoul.engine.compile.aggregates.bitmaps import bitmap_of_values
from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.documents import document_of, document_parts
from yeoul.engine.compile.aggregates.lists import separator_of
from yeoul.engine.compile.aggregates.multisets import multiset_of
from yeoul.engine.compile.aggregates.quantiles import counted_values, percentile_of_values
from yeoul.engine.compile.aggregates.spread import spread_of_values
from yeoul.engine.compile.aggregates.totals import average_of_values, sum_of_values

__all__ = ["over_bag"]


def over_bag(job: Job) -> CompiledAggregate:
    """Keeps the values themselves; the answer is what the aggregate says of those that are left."""
    assert job.weight is not None
    keeps_nulls = job.call.function == "array_agg"
    value = _kept(job)
    partial = bagged(value, job.weight, job.keep, keeps_nulls=keeps_nulls)
    name = job.part(BAG)
    answer = _answer_of_values(job, values_of(pl.col(name)))
    made = job.done({BAG: partial}, {BAG: pl.col(name).explode().drop_nulls()}, answer)
    return replace(made, bag=name)


def _kept(job: Job) -> pl.Expr:
    """What stands in the bag for a row; NULL where the row counts for nothing."""
    if job.call.function.startswith("json_"):
        return document_parts(job)
    return counted_values(job) if job.call.function == "percentile" and len(job.args) == 3 else job.value


def _answer_of_values(job: Job, values: pl.Expr) -> pl.Expr:
    """What an aggregate says of a list of values in the order of their arrival."""
    call = job.call
    wanted = values.list.unique(maintain_order=True) if call.distinct else values
    match call.function:
        case "count" | "approx_count_distinct":
            return values.list.drop_nulls().list.n_unique().cast(pl.Int64)
        case "min" | "max":
            return (values.list.min() if call.function == "min" else values.list.max()).cast(job.dtype)
        case "first_value" | "last_value":
            return (wanted.list.first() if call.function == "first_value" else wanted.list.last()).cast(job.dtype)
        case "sum" | "sum0":
            return sum_of_values(job, wanted)
        case "avg":
            return average_of_values(job, wanted)
        case "percentile" | "approx_percentile":
            return percentile_of_values(job, wanted)
        case "listagg":
            return pl.when(wanted.list.len() > 0).then(wanted.list.join(separator_of(job)))
        case "collect":
            return multiset_of(job, values)
        case name if name.startswith("bitmap_"):
            return bitmap_of_values(job, wanted)
        case name if name.startswith("json_"):
            return document_of(job, wanted)
        case "array_agg":
            return pl.when(wanted.list.len() > 0).then(wanted).cast(job.dtype)
        case _:
            return spread_of_values(job, wanted)
