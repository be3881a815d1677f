"""SUM and AVG: exact for integers and decimals, kept wider than the result until the end."""

from __future__ import annotations

import decimal
from collections.abc import Callable

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job, added
from yeoul.engine.compile.aggregates.sets import over_set
from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.rendering import render_aggregate
from yeoul.plan.types import DataType, Kind

__all__ = ["average", "fitted", "mean_of", "sum_of", "total_of"]


def sum_of(job: Job) -> CompiledAggregate:
    """SUM, and SUM0, which is 0 over no value."""
    type = job.type
    empty = pl.lit(0).cast(job.dtype) if job.call.function == "sum0" else pl.lit(None, dtype=job.dtype)
    if job.call.distinct:

        def of_set(values: pl.Expr) -> pl.Expr:
            total = values.list.agg(total_of(pl.element(), type))
            return pl.when(values.list.len() > 0).then(fitted(total, job)).otherwise(empty)

        return over_set(job, of_set)
    partial = {"sum": total_of(job.value, type, job.signed)}
    merge = {"sum": job.column("sum").sum()}
    final = fitted(_with_size(job, partial, merge), job)
    if job.always or job.call.function == "sum0":
        return job.done(partial, merge, final, added)
    partial["count"] = job.values()
    merge["count"] = job.column("count").sum()
    return job.done(partial, merge, pl.when(job.column("count") > 0).then(final).otherwise(empty), added)


def average(job: Job) -> CompiledAggregate:
    """AVG."""
    type = job.type
    if job.call.distinct:
        return over_set(
            job,
            lambda values: mean_of(
                values.list.agg(total_of(pl.element(), type)), values.list.len().cast(pl.Int64), job
            ),
        )
    count = job.rows() if job.always else job.values()
    partial = {"sum": total_of(job.value, type, job.signed), "count": count}
    merge = {"sum": job.column("sum").sum(), "count": job.column("count").sum()}
    mean = mean_of(_with_size(job, partial, merge), job.column("count"), job)
    return job.done(partial, merge, mean, added)


def total_of(value: pl.Expr, type: DataType, signed: Callable[[pl.Expr], pl.Expr] = lambda each: each) -> pl.Expr:
    """The sum; of BIGINTs as DECIMAL(38, 0), which Arrow can hold where it has no 128-bit integer."""
    total = signed(_widened(value, type)).sum()
    return total.cast(pl.Decimal(38, 0)) if type.kind is Kind.BIGINT else total


def fitted(total: pl.Expr, job: Job) -> pl.Expr:
    """The sum in the result's type, or an error where it does not fit."""
    type, dtype, text, span = job.call.type, job.dtype, render_aggregate(job.call), job.call.span
    if not type.is_integer:
        return total.cast(dtype)

    def compute(column: pl.Series) -> pl.Series:
        result = column.cast(dtype, strict=False)
        if result.null_count() > column.null_count():
            at = first_true(result.is_null() & column.is_not_null())
            raise EvaluationError(
                f"Overflow in {text}: {column[at]} does not fit {type.or_null()}",
                hint="Sum a wider type: SUM(CAST(x AS BIGINT)) or SUM(CAST(x AS DECIMAL(38, 0))).",
                span=span,
            )
        return result

    return checked([total], compute, dtype)


def mean_of(total: pl.Expr, count: pl.Expr, job: Job) -> pl.Expr:
    """Sum by count, NULL by zero: of integers cut towards zero, of decimals rounded half up, exactly."""
    if job.type.kind is Kind.DECIMAL:
        divisor = pl.when(count > 0).then(count)
        return checked([total, divisor], lambda sums, counts: _decimal_means(sums, counts, job.dtype), job.dtype)
    if job.type.is_float:
        return (total / pl.when(count > 0).then(count)).cast(job.dtype)
    if job.type.kind is Kind.BIGINT:
        return total.cast(pl.Int128).truncdiv(count.cast(pl.Int128)).cast(job.dtype)
    return total.truncdiv(count).cast(job.dtype)


def _widened(value: pl.Expr, type: DataType) -> pl.Expr:
    """The argument in the type that its sum is kept in until the end."""
    if type.kind is Kind.DECIMAL:
        return value.cast(pl.Decimal(38, type.scale or 0))
    if type.is_float:
        return value if type.kind is Kind.DOUBLE else value.cast(pl.Float64)
    return value.cast(pl.Int128) if type.kind is Kind.BIGINT else value.cast(pl.Int64)


def _with_size(job: Job, partial: dict[str, pl.Expr], merge: dict[str, pl.Expr]) -> pl.Expr:
    """Adds what tells whether a sum of wide decimals left 38 digits (Polars wraps there), and returns the sum.

    Under 29 digits no sum of a stream's length can leave them, so nothing is added.
    """
    total = job.column("sum")
    if job.type.kind is not Kind.DECIMAL or (job.type.precision or 38) <= 28:
        return total
    partial["size"] = job.signed(job.value.cast(pl.Float64)).sum()
    merge["size"] = job.column("size").sum()
    text, span, limit = render_aggregate(job.call), job.call.span, 10.0 ** (38 - (job.type.scale or 0))

    def compute(sums: pl.Series, sizes: pl.Series) -> pl.Series:
        if (sizes.abs() > limit * (1 + 1e-12)).any():
            raise EvaluationError(
                f"Overflow in {text}: the sum has more than 38 digits",
                hint="Cast the argument to DOUBLE, or to fewer digits after the point.",
                span=span,
            )
        return sums

    return checked([total, job.column("size")], compute, pl.Decimal(38, job.type.scale or 0))


def _decimal_means(sums: pl.Series, counts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Means in columns; value by value where a step would need more than 38 digits."""
    assert isinstance(dtype, pl.Decimal)
    frame = pl.DataFrame([sums.alias("sum"), counts.alias("count")])
    try:
        return frame.select(_decimal_mean(pl.col("sum"), pl.col("count"), dtype.scale)).to_series()
    except pl.exceptions.PolarsError:
        unit = decimal.Decimal(1).scaleb(-dtype.scale)
        exact = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_UP)
        means = [
            None if total is None or count is None else exact.divide(total, count).quantize(unit, context=exact)
            for total, count in frame.iter_rows()
        ]
        return pl.Series("sum", means, dtype=dtype)


def _decimal_mean(total: pl.Expr, count: pl.Expr, scale: int) -> pl.Expr:
    """Divides to the nearest at `scale`; Polars rounds a tie to even, so ties are found by the remainder and mended."""
    dtype = pl.Decimal(38, scale)
    unit = pl.lit(10.0**-scale).cast(dtype)
    exact, divisor = total.cast(dtype), count.cast(pl.Decimal(38, 0))
    quotient = (exact / divisor.cast(dtype)).cast(dtype)
    rest = exact - (quotient * divisor).cast(dtype)
    tie = ((rest + rest).abs() == (unit * divisor).cast(dtype)) & ((rest > 0) == (exact > 0)) & (rest != 0)
    step = pl.when(exact < 0).then(-unit).otherwise(unit)
    return pl.when(tie).then((quotient + step).cast(dtype)).otherwise(quotient)
