"""`CAST(column AS wider) > literal` becomes `column > literal`: the literal takes the column's type, once.

Comparing an INT with a BIGINT literal, or DECIMAL(10, 2) with 100, binds by widening the column, a cast for every row.
If every literal among the operands is a value of the column's own type, the cast can go. Exact numbers only: a FLOAT
widened is not what its digits say.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from yeoul.plan.expressions import Call, Cast, Expression, Literal
from yeoul.plan.nodes import Node
from yeoul.plan.types import DataType, Kind
from yeoul.planner.casts import can_widen
from yeoul.planner.folding import folded
from yeoul.planner.rewriting import map_children, map_expressions, with_inputs

__all__ = ["narrow_comparisons"]

_COMPARISONS = frozenset(
    [
        "equals",
        "not_equals",
        "less",
        "less_or_equal",
        "greater",
        "greater_or_equal",
        "in",
        "not_in",
        "between",
        "not_between",
        "is_distinct_from",
        "is_not_distinct_from",
    ]
)


def narrow_comparisons(node: Node) -> Node:
    """Narrows the comparisons of a plan."""
    node = with_inputs(node, narrow_comparisons)
    changed = map_expressions(node, _narrowed)
    return node if changed == node else changed


def _narrowed(expression: Expression) -> Expression:
    expression = map_children(expression, _narrowed)
    if not (isinstance(expression, Call) and expression.function in _COMPARISONS):
        return expression
    expression = map_children(expression, folded)
    assert isinstance(expression, Call)
    casts = [arg for arg in expression.args if isinstance(arg, Cast)]
    others = [arg for arg in expression.args if not isinstance(arg, Cast)]
    types = {cast.operand.type.or_null() for cast in casts if _is_exact_widening(cast)}
    if len(types) != 1 or not all(_is_exact_widening(cast) for cast in casts):
        return expression
    target = types.pop()
    literals = {id(arg): _as(arg, target) for arg in others}
    if any(literal is None for literal in literals.values()):
        return expression
    args = [arg.operand if isinstance(arg, Cast) else literals[id(arg)] for arg in expression.args]
    return replace(expression, args=tuple(arg for arg in args if arg is not None))


def _is_exact_widening(cast: Cast) -> bool:
    source = cast.operand.type
    exact = source.is_integer or source.kind is Kind.DECIMAL
    return exact and not cast.type.is_float and cast.type.is_numeric and can_widen(source, cast.type)


def _as(arg: Expression, target: DataType) -> Literal | None:
    """Returns a literal of the target type with the same value, None if there is none or it is no literal."""
    if not isinstance(arg, Literal) or isinstance(arg.value, bool):
        return None
    if arg.value is None:
        return replace(arg, type=target)
    if isinstance(arg.value, Decimal) and target.is_integer:
        if arg.value != arg.value.to_integral_value():
            return None
        arg = replace(arg, value=int(arg.value))
    cast = folded(Cast(arg, target))
    return cast if isinstance(cast, Literal) else None
