"""Expressions as text, close to the SQL they came from; for messages only."""

from __future__ import annotations

import datetime

from yeoul.plan.expressions import AggregateCall, Call, Case, Cast, ColumnRef, Expression, Literal
from yeoul.plan.functions.python import written_name

__all__ = ["render", "render_aggregate"]

_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%", "equals": "=", "not_equals": "<>",
    "less": "<", "less_or_equal": "<=", "greater": ">", "greater_or_equal": ">=", "and": "AND", "or": "OR",
    "is_distinct_from": "IS DISTINCT FROM", "is_not_distinct_from": "IS NOT DISTINCT FROM",
    "like": "LIKE", "not_like": "NOT LIKE", "similar": "SIMILAR TO", "not_similar": "NOT SIMILAR TO",
}  # fmt: skip
_SUFFIX = {
    "is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE", "is_false": "IS FALSE",
    "is_not_true": "IS NOT TRUE", "is_not_false": "IS NOT FALSE", "is_unknown": "IS UNKNOWN",
    "is_not_unknown": "IS NOT UNKNOWN",
}  # fmt: skip
_PREFIX = {"not": "NOT ", "negate": "-", "plus": "+"}


def render(expression: Expression) -> str:
    """Returns an expression as text.

    Example:
        >>> from yeoul.plan.types import INT
        >>> render(Call("divide", (ColumnRef("a", INT), Literal(0, INT)), INT))
        'a / 0'
    """
    match expression:
        case Literal():
            return _literal(expression)
        case ColumnRef(name=name, written=written):
            return written or name
        case Cast(operand=operand, type=type, null_on_error=lenient):
            return f"{'TRY_CAST' if lenient else 'CAST'}({render(operand)} AS {type.or_null()})"
        case Case(branches=branches, otherwise=otherwise):
            arms = " ".join(f"WHEN {render(condition)} THEN {render(value)}" for condition, value in branches)
            return f"CASE {arms} ELSE {render(otherwise)} END"
        case Call():
            return _call(expression)


def _literal(constant: Literal) -> str:
    match constant.value:
        case None:
            return "NULL"
        case bool():
            return str(constant.value).upper()
        case str():
            return "'" + constant.value.replace("'", "''") + "'"
        case datetime.timedelta():
            return f"INTERVAL '{constant.value}'"
        case bytes():
            return f"x'{constant.value.hex()}'"
        case value:
            return str(value)


def _call(call: Call) -> str:
    args = [_inner(each) for each in call.args]
    if call.function in _INFIX and len(args) >= 2:
        return f" {_INFIX[call.function]} ".join(args)
    if call.function in _SUFFIX:
        return f"{args[0]} {_SUFFIX[call.function]}"
    if call.function in _PREFIX:
        return _PREFIX[call.function] + args[0]
    if call.function in ("in", "not_in"):
        return f"{args[0]} {'IN' if call.function == 'in' else 'NOT IN'} ({', '.join(args[1:])})"
    if call.function in ("between", "not_between"):
        return f"{args[0]} {'BETWEEN' if call.function == 'between' else 'NOT BETWEEN'} {args[1]} AND {args[2]}"
    if call.function == "item":
        return f"{args[0]}[{args[1]}]"
    if call.function == "field" and isinstance(call.args[1], Literal):
        return args[0] + "." + str(call.args[1].value)
    return f"{written_name(call.function)}({', '.join(render(each) for each in call.args)})"


def _inner(expression: Expression) -> str:
    text = render(expression)
    return f"({text})" if isinstance(expression, Call) and expression.function in _INFIX else text


def render_aggregate(call: AggregateCall) -> str:
    """Returns an aggregate call as text."""
    if call.function == "count_star":
        text = "COUNT(*)"
    else:
        args = ", ".join(render(each) for each in call.args)
        name = written_name(call.function).removesuffix("_NULL_ON_NULL").removesuffix("_ABSENT_ON_NULL")
        text = f"{name}({'DISTINCT ' if call.distinct else ''}{args})"
    return text if call.filter is None else f"{text} FILTER (WHERE {render(call.filter)})"
