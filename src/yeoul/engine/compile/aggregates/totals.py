"""SUM and AVG as Flink has them: sums of integers wrap around, those of decimals are exact and NULL beyond 38 digits.

A sum of integers is kept in 64 bits and cut to its type at the end, which is the same as wrapping all the way. Decimals
of so many digits that a sum of them could leave 128 bits are kept as two halves, each far from its limit.
"""

from __future__ import annotations

import operator

import polars as pl
import pyarrow as pa

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.sets import over_set
from yeoul.engine.compile.decimals import combined_decimals
from yeoul.engine.compile.faults import checked
from yeoul.kernels.folding import Fold, Tell
from yeoul.plan.types import DataType, Kind

__all__ = ["average", "average_of_values", "sum_of", "sum_of_values"]

_HALF = pl.lit(10**19, dtype=pl.Int128)
_WIDE = pl.Decimal(38, 0)
"""What holds 128-bit integers between batches: Arrow has none."""
_SAFE_DIGITS = 28


def sum_of(job: Job) -> CompiledAggregate:
    """SUM, and SUM0, which is 0 over no value."""
    if job.call.distinct:
        return over_set(job, lambda values: sum_of_values(job, values))
    partial, merge, total = _summed(job)
    final = _fitted(total, job)
    if job.always or job.call.function == "sum0":
        return job.done(partial, merge, final, Fold.SUM, {"sum": Tell.VALUE} if _is_whole(job) else None)
    partial["count"] = job.values()
    merge["count"] = job.column("count").sum()
    tells = {"sum": Tell.VALUE, "count": Tell.PRESENCE} if _is_whole(job) else None
    total = pl.when(job.column("count") > 0).then(final).otherwise(_empty(job))
    return job.done(partial, merge, total, Fold.SUM, tells)


def average(job: Job) -> CompiledAggregate:
    """AVG."""
    if job.call.distinct:
        return over_set(job, lambda values: average_of_values(job, values))
    partial, merge, total = _summed(job)
    partial["count"] = job.rows() if job.always else job.values()
    merge["count"] = job.column("count").sum()
    return job.done(partial, merge, _mean(total, job.column("count"), job), Fold.SUM)


def sum_of_values(job: Job, values: pl.Expr) -> pl.Expr:
    """The sum of each list."""
    return pl.when(values.list.len() > 0).then(_fitted(_sum_of_lists(job.type, values), job)).otherwise(_empty(job))


def average_of_values(job: Job, values: pl.Expr) -> pl.Expr:
    """The mean of each list."""
    return _mean(_sum_of_lists(job.type, values), values.list.len().cast(pl.Int64), job)


def _empty(job: Job) -> pl.Expr:
    return pl.lit(0).cast(job.dtype) if job.call.function == "sum0" else pl.lit(None, dtype=job.dtype)


def _summed(job: Job) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr], pl.Expr]:
    """What is kept of a sum, how it is merged, and the sum that it stands for."""
    if _is_wide(job.type):
        halves = zip(("high", "low"), _halves(job.value), strict=True)
        partial = {part: job.signed(half).sum().cast(_WIDE) for part, half in halves}
        total = _joined(job.column("high"), job.column("low"), job.type)
    else:
        partial = {"sum": job.signed(_widened(job.value, job.type)).sum()}
        total = job.column("sum")
    return partial, {part: job.column(part).sum() for part in partial}, total


def _sum_of_lists(type: DataType, values: pl.Expr) -> pl.Expr:
    if not _is_wide(type):
        return values.list.agg(_widened(pl.element(), type).sum())
    high, low = (values.list.agg(half.sum().cast(_WIDE)) for half in _halves(pl.element()))
    return _joined(high, low, type)


def _is_wide(type: DataType) -> bool:
    """Whether a sum of a stream's length can leave 38 digits."""
    return type.kind is Kind.DECIMAL and (type.precision or 38) > _SAFE_DIGITS


def _halves(value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The unscaled digits as `high * 10**19 + low`, both with the value's sign."""
    digits = value.to_physical()
    high = digits.truncdiv(_HALF)
    return high, digits - high * _HALF


def _joined(high: pl.Expr, low: pl.Expr, type: DataType) -> pl.Expr:
    dtype = pl.Decimal(38, type.scale or 0)

    def compute(highs: pl.Series, lows: pl.Series) -> pl.Series:
        frame = pl.DataFrame([highs.cast(pl.Int128).alias("high"), lows.cast(pl.Int128).alias("low")])
        carried = pl.col("low").truncdiv(_HALF)
        upper, lower = pl.col("high") + carried, pl.col("low") - carried * _HALF
        digits = pl.when(upper.abs() <= _HALF).then(upper * _HALF + lower)
        fitting = frame.select(pl.when(digits.abs() < 10**38).then(digits).cast(_WIDE)).to_series()
        scaled = pl.from_arrow(fitting.to_arrow().view(pa.decimal128(38, dtype.scale)))
        assert isinstance(scaled, pl.Series)
        return scaled.alias(highs.name)

    return checked([high, low], compute, dtype)


def _is_whole(job: Job) -> bool:
    """Whether the sum is what is kept, whole: not cut, not rounded, nothing left over where values were taken back."""
    return job.call.type.kind is Kind.BIGINT or (job.call.type.kind is Kind.DOUBLE and job.weight is None)


def _fitted(total: pl.Expr, job: Job) -> pl.Expr:
    """The sum in the result's type: an integer is cut to its lower bits."""
    return total.cast(job.dtype, wrap_numerical=True) if job.call.type.is_integer else total.cast(job.dtype)


def _mean(total: pl.Expr, count: pl.Expr, job: Job) -> pl.Expr:
    """Sum by count, NULL by zero: of integers cut towards zero, of decimals rounded half up, exactly."""
    if job.type.kind is Kind.DECIMAL:
        dtype, divisor = job.dtype, pl.when(count > 0).then(count)
        assert isinstance(dtype, pl.Decimal)
        return checked([total, divisor], lambda a, b: combined_decimals(a, b, operator.truediv, dtype), dtype)
    if job.type.is_float:
        return (total / pl.when(count > 0).then(count)).cast(job.dtype)
    return total.truncdiv(count).cast(job.dtype)


def _widened(value: pl.Expr, type: DataType) -> pl.Expr:
    """The argument in the type that its sum is kept in until the end."""
    if type.kind is Kind.DECIMAL:
        return value.cast(pl.Decimal(38, type.scale or 0))
    if type.is_float:
        return value if type.kind is Kind.DOUBLE else value.cast(pl.Float64)
    return value.cast(pl.Int64)
