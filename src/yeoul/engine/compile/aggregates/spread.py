"""Variances and standard deviations."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.sets import over_set
from yeoul.engine.compile.casts import lower_cast
from yeoul.plan.rendering import render_aggregate
from yeoul.plan.types import DataType, Kind

__all__ = ["spread", "spread_of_values"]

_DOUBLE = DataType(Kind.DOUBLE)


def spread(job: Job) -> CompiledAggregate:
    """Variances and deviations from count, mean and sum of squared deviations, merged as Chan et al. (1979) do."""
    if job.call.distinct:
        return over_set(job, lambda values: spread_of_values(job, values))
    value = job.value.cast(pl.Float64)
    n, mean, squares = job.column("count"), job.column("mean"), job.column("squares")
    whole = n.sum()
    centre = (n * mean).sum() / whole
    return job.done(
        {"count": value.count().cast(pl.Int64), "mean": value.mean(), "squares": value.var(ddof=0) * value.count()},
        {
            "count": whole,
            "mean": pl.when(whole > 0).then(centre),
            "squares": (squares + n * (mean - centre).pow(2)).sum(),
        },
        _spread_of(job, n, squares),
    )


def spread_of_values(job: Job, values: pl.Expr) -> pl.Expr:
    """The spread of a list of values."""
    numbers = pl.element().cast(pl.Float64)
    return _spread_of(job, values.list.len().cast(pl.Int64), values.list.agg((numbers - numbers.mean()).pow(2).sum()))


def _spread_of(job: Job, count: pl.Expr, squares: pl.Expr) -> pl.Expr:
    divisor = count - 1 if job.call.function.endswith("_samp") else count
    variance = squares / pl.when(divisor > 0).then(divisor)
    result = variance.sqrt() if job.call.function.startswith("stddev") else variance
    return lower_cast(result, _DOUBLE, job.call.type, null_on_error=False, text=render_aggregate(job.call), zone="UTC")
