"""An outer join whose filled-up rows the filter above drops anyway becomes one that does not fill up.

`a LEFT JOIN b ... WHERE b.x = 1` has no row without a partner: b.x is NULL there, and NULL = 1 is not true. As an inner
join it never takes a row back, and the condition moves below it.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from yeoul.plan.expressions import Call, Cast, ColumnRef, Expression
from yeoul.plan.nodes import Filter, Join, JoinKind, Node, Project
from yeoul.planner.rewriting import conjuncts, replaced, with_inputs

__all__ = ["strengthen_joins"]

_COMPARISONS = frozenset(["equals", "not_equals", "less", "less_or_equal", "greater", "greater_or_equal"])
_STRICT = _COMPARISONS | {"like", "not_like"}
"""Conditions that are not true if either operand is NULL."""
_FIRST_ONLY = frozenset(["in", "between", "is_not_null", "is_true", "is_false"])
_PASSING = frozenset(["add", "subtract", "multiply", "divide", "modulo", "negate", "upper", "lower", "trim"])
"""Functions that are NULL if an operand is."""


def strengthen_joins(node: Node) -> Node:
    """Strengthens the joins of a plan."""
    node = with_inputs(node, strengthen_joins)
    if not isinstance(node, Filter):
        return node
    below = _strengthened(node.input, node.predicate)
    return node if below is node.input else replace(node, input=below)


def _strengthened(node: Node, predicate: Expression) -> Node:
    """Returns what a filter stands on, as strong as the filter makes it; it may stand on a projection of a join."""
    match node:
        case Join():
            kind = _kind(node, frozenset[str]().union(*map(_not_null, conjuncts(predicate))))
            return node if kind is node.kind else replace(node, kind=kind)
        case Project():
            values = {one.name: one.expression for one in node.projections}
            below = _strengthened(node.input, replaced(predicate, values))
            return node if below is node.input else replace(node, input=below)
        case Filter():
            below = _strengthened(node.input, predicate)
            return node if below is node.input else replace(node, input=below)
        case _:
            return node


def _kind(join: Join, not_null: Set[str]) -> JoinKind:
    """Returns what a join has to be if some columns of its rows are not NULL."""
    left = not join.kind.keeps_right or bool(not_null & set(join.left.schema.names))
    right = not join.kind.keeps_left or bool(not_null & set(join.right.schema.names))
    match join.kind, left, right:
        case (JoinKind.LEFT | JoinKind.RIGHT | JoinKind.FULL, True, True):
            return JoinKind.INNER
        case (JoinKind.FULL, True, False):
            return JoinKind.LEFT
        case (JoinKind.FULL, False, True):
            return JoinKind.RIGHT
        case _:
            return join.kind


def _not_null(part: Expression) -> frozenset[str]:
    """Returns the columns of which a true condition says that they are not NULL."""
    if not isinstance(part, Call):
        return frozenset()
    if part.function in _FIRST_ONLY:
        return _carriers(part.args[0])
    if part.function in _STRICT:
        return _carriers(part.args[0]) | _carriers(part.args[1])
    return frozenset()


def _carriers(value: Expression) -> frozenset[str]:
    """Returns the columns whose NULL makes a value NULL."""
    match value:
        case ColumnRef(name=name):
            return frozenset({name})
        case Cast(operand=operand):
            return _carriers(operand)
        case Call(function=function, args=args) if function in _PASSING:
            return frozenset[str]().union(*map(_carriers, args))
        case _:
            return frozenset()
