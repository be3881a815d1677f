"""CASE and CAST: what decides, and what changes, a value's type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan import types
from yeoul.plan.expressions import Case, Cast, Expression, Literal
from yeoul.plan.functions import can_cast, common_type, may_lose_digits
from yeoul.plan.types import Kind
from yeoul.planner.binding.expressions.calls import call
from yeoul.planner.binding.expressions.literals import interval_value
from yeoul.planner.casts import coerced

if TYPE_CHECKING:
    from yeoul.planner.binding.expressions.binder import ExpressionBinder

__all__ = ["case", "cast"]


def cast(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    operand, target = binder.bind(node.this), node.args["to"].this
    if not can_cast(operand.type, target):
        raise UserError(f"CAST from {operand.type.or_null()} to {target.or_null()} does not exist", span=span)
    lenient = isinstance(node, exp.TryCast)
    if operand.type.same_as(target):
        return operand
    if target.is_interval and operand.type.is_integer:
        value, type = interval_value("1", node.args["to"].args["unit"])
        return call("multiply", (operand, Literal(value, type, span)), span)
    loses = lenient or may_lose_digits(operand.type, target)
    type = target.or_null(loses or operand.type.nullable or operand.type.kind is Kind.NULL)
    return Cast(operand, type, lenient, span)


def case(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    subject = binder.bind(node.this) if node.this is not None else None
    conditions = [_when(binder, branch.this, subject) for branch in node.args["ifs"]]
    values = [binder.bind(branch.args["true"]) for branch in node.args["ifs"]]
    default = node.args.get("default")
    otherwise = binder.bind(default) if default is not None else Literal(None, types.NULL, span)
    every = [value.type for value in (*values, otherwise)]
    meeting = common_type(every)
    if meeting is None:
        shown = ", ".join(str(one.or_null()) for one in every)
        raise UserError(
            f"The branches of CASE have types that do not meet: {shown}", hint="CAST them to one type", span=span
        )
    branches = tuple((one, coerced(value, meeting)) for one, value in zip(conditions, values, strict=True))
    return Case(branches, coerced(otherwise, meeting), meeting, span)


def _when(binder: ExpressionBinder, node: exp.Expr, subject: Expression | None) -> Expression:
    if subject is not None:
        return call("equals", (subject, binder.bind(node)), binder.context.span(node))
    bound = binder.bind(node)
    if bound.type.kind not in (Kind.BOOLEAN, Kind.NULL):
        raise binder.context.error(
            f"WHEN expects a condition (BOOLEAN), got {bound.type.or_null()}",
            node,
            hint="CASE x WHEN 1 THEN ... compares x; CASE WHEN condition THEN ... does not",
        )
    return coerced(bound, types.BOOLEAN)
