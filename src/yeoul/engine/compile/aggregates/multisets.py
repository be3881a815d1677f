"""COLLECT: how often each value of a group occurs."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job

__all__ = ["collect", "multiset_of"]

_KEY, _COUNT = "key", "value"


def collect(job: Job) -> CompiledAggregate:
    """COLLECT."""
    values = job.value.drop_nulls()
    kept = job.column("list").explode().drop_nulls()
    return job.done({"list": values}, {"list": kept}, multiset_of(job, job.column("list")))


def multiset_of(job: Job, values: pl.Expr) -> pl.Expr:
    """Each list of values as pairs of a value and its count, in the order of arrival."""
    each = values.list.unique(maintain_order=True) if job.call.distinct else values
    element = pl.element()
    counted = element.unique_counts().cast(pl.Int32)
    pairs = each.list.eval(pl.struct(element.unique(maintain_order=True).alias(_KEY), counted.alias(_COUNT)))
    return pairs.cast(job.dtype)
