"""BITMAP_*_AGG: the bitmap, or its number of values, of a group's integers or of its bitmaps combined.

A group keeps the values of all its bitmaps, one after the other, and how many bitmaps there were: a value is in the
intersection if it is there once for each, in the symmetric difference if it is there an odd number of times. A union
and a group's own integers are kept as a set.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.faults import checked

__all__ = ["BITMAP_AGGREGATES", "bitmap_aggregate", "bitmap_of_values"]

_Wanted = Callable[[pl.Expr, pl.Expr], pl.Expr]
_WANTED: dict[str, _Wanted] = {
    "build": lambda times, bitmaps: times > 0,
    "or": lambda times, bitmaps: times > 0,
    "and": lambda times, bitmaps: times == bitmaps,
    "xor": lambda times, bitmaps: times % 2 == 1,
}
"""Which values stay, of how often they occur in how many bitmaps."""
BITMAP_AGGREGATES = tuple(f"bitmap_{how}{counted}_agg" for how in _WANTED for counted in ("", "_cardinality"))


def bitmap_aggregate(job: Job) -> CompiledAggregate:
    """Any of BITMAP_AGGREGATES."""
    is_set = _how(job) in ("build", "or")
    values, kept = _values(job), job.column("list").explode().drop_nulls()
    partial = {"list": values.unique() if is_set else values, "count": job.values()}
    merge = {"list": kept.unique() if is_set else kept, "count": job.column("count").sum()}
    return job.done(partial, merge, _answer(job, job.column("list"), job.column("count")))


def bitmap_of_values(job: Job, bags: pl.Expr) -> pl.Expr:
    """What the aggregate says of a list of a group's integers or bitmaps."""
    flat = bags if _how(job) == "build" else bags.list.eval(pl.element().explode().drop_nulls())
    return _answer(job, flat.cast(pl.List(pl.UInt32), wrap_numerical=True), bags.list.len().cast(pl.Int64))


def _how(job: Job) -> str:
    return job.call.function.split("_")[1]


def _values(job: Job) -> pl.Expr:
    if _how(job) == "build":
        return job.value.drop_nulls().cast(pl.UInt32, wrap_numerical=True)
    return job.value.explode().drop_nulls()


def _answer(job: Job, lists: pl.Expr, bitmaps: pl.Expr) -> pl.Expr:
    wanted, counts = _WANTED[_how(job)], "cardinality" in job.call.function

    def compute(values: pl.Series, numbers: pl.Series) -> pl.Series:
        rows = pl.DataFrame({"g": pl.Series(range(len(values)), dtype=pl.UInt32), "v": values, "n": numbers})
        each = rows.explode("v").drop_nulls("v").group_by("g", "v").agg(pl.len().cast(pl.Int64), pl.col("n").first())
        left = each.filter(wanted(pl.col("len"), pl.col("n"))).sort("v").group_by("g").agg("v")
        found = rows.select("g", "n").join(left, on="g", how="left", maintain_order="left")
        bitmap = pl.col("v").fill_null([])
        answer = bitmap.list.len().cast(pl.Int64) if counts else bitmap
        return found.select(pl.when(pl.col("n") > 0).then(answer)).to_series()

    return checked([lists, bitmaps], compute, job.dtype)
