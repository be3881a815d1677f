"""PERCENTILE, exact, over all values; APPROX_PERCENTILE, by a sketch that is a histogram.

The sketch is a DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch", 2019): bins whose
bounds grow by a factor of (1 + a) / (1 - a), so that each value is within a = 1 % of what its bin stands for, whatever
the values are: no range has to be known. A group keeps a List of packed bins and counts (see
`yeoul.kernels.quantile_sketches`), which merges by adding, and gives values back by subtracting. It costs eight bytes
for each bin that has values: some 350 for values over three orders of magnitude.

Zero has a bin of its own, negative values mirror the positive ones; infinity and NaN, the greatest of all, have theirs.
The bound does not hold for what is so near to zero that doubles have fewer digits (below 2.3e-308).
"""

from __future__ import annotations

import decimal
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.sets import over_set
from yeoul.engine.compile.faults import checked
from yeoul.errors import UserError
from yeoul.kernels.quantile_sketches import COUNT_BITS, MOST, at_rank, united
from yeoul.plan.expressions import AggregateCall, Literal
from yeoul.plan.rendering import render_aggregate

__all__ = [
    "RELATIVE_ERROR",
    "approx_percentile",
    "counted_values",
    "percentile",
    "percentile_of_values",
    "settled_sketches",
]

RELATIVE_ERROR = 0.01
_GROWTH = np.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_MIDDLE = 40_000
"""The bin of what is just below 1; more than the least double is bins away from 1."""
_INFINITE = MOST - 1
_NAN = MOST


def percentile(job: Job) -> CompiledAggregate:
    """PERCENTILE: keeps every value, of equal ones one if DISTINCT."""
    column = job.column("values")
    if len(job.args) == 3:
        counted = counted_values(job).drop_nulls()
        values, kept = (counted, column.explode().drop_nulls())
        if job.call.distinct:
            values, kept = values.unique(), kept.unique()
        return job.done({"values": values}, {"values": kept}, percentile_of_values(job, column))
    if job.call.distinct:
        return over_set(job, lambda values: percentile_of_values(job, values))
    partial = job.value.cast(pl.Float64).drop_nulls()
    return job.done({"values": partial}, {"values": column.explode().drop_nulls()}, percentile_of_values(job, column))


def percentile_of_values(job: Job, values: pl.Expr) -> pl.Expr:
    """The percentile of each list of values, between two of them by proportion."""
    share = _share(job.call)
    if len(job.args) == 3:
        return checked([values], lambda lists: _counted_percentile(lists, share), pl.Float64())
    numbers = pl.element().cast(pl.Float64)
    return values.list.agg(numbers.quantile(share, interpolation="linear")).cast(pl.Float64)


def counted_values(job: Job) -> pl.Expr:
    """Each value beside how often it counts; NULL where that is not above zero."""
    value, times = job.value.cast(pl.Float64), job.args[2].cast(pl.Int64)
    return pl.when(value.is_not_null() & (times > 0)).then(pl.struct(value.alias(_VALUE), times.alias(_TIMES)))


_VALUE, _TIMES = "v", "n"


def _counted_percentile(lists: pl.Series, share: float) -> pl.Series:
    """As if each value stood there as often as it counts, without putting it there."""
    rows = pl.DataFrame({"g": pl.Series(range(len(lists)), dtype=pl.UInt32), "e": lists})
    total = pl.col(_TIMES).sum().over("g")
    place = share * (total - 1)
    ends = (
        rows.explode("e")
        .drop_nulls("e")
        .unnest("e")
        .sort("g", _VALUE)
        .with_columns(end=pl.col(_TIMES).cum_sum().over("g"), place=place)
        .group_by("g")
        .agg(
            low=pl.col(_VALUE).filter(pl.col("end") > pl.col("place").floor()).first(),
            high=pl.col(_VALUE).filter(pl.col("end") > pl.col("place").ceil()).first(),
            part=(pl.col("place") % 1.0).first(),
        )
    )
    between = pl.col("low") + (pl.col("high") - pl.col("low")) * pl.col("part")
    exact = pl.when(pl.col("low") == pl.col("high")).then(pl.col("low")).otherwise(between)
    found = rows.select("g").join(ends.select("g", exact.alias("p")), on="g", how="left", maintain_order="left")
    return found["p"].alias(lists.name)


