"""DISTINCT and sketches: a set of values for each group.

Sets are List columns, merged by union.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.sketches import estimate, observations
from yeoul.engine.compile.faults import checked

__all__ = ["approx_count_distinct", "over_set"]


def over_set(job: Job, final: Callable[[pl.Expr], pl.Expr]) -> CompiledAggregate:
    """Keeps the different values; `final` turns their List column into the answer."""
    partial = job.value.drop_nulls().unique()
    return job.done({"set": partial}, {"set": _united(job.column("set"))}, final(job.column("set")))


def approx_count_distinct(job: Job) -> CompiledAggregate:
    """APPROX_COUNT_DISTINCT, by a sketch that is a set."""
    seen = checked([job.value], observations, pl.UInt32()).drop_nulls().unique()
    final = checked([job.column("sketch")], estimate, pl.Int64())
    return job.done({"sketch": seen}, {"sketch": _united(job.column("sketch"))}, final)


def _united(sets: pl.Expr) -> pl.Expr:
    """The union of sets; an empty one explodes to NULL, which no set holds."""
    return sets.explode().drop_nulls().unique()
