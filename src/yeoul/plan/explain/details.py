"""What EXPLAIN CHANGELOG, STATE and WATERMARK print: a plan's nodes, each with one of its properties.

The tree is that of `explain`, a node's own details left out. Nothing here runs anything.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import replace

from yeoul.plan.changelog import Change, StateBound, changelog_of, state_of, told_after
from yeoul.plan.explain.expressions import explain_duration, explain_expression
from yeoul.plan.explain.nodes import describe_node
from yeoul.plan.explain.tree import tree_lines
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Join,
    Node,
    Scan,
    WindowAggregate,
    Write,
    inputs_of,
    readers_of,
    walk,
)

__all__ = ["ExplainDetail", "explain_details"]


class ExplainDetail(enum.Enum):
    """What to tell of each node."""

    CHANGELOG = "CHANGELOG"
    """Which changes it gives, and what identifies a row."""
    STATE = "STATE"
    """What it remembers, and what bounds that."""
    WATERMARK = "WATERMARK"
    """How far event time has come above it, and what that follows."""


def explain_details(
    plan: Node,
    detail: ExplainDetail,
    among: Sequence[Node] = (),
    *,
    state_ttl_ms: int | None = None,
    forgets: bool = True,
    has_rounds: bool = False,
) -> str:
    """Returns a plan as an indented tree, a line below each node with one of its properties.

    Args:
        plan: Any plan.
        detail: Which property.
        among: The plans that run as one with it, itself included: what they share is told with the first of them.
        state_ttl_ms: How long untouched state is kept; None: for ever.
        forgets: Whether untouched state is forgotten at all; if not, hints say nothing.
        has_rounds: Whether the changes of a round are netted, for which each row's former state is needed.

    Example:
        >>> from yeoul.plan.nodes import Field, Schema, Values
        >>> from yeoul.plan.types import INT
        >>> print(explain_details(Values(((1,), (2,)), Schema((Field("a", INT),))), ExplainDetail.CHANGELOG))
        Values(2 rows: (1), (2))  -> a INT
            changes: [I], keys: none known
    """
    is_after: set[int] = set()
    if isinstance(plan, Write) and not has_rounds:
        is_after = {id(node) for node in told_after(plan, readers_of(*(among or (plan,))))}
    tell: dict[ExplainDetail, Callable[[Node], str]] = {
        ExplainDetail.CHANGELOG: lambda node: _changelog(node, tells_before=id(node) not in is_after),
        ExplainDetail.STATE: lambda node: _state(node if forgets else _kept_for_ever(node), state_ttl_ms),
        ExplainDetail.WATERMARK: _watermark,
    }
    return "\n".join(tree_lines(plan, lambda node: [describe_node(node)[0], tell[detail](node)], among))


def _changelog(node: Node, *, tells_before: bool) -> str:
    changelog = changelog_of(node)
    if not tells_before:
        changelog = replace(changelog, changes=changelog.changes - {Change.UPDATE_BEFORE})
    keys = sorted((sorted(key) for key in changelog.keys), key=lambda key: (len(key), key))
    shown = " or ".join(f"({', '.join(key)})" if key else "one row at most" for key in keys)
    return f"changes: {changelog}, keys: {shown or 'none known'}"


def _kept_for_ever(node: Node) -> Node:
    match node:
        case Aggregate():
            return replace(node, ttl_ms=None)
        case Join():
            return replace(node, ttl_ms=(None, None))
        case _:
            return node


def _state(node: Node, ttl_ms: int | None) -> str:
    bound, why = state_of(node)
    if bound is StateBound.NONE:
        return "state: none"
    if bound is StateBound.UNBOUNDED and ttl_ms is not None:
        why = why.replace("never dropped", f"dropped when untouched for {explain_duration(ttl_ms)}")
        return f"state: bounded by 'table.exec.state.ttl': {why}"
    return f"state: {bound.value}: {why}"


def _watermark(node: Node) -> str:
    if isinstance(node, AssignWatermark):
        table = next((one.table.name for one in walk(node) if isinstance(one, Scan)), "?")
        text = f"watermark: {explain_expression(node.expression)}, the least over the splits of {table}"
        idle_ms = node.idle_timeout_ms
        return text if idle_ms is None else f"{text} that are not idle for {explain_duration(idle_ms)}"
    if not any(isinstance(one, AssignWatermark) for one in walk(node)):
        return "watermark: none"
    if isinstance(node, WindowAggregate):
        return "watermark: as below; a window is given when it passes the window's end"
    return "watermark: as below" if len(inputs_of(node)) == 1 else "watermark: the least of those below"
