"""Lines of what goes by the order of rows."""

from __future__ import annotations

from yeoul.plan.explain.expressions import explain_aggregate_call, explain_duration
from yeoul.plan.explain.parts import (
    names_text,
    order_text,
)
from yeoul.plan.functions.rankings import NEIGHBOURS, SHARES
from yeoul.plan.nodes import Deduplicate, Over, Sort, TopN
from yeoul.plan.ordering import Frame, FrameUnit, OverTime

__all__ = ["deduplicate_lines", "over_lines", "sort_lines", "top_n_lines"]


def over_lines(node: Over) -> list[str]:
    """Returns the lines of OVER."""
    lines = [f"Over(partition: {names_text(node.partition)}; order: {order_text(node.order)})"]
    asks = any(one.call.function not in _ORDERED for one in node.calls)
    if asks:
        lines.append(f"frame: {_frame(node.frame)}")
    lines.append("calls: " + ", ".join(f"{one.name} = {explain_aggregate_call(one.call)}" for one in node.calls))
    emits = {
        OverTime.EVENT: "each row when the watermark has passed it, in order",
        OverTime.PROCESSING: "each row at once",
        OverTime.END: "every row, at the end of the input",
        None: "nothing: it is ordered by no time attribute",
    }
    return [*lines, f"emits: {emits[node.time]}"]


_ORDERED = frozenset({"row_number", "rank", "dense_rank", *NEIGHBOURS, *SHARES})


def _frame(frame: Frame) -> str:
    def bound(offset: int | None, side: str) -> str:
        if offset is None:
            return f"UNBOUNDED {side}"
        if offset == 0:
            return "CURRENT ROW"
        return f"{offset if frame.unit is FrameUnit.ROWS else explain_duration(offset)} {side}"

    return f"{frame.unit.value} BETWEEN {bound(frame.preceding, 'PRECEDING')} AND {bound(frame.following, 'FOLLOWING')}"


def top_n_lines(node: TopN) -> list[str]:
    """Returns the lines of a Top-N."""
    ranks = f"{node.first} to {node.last}" if node.first < node.last else str(node.first)
    rows = f"partition: {names_text(node.partition)}; order: {order_text(node.order)}"
    head = f"TopN({node.ranking.value.upper()} {ranks}; {rows})"
    lines = [head] if node.rank is None else [head, f"rank: {node.rank}"]
    when = "at each batch the rows that come and go" if node.updating else "every row once, at the end of the input"
    return [*lines, f"emits: {when}"]


def deduplicate_lines(node: Deduplicate) -> list[str]:
    """Returns the lines of a deduplication."""
    which = "last" if node.keeps_last else "first"
    head = f"Deduplicate({which} row by {node.column}, {node.time.value}; keys: {names_text(node.keys)})"
    if not node.updating:
        when = "each key's row once, at the end of the input"
    elif node.keeps_last:
        when = "at each batch the keys whose row it changes"
    elif node.time is OverTime.EVENT:
        when = "each key's row once, when the watermark has passed it"
    else:
        when = "each key's row once, as it comes"
    return [head, f"emits: {when}"]


def sort_lines(node: Sort) -> list[str]:
    """Returns the lines of ORDER BY."""
    some = "" if node.count is None else f", {node.count} rows"
    some += f", offset {node.offset}" if node.offset else ""
    when = "rows when the watermark has passed them" if node.time is OverTime.EVENT else "at the end of the input"
    return [f"Sort({order_text(node.order)}{some})", f"emits: {when}"]
