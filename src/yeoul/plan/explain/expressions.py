"""Expressions, literals and durations as text, near to how SQL writes them."""

from __future__ import annotations

import datetime
from decimal import Decimal

from yeoul.plan.expressions import AggregateCall, Call, Case, Cast, ColumnRef, Expression, Literal, LiteralValue
from yeoul.plan.functions.python import written_name
from yeoul.plan.types import Kind

__all__ = ["explain_aggregate_call", "explain_duration", "explain_expression", "explain_literal"]


_INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "modulo": "%",
    "equals": "=",
    "not_equals": "<>",
    "less": "<",
    "less_or_equal": "<=",
    "greater": ">",
    "greater_or_equal": ">=",
    "and": "AND",
    "or": "OR",
    "like": "LIKE",
    "not_like": "NOT LIKE",
    "similar": "SIMILAR TO",
    "not_similar": "NOT SIMILAR TO",
    "is_distinct_from": "IS DISTINCT FROM",
    "is_not_distinct_from": "IS NOT DISTINCT FROM",
}


_POSTFIX = {
    "is_null": "IS NULL",
    "is_not_null": "IS NOT NULL",
    "is_true": "IS TRUE",
    "is_false": "IS FALSE",
    "is_not_true": "IS NOT TRUE",
    "is_not_false": "IS NOT FALSE",
    "is_unknown": "IS UNKNOWN",
    "is_not_unknown": "IS NOT UNKNOWN",
}


_UNITS_MS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"))


def explain_expression(expression: Expression) -> str:
    """Returns an expression as text, near to how SQL writes it.

    Example:
        >>> from yeoul.plan.types import BOOLEAN, INT, STRING
        >>> explain_expression(Call("like", (ColumnRef("a", STRING), Literal("x%", STRING)), BOOLEAN))
        "a LIKE 'x%'"
    """
    match expression:
        case Literal():
            return explain_literal(expression.value, months=expression.type.kind is Kind.INTERVAL_YEAR_MONTH)
        case ColumnRef():
            return expression.name
        case Cast():
            word = "TRY_CAST" if expression.null_on_error else "CAST"
            return f"{word}({explain_expression(expression.operand)} AS {expression.type.or_null()})"
        case Case():
            branches = "".join(
                f" WHEN {explain_expression(condition)} THEN {explain_expression(value)}"
                for condition, value in expression.branches
            )
            return f"CASE{branches} ELSE {explain_expression(expression.otherwise)} END"
        case Call():
            return _call(expression)


def _call(call: Call) -> str:
    args = [_operand(arg) for arg in call.args]
    name = call.function
    if name in _INFIX and len(args) == 3:
        return f"{args[0]} {_INFIX[name]} {args[1]} ESCAPE {args[2]}"
    if name in _INFIX:
        return f" {_INFIX[name]} ".join(args)
    if name in _POSTFIX:
        return f"{args[0]} {_POSTFIX[name]}"
    match name:
        case "not":
            return f"NOT {args[0]}"
        case "negate":
            return f"-{args[0]}"
        case "in" | "not_in":
            return f"{args[0]} {'NOT IN' if name == 'not_in' else 'IN'} ({', '.join(args[1:])})"
        case "between" | "not_between":
            return f"{args[0]} {'NOT BETWEEN' if name == 'not_between' else 'BETWEEN'} {args[1]} AND {args[2]}"
        case "item":
            return f"{args[0]}[{args[1]}]"
        case "field" if isinstance(call.args[1], Literal):
            return f"{args[0]}.{call.args[1].value!s}"
        case _:
            return f"{written_name(name)}({', '.join(explain_expression(arg) for arg in call.args)})"


def _operand(expression: Expression) -> str:
    text = explain_expression(expression)
    needs_parens = isinstance(expression, Call) and (
        expression.function in _INFIX
        or expression.function in _POSTFIX
        or expression.function in ("not", "in", "not_in", "between", "not_between")
    )
    return f"({text})" if needs_parens else text


def explain_aggregate_call(call: AggregateCall) -> str:
    """Returns an aggregate's call as text, with DISTINCT and FILTER."""
    if call.function == "count_star":
        text = "COUNT(*)"
    else:
        distinct = "DISTINCT " if call.distinct else ""
        text = f"{written_name(call.function)}({distinct}{', '.join(explain_expression(arg) for arg in call.args)})"
    return text if call.filter is None else f"{text} FILTER (WHERE {explain_expression(call.filter)})"


def explain_literal(value: LiteralValue, *, months: bool = False) -> str:
    """Returns a literal as SQL writes it; `months`: an interval of so many months."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int() if months:
            return f"INTERVAL {value} months"
        case int() | float() | Decimal():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"X'{value.hex().upper()}'"
        case datetime.datetime():
            return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
        case datetime.date():
            return f"DATE '{value.isoformat()}'"
        case datetime.time():
            return f"TIME '{value.isoformat()}'"
        case datetime.timedelta():
            return f"INTERVAL {explain_duration(value // datetime.timedelta(milliseconds=1))}"


def explain_duration(duration_ms: int) -> str:
    """Returns a duration in the largest unit that it is a whole number of.

    Example:
        >>> explain_duration(90_000), explain_duration(3_600_000), explain_duration(1_500), explain_duration(0)
        ('90 s', '1 h', '1500 ms', '0 ms')
    """
    unit_ms, unit = next((one for one in _UNITS_MS if duration_ms and duration_ms % one[0] == 0), (1, "ms"))
    return f"{duration_ms // unit_ms} {unit}"
