"""Operators: signs between operands, and the words that stand as such (IS, BETWEEN, IN, LIKE, NOT)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan import types
from yeoul.plan.expressions import Call, Expression, Literal
from yeoul.plan.types import Kind
from yeoul.planner.binding.expressions.calls import call
from yeoul.planner.binding.expressions.literals import number_value

if TYPE_CHECKING:
    from yeoul.planner.binding.expressions.binder import ExpressionBinder

__all__ = ["BINARY", "between", "binary", "in_", "is_", "item", "like", "negated", "negative", "row"]

BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Div: "divide",
    exp.Mod: "modulo",
    exp.DPipe: "concat",
    exp.EQ: "equals",
    exp.NEQ: "not_equals",
    exp.LT: "less",
    exp.LTE: "less_or_equal",
    exp.GT: "greater",
    exp.GTE: "greater_or_equal",
    exp.And: "and",
    exp.Or: "or",
    exp.NullSafeEQ: "is_not_distinct_from",
    exp.NullSafeNEQ: "is_distinct_from",
}
_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "modulo": "%",
    "concat": "||",
    "equals": "=",
    "not_equals": "<>",
    "less": "<",
    "less_or_equal": "<=",
    "greater": ">",
    "greater_or_equal": ">=",
    "and": "AND",
    "or": "OR",
    "is_not_distinct_from": "IS NOT DISTINCT FROM",
    "is_distinct_from": "IS DISTINCT FROM",
}
_NEGATED = {
    "in": "not_in",
    "between": "not_between",
    "like": "not_like",
    "similar": "not_similar",
    "is_null": "is_not_null",
    "is_true": "is_not_true",
    "is_false": "is_not_false",
}


def binary(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    """`a + b`, `a = b`, `a AND b`, ...; errors name the sign."""
    operator = BINARY[type(node)]
    args = (binder.bind(node.this), binder.bind(node.args["expression"]))
    try:
        return call(operator, args, span)
    except UserError as error:
        left, right = (str(arg.type.or_null()) for arg in args)
        hint = error.hint or _operand_hint(operator)
        raise UserError(f"{_SIGNS[operator]} does not take {left} and {right}", hint=hint, span=span) from None


def _operand_hint(operator: str) -> str:
    if operator in ("and", "or"):
        return "Both sides are conditions: x = 1, x <> '', x IS NOT NULL"
    return "CAST(x AS type) converts one side"


def negative(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    operand = binder.bind(node.this)
    if isinstance(operand, Literal) and isinstance(operand.value, (int, float)) and operand.type.is_numeric:
        return Literal(-operand.value, operand.type, span)
    if isinstance(operand, Literal) and operand.type.kind is Kind.DECIMAL and operand.value is not None:
        value, type = number_value(node.this.name)
        small = value == 1 << 63  # the least BIGINT has no positive twin
        return Literal(int(-value) if small else -value, types.BIGINT.not_null() if small else type, span)
    return call("negate", (operand,), span)


def negated(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    inner = binder.bind(node.this)
    if isinstance(inner, Call) and inner.function in _NEGATED and not isinstance(node.this, exp.Not):
        return Call(_NEGATED[inner.function], inner.args, inner.type, span)
    return call("not", (inner,), span)


def is_(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    right = node.args["expression"]
    name = "is_null" if isinstance(right, exp.Null) else "is_true" if right.this else "is_false"
    return call(name, (binder.bind(node.this),), span)


def between(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    value, low, high = (binder.bind(node.args[key]) for key in ("this", "low", "high"))
    straight = call("between", (value, low, high), span)
    if not node.args.get("symmetric"):
        return straight
    return call("or", (straight, call("between", (value, high, low), span)), span)


def in_(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    if node.args.get("query") is not None:
        return binder.subqueries_here(span).contained(binder, node, span)
    return call("in", [binder.bind(node.this), *(binder.bind(item) for item in node.expressions)], span)


def like(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    escape = node.args["expression"] if isinstance(node, exp.Escape) else None
    pattern = node.this if isinstance(node, exp.Escape) else node
    name = "like" if isinstance(pattern, exp.Like) else "similar"
    operands = [pattern.this, pattern.args["expression"], *([escape] if escape is not None else [])]
    return call(name, [binder.bind(one) for one in operands], span)


def item(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return call("item", (binder.bind(node.this), binder.bind(node.expressions[0])), span)


def row(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return call("row", [binder.bind(one) for one in node.expressions], span)
