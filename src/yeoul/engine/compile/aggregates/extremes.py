"""MIN, MAX, FIRST_VALUE and LAST_VALUE: one value for each group."""

from __future__ import annotations

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.kernels.folding import Fold, Tell

__all__ = ["extreme", "first_or_last"]

_TOLD = {"value": Tell.VALUE}


def extreme(job: Job) -> CompiledAggregate:
    """MIN and MAX."""
    least = job.call.function == "min"
    partial = job.value.min() if least else job.value.max()
    kept = job.column("value")
    # NaN has an order of its own in comparisons.
    fold = None if job.type.is_float else Fold.LEAST if least else Fold.GREATEST
    merge = {"value": kept.min() if least else kept.max()}
    return job.done({"value": partial}, merge, kept.cast(job.dtype), fold, _TOLD)


def first_or_last(job: Job) -> CompiledAggregate:
    """FIRST_VALUE and LAST_VALUE, NULL left out."""
    first = job.call.function == "first_value"
    values, kept = job.value.drop_nulls(), job.column("value").drop_nulls()
    return job.done(
        {"value": values.first() if first else values.last()},
        {"value": kept.first() if first else kept.last()},
        job.column("value").cast(job.dtype),
        Fold.FIRST if first else Fold.LAST,
        _TOLD,
    )
