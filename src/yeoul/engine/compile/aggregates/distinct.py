"""DISTINCT aggregates whose values are kept one by one, beside the groups, and not as a set within each group's row.

A value counts when it is new to its group, and is taken back when its last row is: so a DISTINCT aggregate is the plain
one over the changes to the group's different values, which whoever keeps the values hands over (`CHANGES`, `VALUE`). It
costs what a batch brings, however many values there are. Aggregates of one argument keep its values together, also
under different filters: for each value it is known which filters let a row of it through.

What can only be told of all values at once (LISTAGG, percentiles) is not here: its answer is as large as the set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, Job
from yeoul.engine.compile.aggregates.lowering import argument_of, filter_of, without_taken
from yeoul.engine.compile.aggregates.spread import spread
from yeoul.engine.compile.aggregates.totals import average, sum_of
from yeoul.engine.compile.expressions import EvaluationContext
from yeoul.kernels.folding import Fold, Tell
from yeoul.plan.expressions import AggregateCall, Expression
from yeoul.plan.nodes import Aggregation

__all__ = ["VALUE", "DistinctValues", "change_of", "compile_distinct", "split_distinct"]

VALUE = "$value"
"""The column of values whose standing in their group changes."""
_MOST_FILTERS = 63
"""So many fit into the bits of a word."""
_TOTALS = {"sum": sum_of, "sum0": sum_of, "avg": average}
_SPREADS = dict.fromkeys(("stddev_pop", "stddev_samp", "var_pop", "var_samp"), spread)


def change_of(filter_: int) -> str:
    """Returns the column that says what became of a value under a filter: 1 it is new, -1 it is gone, 0 neither."""
    return f"$change{filter_}"


@dataclass(frozen=True, slots=True)
class DistinctValues:
    """The different values of an argument, and the aggregates over them.

    Attributes:
        name: A name of its own.
        value: Over rows: the argument; a NULL counts for nothing.
        filters: Over rows: which count; None: all.
        keeps_value: Whether an aggregate asks for the value itself, in `VALUE`.
        aggregates: Over changes, each with the columns `change_of` of its filter, and `VALUE`.
    """

    name: str
    value: pl.Expr
    filters: tuple[pl.Expr | None, ...]
    keeps_value: bool
    aggregates: tuple[CompiledAggregate, ...]


def split_distinct(
    calls: Iterable[Aggregation], *, weighted: bool
) -> tuple[list[Aggregation], list[list[Aggregation]]]:
    """Returns the aggregates that are compiled each for itself, and the others by the values that they share.

    Args:
        calls: The aggregates of one grouping.
        weighted: Whether rows may be taken back.
    """
    plain: list[Aggregation] = []
    sharing: dict[tuple[Expression, ...], list[Aggregation]] = {}
    for one in calls:
        if one.call.distinct and _adds_up(one.call, weighted=weighted):
            sharing.setdefault(one.call.args, []).append(one)
        else:
            plain.append(one)
    return plain, list(sharing.values())


def compile_distinct(
    sharing: Iterable[Sequence[Aggregation]], context: EvaluationContext | None = None, weight: str | None = None
) -> list[DistinctValues]:
    """Lowers what `split_distinct` says to share values.

    Args:
        sharing: Aggregates of one argument each.
        context: The clock and the session's time zone.
        weight: The column that says whether a row counts or is taken back; None: every row counts.
    """
    context = context or EvaluationContext()
    made: list[DistinctValues] = []
    for calls in sharing:
        filters = list(dict.fromkeys(one.call.filter for one in calls))
        for first in range(0, len(filters), _MOST_FILTERS):
            some = filters[first : first + _MOST_FILTERS]
            chosen = [one for one in calls if one.call.filter in some]
            made.append(_compiled(f"$distinct{len(made)}", chosen, some, context, weight))
    return made


def _compiled(
    name: str,
    calls: Sequence[Aggregation],
    filters: Sequence[Expression | None],
    context: EvaluationContext,
    weight: str | None,
) -> DistinctValues:
    taken: set[str] = set()
    numbers = {filter_: number for number, filter_ in enumerate(filters)}
    return DistinctValues(
        name,
        argument_of(calls[0].call, context),
        tuple(filter_of(one, context) for one in filters),
        any(one.call.function != "count" for one in calls),
        tuple(without_taken(_over_changes(one, name, numbers[one.call.filter], weight), taken) for one in calls),
    )


def _over_changes(one: Aggregation, name: str, filter_: int, weight: str | None) -> CompiledAggregate:
    call, change = replace(one.call, distinct=False, filter=None), pl.col(change_of(filter_))
    state = f"{name}.{filter_}" if call.function not in _SPREADS else f"{name}.{filter_}.spread"
    counts = change != 0
    job = Job(call, one.name, pl.when(counts).then(pl.col(VALUE)), counts, change if weight else None, state=state)
    if call.function == "count":
        count = job.column("count")
        return job.done({"count": change.sum()}, {"count": count.sum()}, count, Fold.SUM, {"count": Tell.VALUE})
    return {**_TOTALS, **_SPREADS}[call.function](job)


def _adds_up(call: AggregateCall, *, weighted: bool) -> bool:
    """Whether an answer follows from the answer before and the values that came and went."""
    return call.function == "count" or call.function in _TOTALS or (call.function in _SPREADS and not weighted)