def approx_percentile(job: Job) -> CompiledAggregate:
    """APPROX_PERCENTILE; over different values it has to know them, and is exact."""
    if job.call.distinct:
        return percentile(job)
    share, column = _share(job.call), job.column("bins")
    value = job.value.cast(pl.Float64)
    inputs = [value] if job.weight is None else [value, job.weight]
    partial = checked(inputs, _packed, pl.Int64()).drop_nulls()
    final = checked([column], lambda sketches: _quantiles(sketches, share), pl.Float64())
    made = job.done({"bins": partial}, {"bins": column.explode().drop_nulls()}, final)
    return replace(made, bag=job.part("bins"), settle=settled_sketches)


def _share(call: AggregateCall) -> float:
    given = call.args[1]
    if isinstance(given, Literal) and isinstance(given.value, int | float | decimal.Decimal) and 0 <= given.value <= 1:
        return float(given.value)
    raise UserError(f"The share in {render_aggregate(call)} must be a literal from 0 to 1", span=call.span)


def _packed(values: pl.Series, weights: pl.Series | None = None) -> pl.Series:
    """Returns each value's bin, with its count or what is taken from it; NULL for NULL."""
    numbers = values.fill_null(0.0).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.ceil(np.log(np.abs(numbers)) / _GROWTH) + _MIDDLE
    places = np.where(np.isinf(numbers), _INFINITE, np.where(numbers == 0.0, 0, places))
    bins = np.where(np.isnan(numbers), _NAN, np.where(numbers < 0, -places, places)).astype(np.int64)
    counts = np.int64(1) if weights is None else weights.to_numpy()
    packed = pl.Series(values.name, (bins << COUNT_BITS) + counts, dtype=pl.Int64)
    if not values.null_count():
        return packed
    return packed.to_frame().select(pl.when(values.is_not_null()).then(pl.col(values.name))).to_series()


def settled_sketches(sketches: pl.Series) -> pl.Series:
    """Returns sketches with one entry for each bin.

    Example:
        >>> one = _packed(pl.Series([1.5, 1.5, 7.0])).implode()
        >>> settled_sketches(one).list.len().to_list()
        [2]
    """
    offsets, entries = united(*_parts(sketches))
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(entries))
    return pl.Series(sketches.name, lists, dtype=pl.List(pl.Int64))


def _quantiles(sketches: pl.Series, share: float) -> pl.Series:
    bins, known = at_rank(*united(*_parts(sketches)), share)
    values = pl.Series(sketches.name, _values_of(bins), dtype=pl.Float64)
    return values.to_frame().select(pl.when(pl.Series(known)).then(pl.col(sketches.name))).to_series()


def _parts(sketches: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lists = sketches.to_arrow()
    if lists.null_count:
        lists = sketches.fill_null([]).to_arrow()
    return lists.offsets.to_numpy(), lists.values.to_numpy()


def _values_of(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns what each bin stands for: no value of it is further away than the relative error."""
    places = np.clip(np.abs(bins), 0, _INFINITE).astype(np.float64) - _MIDDLE
    with np.errstate(over="ignore"):
        sizes = np.exp(places * _GROWTH + np.log(2 / (1 + np.exp(_GROWTH))))
    sizes = np.minimum(sizes, np.finfo(np.float64).max)
    sizes = np.where(np.abs(bins) == _INFINITE, np.inf, np.where(bins == 0, 0.0, sizes))
    return np.where(bins == _NAN, np.nan, np.copysign(sizes, bins))
