"""COUNT: rows, values, different values."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.sets import over_set
from yeoul.kernels.folding import Fold, Tell

__all__ = ["count", "count_star"]

_TOLD = {"count": Tell.VALUE}


def count_star(job: Job) -> CompiledAggregate:
    """COUNT(*)."""
    return job.done({"count": job.rows()}, {"count": job.column("count").sum()}, job.column("count"), Fold.SUM, _TOLD)


def count(job: Job) -> CompiledAggregate:
    """COUNT of values; of several arguments, the rows in which none is NULL."""
    if job.call.distinct:
        return over_set(job, lambda values: values.list.len().cast(pl.Int64))
    always = job.keep is None and not any(each.type.nullable for each in job.call.args)
    counted = job.rows() if always else job.values()
    return job.done({"count": counted}, {"count": job.column("count").sum()}, job.column("count"), Fold.SUM, _TOLD)
