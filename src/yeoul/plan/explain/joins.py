"""Lines of joins."""

from __future__ import annotations

from yeoul.plan.explain.expressions import explain_duration, explain_expression
from yeoul.plan.explain.parts import columns_text
from yeoul.plan.expressions import ColumnRef
from yeoul.plan.join_bounds import AsOf, Interval, JoinBound, SameWindow
from yeoul.plan.nodes import Join, JoinKey, LookupJoin

__all__ = ["join_lines", "lookup_join_lines"]


def join_lines(node: Join) -> list[str]:
    """Returns the lines of a join of two inputs."""
    equal = map(_key, node.keys)
    bound = "" if node.bound is None else _BOUND_NAMES[type(node.bound)]
    lines = [f"{bound}Join({node.kind.value}: {', '.join(equal) or 'every row with every row'})"]
    if node.bound is not None:
        lines.append(_bound(node.bound))
    if node.condition is not None:
        lines.append(f"where: {explain_expression(node.condition)}")
    return [*lines, f"columns: {columns_text(node.schema)}"]


def _key(key: JoinKey) -> str:
    equal = "IS NOT DISTINCT FROM" if key.nulls_meet else "="
    return f"{explain_expression(key.left)} {equal} {explain_expression(key.right)}"


_BOUND_NAMES = {Interval: "Interval", SameWindow: "Window", AsOf: "Temporal"}


def _bound(bound: JoinBound) -> str:
    match bound:
        case Interval():
            low, high = (explain_duration(one) for one in (bound.lower_ms, bound.upper_ms))
            clock = " by the clock" if bound.by_clock else ""
            return f"within: {bound.left_time} - {bound.right_time} between {low} and {high}{clock}"
        case SameWindow():
            return f"within: one window, [{', '.join(bound.left)}] = [{', '.join(bound.right)}], joined as it closes"
        case AsOf():
            return f"as of: {bound.left_time}, the last version whose {bound.right_time} is not after it"


def lookup_join_lines(node: LookupJoin) -> list[str]:
    """Returns the lines of a join with an outside table."""
    equal = ", ".join(f"{explain_expression(value)} = {column}" for value, column in node.keys)
    connector = node.table.options.get("connector", "?")
    kind = "LEFT" if node.keeps_left else "INNER"
    lines = [f"LookupJoin({kind}: {equal}; table {node.table.table.name}, connector {connector})"]
    computed = [one for one in node.values if not isinstance(one.expression, ColumnRef)]
    if computed:
        lines.append("computed: " + ", ".join(f"{one.name} = {explain_expression(one.expression)}" for one in computed))
    if node.condition is not None:
        lines.append(f"where: {explain_expression(node.condition)}")
    return [*lines, f"asked for: {columns_text(node.table.schema)}", f"columns: {columns_text(node.schema)}"]
