"""Time attributes: which columns say when a row happened, or when it was read."""

from __future__ import annotations

from yeoul.plan.expressions import Call, ColumnRef, Expression
from yeoul.plan.nodes import Node, Project, Union, inputs_of
from yeoul.plan.ordering import OverTime

__all__ = ["time_of"]


def time_of(node: Node, column: str) -> OverTime | None:
    """Returns the notion of time that a column of a node stands for; None if it is no time attribute."""
    if column in node.schema and node.schema[column].is_rowtime:
        return OverTime.EVENT
    return OverTime.PROCESSING if _is_proctime(node, ColumnRef(column, node.schema[column].type)) else None


def _is_proctime(node: Node, expression: Expression) -> bool:
    """Follows a column down to PROCTIME()."""
    if not isinstance(expression, ColumnRef):
        return isinstance(expression, Call) and expression.function == "proctime"
    if isinstance(node, Project):
        found = next((one.expression for one in node.projections if one.name == expression.name), None)
        return found is not None and _is_proctime(node.input, found)
    below = [one for one in inputs_of(node) if expression.name in one.schema]
    return len(below) == 1 and not isinstance(node, Union) and _is_proctime(below[0], expression)
