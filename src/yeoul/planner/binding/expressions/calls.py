"""Calls of scalar functions by name: built in, or the user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan.expressions import Call, Case, Expression, Literal, LiteralValue
from yeoul.plan.functions import (
    AGGREGATES,
    GROUPINGS,
    RANKINGS,
    SCALARS,
    WATERMARKS,
    is_aggregate,
    is_ranking,
    is_watermark,
    resolve_scalar,
    resolve_watermark,
)
from yeoul.plan.functions.python import FunctionDefinition, resolve_python
from yeoul.plan.types import STRING
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import FunctionCall

if TYPE_CHECKING:
    from yeoul.planner.binding.expressions.binder import ExpressionBinder

__all__ = ["call", "function_call", "rows_of"]

_SQL_NAMES = {name for function in SCALARS for name in function.names} | {"FLOOR_TO", "CEIL_TO", "INTERVAL_BETWEEN"}
_GROUPING_NAMES = {name for function in GROUPINGS for name in function.names}
_WINDOWS = frozenset({"TUMBLE", "HOP", "SESSION", "CUMULATE"})
_NAMED = (*SCALARS, *AGGREGATES, *RANKINGS, *WATERMARKS)
_CALLABLE = sorted(
    {name for function in _NAMED for name in function.names if name.isidentifier()}
    | {"TUMBLE_START", "TUMBLE_END", "TUMBLE_ROWTIME", "HOP_START", "HOP_END", "HOP_ROWTIME"}
)


def call(name: str, args: Sequence[Expression], span: Span | None) -> Expression:
    """Returns a scalar function applied, its arguments cast as it wants them.

    Raises:
        UserError: No such function, or not for such arguments.
    """
    values: list[LiteralValue] = [arg.value if isinstance(arg, Literal) else None for arg in args]
    resolved = resolve_scalar(name, [arg.type for arg in args], span, values)
    cast = tuple(coerced(arg, type) for arg, type in zip(args, resolved.args, strict=True))
    return Call(resolved.function, cast, resolved.type, span)


def function_call(binder: ExpressionBinder, node: FunctionCall, span: Span | None) -> Expression:
    """Binds a call by name, scalar or aggregate."""
    name: str = node.this
    if is_aggregate(name) or binder.context.function(name, "aggregate"):
        shares = _shares(node)
        return binder.aggregate(node, span) if shares is None else _at_each_share(binder, node, shares, span)
    declared = binder.context.function(name, "scalar", "table")
    if declared is not None:
        _refuse_parts_of_aggregates(node, span)
        return _python_call(binder, declared, node, span)
    if is_ranking(name):
        hint = f"{name.upper()}({'' if not node.expressions else 'x'}) OVER (PARTITION BY ... ORDER BY ...)"
        raise UserError(f"{name.upper()} needs OVER", hint=hint, span=span)
    if is_watermark(name):
        return _watermark_call(binder, node, span)
    if name.upper() not in _SQL_NAMES:
        raise _unknown_function(binder, name, span)
    _refuse_parts_of_aggregates(node, span)
    if name.upper() == "CURRENT_DATABASE" and not node.expressions:
        return Literal(binder.context.database, STRING.not_null(), span)
    return call(name, [binder.bind(one) for one in node.expressions], span)


def _watermark_call(binder: ExpressionBinder, node: FunctionCall, span: Span | None) -> Call:
    """A call for which `current_watermarks` finds the column once the whole plan is known."""
    _refuse_parts_of_aggregates(node, span)
    args = tuple(binder.bind(one) for one in node.expressions)
    resolved = resolve_watermark(node.this, [arg.type for arg in args], span)
    return Call(resolved.function, args, resolved.type, span)


def _shares(node: FunctionCall) -> Sequence[exp.Expr] | None:
    """Returns the shares of PERCENTILE(x, ARRAY[share, ...]); None: it is no such call."""
    given = node.expressions[1] if node.this.upper() == "PERCENTILE" and len(node.expressions) > 1 else None
    return given.expressions if isinstance(given, FunctionCall) and given.this.upper() == "ARRAY" else None


def _at_each_share(
    binder: ExpressionBinder, node: FunctionCall, shares: Sequence[exp.Expr], span: Span | None
) -> Expression:
    """PERCENTILE at several shares: the ARRAY of those at each, which keep their values together; NULL over none."""
    if not shares:
        raise UserError("PERCENTILE expects a share from 0 to 1, got none", span=span)
    value, _, *rest = node.expressions
    found = []
    for share in shares:
        one = node.copy()
        one.set("expressions", [part.copy() for part in (value, share, *rest)])
        found.append(binder.aggregate(one, span))
    array = call("ARRAY", found, span)
    return Case(
        ((call("IS_NOT_NULL", [found[0]], span), array),),
        Literal(None, array.type.or_null()),
        array.type.or_null(),
        span,
    )


def _refuse_parts_of_aggregates(node: FunctionCall, span: Span | None) -> None:
    for key, what in (("distinct", "DISTINCT"), ("filter", "FILTER (WHERE ...)"), ("star", "*")):
        if node.args.get(key):
            raise UserError(f"{what} belongs to aggregate functions, {node.this.upper()} is none", span=span)


def rows_of(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """Binds what gives rows in FROM: a call of a table function, whose result is an ARRAY, or a collection."""
    declared = binder.context.function(node.this, "table") if isinstance(node, FunctionCall) else None
    if declared is None or not isinstance(node, FunctionCall):
        return binder.bind(node)
    return _applied(binder, declared, node, binder.context.span(node))


def _python_call(
    binder: ExpressionBinder, declared: FunctionDefinition, node: FunctionCall, span: Span | None
) -> Expression:
    if declared.kind == "table":
        hint = f"FROM t, LATERAL TABLE({declared.name}(...)) AS u (column, ...)"
        raise UserError(f"{declared.name} is a table function: it stands in FROM", hint=hint, span=span)
    return _applied(binder, declared, node, span)


def _applied(
    binder: ExpressionBinder, declared: FunctionDefinition, node: FunctionCall, span: Span | None
) -> Expression:
    args = [binder.bind(one) for one in node.expressions]
    resolved = resolve_python(declared, [arg.type for arg in args], span)
    cast = tuple(coerced(arg, type) for arg, type in zip(args, resolved.args, strict=True))
    return Call(resolved.function, cast, resolved.type, span)


def _unknown_function(binder: ExpressionBinder, name: str, span: Span | None) -> UserError:
    if name.upper() in _GROUPING_NAMES:
        return UserError(f"{name.upper()} belongs to a query with GROUP BY", span=span)
    window = name.upper().partition("_")[0]
    if window in _WINDOWS:
        asks = f"{window}_START and its like belong" if "_" in name else f"{window} belongs"
        hint = f"GROUP BY {window}(ts, ...), or FROM TABLE({window}(TABLE t, DESCRIPTOR(ts), ...))"
        return UserError(f"{asks} to a query that groups by a window", hint=hint, span=span)
    try:
        resolve_scalar(name, (), span)
    except UserError as error:
        if "not supported" in error.message:
            return error
    return UserError(
        f"Unknown function {name!r}",
        hint=did_you_mean(name.upper(), [*_CALLABLE, *binder.context.functions]),
        span=span,
    )
