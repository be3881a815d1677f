"""Operators of what goes by order: OVER, Top-N, deduplication, ORDER BY."""

from __future__ import annotations

from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.compile.lowering import constant_of
from yeoul.engine.operators.contract import Operator
from yeoul.engine.operators.ordered import deduplicate
from yeoul.engine.operators.ordered.first_places import FirstPlaces
from yeoul.engine.operators.ordered.lookback import LastRows, LastTime, Lookback, Merged, Nothing
from yeoul.engine.operators.ordered.over import Over, OverFunction, OverWindow
from yeoul.engine.operators.ordered.retractable_top_n import RetractableTopN
from yeoul.engine.operators.ordered.sort import SortAtEnd, SortByTime
from yeoul.engine.operators.ordered.top_n import TopN
from yeoul.engine.operators.ordered.top_n_rows import TopNRows
from yeoul.engine.runtime.settings import Settings
from yeoul.plan import nodes
from yeoul.plan.changelog import is_updating
from yeoul.plan.functions.rankings import NEIGHBOURS
from yeoul.plan.ordering import FrameUnit, OverTime

__all__ = ["deduplicate_operator", "over_operator", "sort_operator", "top_n_operator"]


_EVERY_ROW = 2**62
"""How many rows LAG may look back if each row says how many."""


def over_operator(node: nodes.Over, context: EvaluationContext, settings: Settings) -> Over:
    """Returns what computes an OVER.

    Raises:
        UserError: A function cannot be computed.
    """
    assert node.time is not None
    window = OverWindow(node.input.schema.names, node.partition, node.order, node.frame, node.time)
    functions = [_over_function(one, context) for one in node.calls]
    return Over(window, functions, _lookback(node, settings))


def _over_function(one: nodes.Aggregation, context: EvaluationContext) -> OverFunction:
    call, dtype = one.call, polars_dtype(one.call.type)
    if call.function in ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist"):
        return OverFunction(one.name, call, dtype)
    if call.function == "ntile":
        buckets = constant_of(call.args[0])
        assert isinstance(buckets, int)
        return OverFunction(one.name, call, dtype, offset=buckets)
    if call.function not in NEIGHBOURS:
        return OverFunction(one.name, call, dtype, compile_aggregate(call, one.name, context))
    value, *more = (compile_expression(each, context) for each in call.args)
    known = constant_of(call.args[1]) if more else 1
    offset = known if isinstance(known, int) else more[0]
    return OverFunction(one.name, call, dtype, None, value, offset, more[1] if len(more) > 1 else None)


def _lookback(node: nodes.Over, settings: Settings) -> Lookback:
    clock, ttl_ms, reach = settings.clock, settings.state_ttl_ms, node.frame.preceding
    if node.time is OverTime.END or reach == 0:
        return Nothing()
    if reach is None and any(one.call.function in NEIGHBOURS for one in node.calls):
        return LastRows(_EVERY_ROW, clock=clock, ttl_ms=ttl_ms)
    if reach is None:
        return Merged(clock=clock, ttl_ms=ttl_ms)
    if node.frame.unit is FrameUnit.ROWS:
        return LastRows(reach, clock=clock, ttl_ms=ttl_ms)
    return LastTime(reach, by_arrival=node.time is OverTime.PROCESSING)


def top_n_operator(node: nodes.TopN, settings: Settings) -> Operator:
    """Returns what computes a Top-N, over rows that stand or that can be taken back."""
    asked = TopNRows(
        {one.name: polars_dtype(one.type) for one in node.input.schema.fields},
        node.partition,
        node.order,
        node.ranking,
        node.first,
        node.last,
        node.rank,
        node.updating,
    )
    standing = FirstPlaces if asked.is_first_place else TopN
    kind = RetractableTopN if is_updating(node.input) else standing
    return kind(asked, clock=settings.clock, ttl_ms=settings.state_ttl_ms)


def deduplicate_operator(node: nodes.Deduplicate, settings: Settings) -> Operator:
    """Returns what computes a deduplication."""
    columns = {one.name: polars_dtype(one.type) for one in node.schema.fields}
    clock, ttl_ms = settings.clock, settings.state_ttl_ms
    by_event = node.time is OverTime.EVENT
    if node.keeps_last:
        column = node.column if by_event else None
        return deduplicate.LastRows(columns, node.keys, column, updating=node.updating, clock=clock, ttl_ms=ttl_ms)
    time = OverTime.END if by_event and not node.updating else node.time
    return deduplicate.FirstRows(columns, node.keys, node.column, time, clock=clock, ttl_ms=ttl_ms)


def sort_operator(node: nodes.Sort) -> Operator:
    """Returns what computes an ORDER BY."""
    if node.time is OverTime.EVENT:
        return SortByTime(node.schema.names, node.order)
    retracts = is_updating(node.input)
    return SortAtEnd(node.schema.names, node.order, node.offset, node.count, retracts=retracts)
