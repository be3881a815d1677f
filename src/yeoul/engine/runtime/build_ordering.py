"""Operators of what goes by order: OVER, Top-N, deduplication, ORDER BY."""

from __future__ import annotations

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.operators.contract import Operator
from yeoul.engine.operators.deduplicate import FirstRows, LastRows
from yeoul.engine.operators.sort import SortAtEnd, SortByTime
from yeoul.engine.operators.top_n import RetractableTopN, TopN, TopNRows
from yeoul.engine.runtime.settings import Settings
from yeoul.plan import nodes
from yeoul.plan.changelog import is_updating
from yeoul.plan.ordering import OverTime

__all__ = ["deduplicate_operator", "judges_lateness", "sort_operator", "top_n_operator"]


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
    kind = RetractableTopN if is_updating(node.input) else TopN
    return kind(asked, clock=settings.clock, ttl_ms=settings.state_ttl_ms)


def deduplicate_operator(node: nodes.Deduplicate, settings: Settings) -> Operator:
    """Returns what computes a deduplication."""
    columns = {one.name: polars_dtype(one.type) for one in node.schema.fields}
    clock, ttl_ms = settings.clock, settings.state_ttl_ms
    by_event = node.time is OverTime.EVENT
    if node.keeps_last:
        column = node.column if by_event else None
        return LastRows(columns, node.keys, column, updating=node.updating, clock=clock, ttl_ms=ttl_ms)
    time = OverTime.END if by_event and not node.updating else node.time
    return FirstRows(columns, node.keys, node.column, time, clock=clock, ttl_ms=ttl_ms)


def sort_operator(node: nodes.Sort) -> Operator:
    """Returns what computes an ORDER BY."""
    if node.time is OverTime.EVENT:
        return SortByTime(node.schema.names, node.order)
    retracts = is_updating(node.input)
    return SortAtEnd(node.schema.names, node.order, node.offset, node.count, retracts=retracts)


def judges_lateness(operator: Operator) -> bool:
    """Tells whether an operator of these sets rows aside that the watermark had passed."""
    if isinstance(operator, FirstRows):
        return operator.time is OverTime.EVENT
    return isinstance(operator, SortByTime)
