"""Which family compiles an aggregate, and what every family is handed: the argument, the filter, the weight."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from yeoul.engine.compile.aggregates.bags import BAG
from yeoul.engine.compile.aggregates.bitmaps import BITMAP_AGGREGATES, bitmap_aggregate
from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.counts import count, count_star
from yeoul.engine.compile.aggregates.documents import json_aggregate
from yeoul.engine.compile.aggregates.extremes import extreme, first_or_last
from yeoul.engine.compile.aggregates.lists import array_agg, listagg
from yeoul.engine.compile.aggregates.multisets import collect
from yeoul.engine.compile.aggregates.python import python_parts
from yeoul.engine.compile.aggregates.quantiles import approx_percentile, percentile
from yeoul.engine.compile.aggregates.retraction import over_bag
from yeoul.engine.compile.aggregates.sets import approx_count_distinct
from yeoul.engine.compile.aggregates.spread import spread
from yeoul.engine.compile.aggregates.totals import average, sum_of
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.errors import UserError
from yeoul.plan.expressions import AggregateCall, Expression, columns_of
from yeoul.plan.functions.python import is_python
from yeoul.plan.nodes import Aggregation
from yeoul.plan.rendering import render_aggregate

__all__ = [
    "argument_of",
    "compile_aggregate",
    "compile_aggregates",
    "compiled_aggregates",
    "filter_of",
    "without_taken",
]

_COMPILERS: Mapping[str, Callable[[Job], CompiledAggregate]] = {
    "count_star": count_star,
    "count": count,
    "sum": sum_of,
    "sum0": sum_of,
    "avg": average,
    "min": extreme,
    "max": extreme,
    "approx_count_distinct": approx_count_distinct,
    "first_value": first_or_last,
    "last_value": first_or_last,
    "stddev_pop": spread,
    "stddev_samp": spread,
    "var_pop": spread,
    "var_samp": spread,
    "listagg": listagg,
    "array_agg": array_agg,
    "percentile": percentile,
    "approx_percentile": approx_percentile,
    "collect": collect,
    **dict.fromkeys(BITMAP_AGGREGATES, bitmap_aggregate),
    **{
        f"json_{kind}agg_{clause}_on_null": json_aggregate
        for kind in ("array", "object")
        for clause in ("null", "absent")
    },
}


def compiled_aggregates() -> frozenset[str]:
    """Returns the ids of the aggregates that can be compiled."""
    return frozenset(_COMPILERS)


def compile_aggregates(
    calls: Iterable[Aggregation], context: EvaluationContext | None = None, weight: str | None = None
) -> list[CompiledAggregate]:
    """Lowers the aggregates of one grouping; what several of them keep alike, the first of these keeps for all.

    COUNT, SUM and AVG of one argument keep one count and one sum, all DISTINCT aggregates of it one set, all
    percentiles one sketch, and over rows that can be taken back MIN, MAX and all others one bag.

    Args:
        calls: Output names and calls, as for `compile_aggregate`.
        context: The clock and the session's time zone.
        weight: The column that says whether a row counts or is taken back; None: every row counts.
    """
    owners: dict[Hashable, str] = {}
    taken: set[str] = set()
    made = []
    for one in calls:
        owner = owners.setdefault(_kept_by(one.call, weighted=weight is not None) or one.name, one.name)
        made.append(without_taken(compile_aggregate(one.call, one.name, context, weight, owner), taken))
    return made


def _kept_by(call: AggregateCall, *, weighted: bool) -> Hashable | None:
    """Returns what aggregates have in common that keep the same; None for those that keep what no other does."""
    if is_python(call.function):
        return None
    values = call.args if call.function == "count" else call.args[:1]
    if weighted and not _subtracts(call) and call.function in _BAGGED and not _is_counted(call):
        family = "bag"
    elif call.distinct and call.function in (*_TOTALS, *_SPREADS, *_PERCENTILES) and not _is_counted(call):
        family = "set"
    elif not call.distinct and call.function in _TOTALS:
        family = "total"
    elif not call.distinct and call.function in _SPREADS:
        family = "spread"
    else:
        family = f"{call.function} {call.distinct}"
        values = values if call.function in _PERCENTILES and len(call.args) == 2 else call.args
    return family, values, call.filter


def _is_counted(call: AggregateCall) -> bool:
    """Whether each value comes with how often it counts."""
    return call.function == "percentile" and len(call.args) == 3


_BAGGED = frozenset(["count", "min", "max", "first_value", "last_value", "sum", "avg", "listagg", "percentile"])
"""Aggregates that make their answer of the same bag: the values that are not NULL."""
_TOTALS = ("count", "sum", "sum0", "avg")
_PERCENTILES = ("percentile", "approx_percentile")
_SPREADS = ("stddev_pop", "stddev_samp", "var_pop", "var_samp")


def without_taken(made: CompiledAggregate, taken: set[str]) -> CompiledAggregate:
    """Returns an aggregate without the partial columns that another keeps already; its own are `taken` from now on."""
    names = [part.meta.output_name() for part in made.partial]
    own = [index for index, name in enumerate(names) if name not in taken]
    taken.update(names)
    return replace(
        made,
        partial=tuple(made.partial[index] for index in own),
        merge=tuple(made.merge[index] for index in own),
        bag=made.bag if own else None,
        folds=None if made.folds is None else tuple(made.folds[index] for index in own),
    )


def compile_aggregate(
    call: AggregateCall,
    name: str,
    context: EvaluationContext | None = None,
    weight: str | None = None,
    state: str | None = None,
) -> CompiledAggregate:
    """Lowers one aggregate.

    Args:
        call: Bound, its argument cast as `resolve_aggregate` says.
        name: The output column; partial columns are named after it.
        context: The clock and the session's time zone.
        weight: The column that says whether a row counts or is taken back; None: every row counts.
        state: What partial columns are named after, if not the output column.

    Raises:
        UserError: It cannot be computed here.

    Example:
        >>> from yeoul.plan.expressions import ColumnRef
        >>> from yeoul.plan.types import INT
        >>> mean = compile_aggregate(AggregateCall("avg", (ColumnRef("x", INT),), INT), "m")
        >>> batches = pl.DataFrame({"k": [1, 1], "x": [3, 4]}), pl.DataFrame({"k": [1, 2], "x": [None, 9]})
        >>> partials = [batch.group_by("k").agg(*mean.partial) for batch in batches]
        >>> pl.concat(partials).group_by("k").agg(*mean.merge).select("k", mean.final).sort("k").rows()
        [(1, 3), (2, 9)]
    """
    context = context or EvaluationContext()
    if is_python(call.function):
        return python_aggregate(call, name, context, weight)
    compiler = _COMPILERS.get(call.function)
    if compiler is None:
        raise UserError(f"{render_aggregate(call)} cannot be computed: no such aggregate", span=call.span)
    keep = filter_of(call.filter, context)
    args = tuple(_per_row(compile_expression(each, context), each) for each in call.args)
    value = _argument(call, args)
    if keep is not None and call.args:
        value = pl.when(keep).then(value)
    job = Job(call, name, value, keep, None if weight is None else pl.col(weight), args, state)
    return compiler(job) if weight is None or _subtracts(call) else over_bag(job)


def python_aggregate(
    call: AggregateCall, name: str, context: EvaluationContext, weight: str | None
) -> CompiledAggregate:
    """A Python function, over all its arguments as one struct."""
    args = [_per_row(compile_expression(each, context), each) for each in call.args]
    keep = filter_of(call.filter, context)
    job = Job(call, name, pl.struct(args), keep, None if weight is None else pl.col(weight))
    parts = python_parts(call, args, keep, job.weight, job.column, context.time_zone)
    made = job.done({parts.name: parts.partial}, {parts.name: parts.merge}, parts.final)
    return replace(made, bag=job.part(BAG)) if parts.name == BAG else made


def _subtracts(call: AggregateCall) -> bool:
    """Whether a value can be taken out of what an aggregate keeps."""
    return call.function in ("count_star", "count", "sum", "sum0", "avg", "approx_percentile") and not call.distinct


def argument_of(call: AggregateCall, context: EvaluationContext) -> pl.Expr:
    """Returns the argument of an aggregate, whatever its filter says; several of COUNT as one."""
    return _argument(call, [_per_row(compile_expression(each, context), each) for each in call.args])


def filter_of(filter_: Expression | None, context: EvaluationContext) -> pl.Expr | None:
    """Returns a filter, a row for each row; None if there is none."""
    return None if filter_ is None else _per_row(compile_expression(filter_, context), filter_)


def _argument(call: AggregateCall, args: Sequence[pl.Expr]) -> pl.Expr:
    """The argument; several of COUNT become a struct that is NULL where any of them is."""
    if not args:
        return pl.lit(0)
    if len(args) == 1 or call.function != "count":
        return args[0]
    nullable = [arg for arg, each in zip(args, call.args, strict=True) if each.type.nullable]
    fields = pl.struct(arg.alias(str(index)) for index, arg in enumerate(args))
    return pl.when(pl.all_horizontal(arg.is_not_null() for arg in nullable)).then(fields) if nullable else fields


def _per_row(lowered: pl.Expr, expression: object) -> pl.Expr:
    """Makes a constant as long as the group, so that it counts once a row."""
    constant = not any(columns_of(expression))  # type: ignore[arg-type]
    return pl.when(pl.int_range(pl.len()) >= 0).then(lowered) if constant else lowered
