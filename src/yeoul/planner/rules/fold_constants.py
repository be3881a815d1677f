"""Computes what needs no rows: logic over constants, signs, and casts that cannot fail.

Kept small on purpose: whatever could differ by a digit from the engine's own arithmetic is left to the engine.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from yeoul.plan.expressions import Call, Case, Cast, Expression, Literal
from yeoul.plan.nodes import Aggregate, AssignWatermark, Filter, Node, Project, WindowAggregate
from yeoul.plan.types import BOOLEAN, DataType, Kind
from yeoul.planner.rewriting import map_call, map_children, with_inputs

__all__ = ["fold_constants", "folded"]


def fold_constants(node: Node) -> Node:
    """Folds every expression of a plan; a filter that is always true goes."""
    node = with_inputs(node, fold_constants)
    match node:
        case Project():
            projections = tuple(replace(one, expression=folded(one.expression)) for one in node.projections)
            return node if projections == node.projections else replace(node, projections=projections)
        case Filter():
            predicate = folded(node.predicate)
            if isinstance(predicate, Literal) and predicate.value is True:
                return node.input
            return node if predicate == node.predicate else replace(node, predicate=predicate)
        case AssignWatermark():
            return replace(node, expression=folded(node.expression))
        case Aggregate() | WindowAggregate():
            keys = tuple(replace(one, expression=folded(one.expression)) for one in node.keys)
            aggregates = tuple(replace(one, call=map_call(one.call, folded)) for one in node.aggregates)
            return replace(node, keys=keys, aggregates=aggregates)
        case _:
            return node


def folded(expression: Expression) -> Expression:
    """Returns an expression with its constant parts computed."""
    expression = map_children(expression, folded)
    match expression:
        case Call():
            return _folded_call(expression)
        case Cast(operand=Literal() as literal):
            return _folded_cast(expression, literal)
        case Case():
            return _folded_case(expression)
        case _:
            return expression


def _folded_call(call: Call) -> Expression:
    match call.function, call.args:
        case ("and", _):
            return _folded_logic(call, absorbing=False)
        case ("or", _):
            return _folded_logic(call, absorbing=True)
        case ("not", (Literal(value=bool() as value),)):
            return Literal(not value, BOOLEAN.not_null(), call.span)
        case ("not", (Call(function="not", args=(inner,)),)):
            return inner
        case ("negate", (Literal(value=(int() | float() | Decimal()) as value, type=type),)):
            fits = not isinstance(value, bool) and _in_range(-value, type)
            return Literal(-value, type, call.span) if fits else call
        case (("is_null" | "is_not_null") as name, (Literal(value=value),)):
            return Literal((value is None) == (name == "is_null"), BOOLEAN.not_null(), call.span)
        case _:
            return call


def _folded_logic(call: Call, *, absorbing: bool) -> Expression:
    """AND is decided by one FALSE, OR by one TRUE; the other truth value can be left out."""
    kept = []
    for arg in call.args:
        if isinstance(arg, Literal) and arg.value is absorbing:
            return Literal(absorbing, BOOLEAN.not_null(), call.span)
        if not (isinstance(arg, Literal) and arg.value is (not absorbing)):
            kept.append(arg)
    if not kept:
        return Literal(not absorbing, BOOLEAN.not_null(), call.span)
    if len(kept) == 1:
        return kept[0]
    return call if len(kept) == len(call.args) else replace(call, args=tuple(kept))


def _folded_cast(cast: Cast, literal: Literal) -> Expression:
    value, target = literal.value, cast.type
    if value is None:
        return Literal(None, target.or_null(), cast.span)
    if isinstance(value, bool) or not literal.type.is_numeric:
        return cast
    type = target.not_null()
    if target.is_integer and isinstance(value, int) and _in_range(value, target):
        return Literal(value, type, cast.span)
    if target.kind is Kind.DOUBLE and isinstance(value, (int, Decimal)):
        return Literal(float(value), type, cast.span)
    if target.kind is Kind.DECIMAL and isinstance(value, (int, Decimal)):
        exact = _rescaled(Decimal(value), target)
        return cast if exact is None else Literal(exact, type, cast.span)
    return cast


def _rescaled(value: Decimal, target: DataType) -> Decimal | None:
    """Returns the value with the target's scale, None if digits would be lost."""
    scale, precision = target.scale or 0, target.precision or 0
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or -exponent > scale or len(digits) + exponent + scale > precision:
        return None
    shift = scale + exponent
    return Decimal((value.as_tuple().sign, (*digits, *([0] * shift)), -scale))


_BITS = {Kind.TINYINT: 7, Kind.SMALLINT: 15, Kind.INT: 31, Kind.BIGINT: 63}


def _in_range(value: int | float | Decimal, type: DataType) -> bool:
    bits = _BITS.get(type.kind)
    return bits is None or -(1 << bits) <= value < (1 << bits)


def _folded_case(case: Case) -> Expression:
    branches: list[tuple[Expression, Expression]] = []
    for condition, value in case.branches:
        if isinstance(condition, Literal) and condition.value is True:
            return value if not branches else replace(case, branches=tuple(branches), otherwise=value)
        if not isinstance(condition, Literal):
            branches.append((condition, value))
    if not branches:
        return case.otherwise
    return replace(case, branches=tuple(branches))
