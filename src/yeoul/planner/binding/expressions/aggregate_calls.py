"""Calls of aggregate functions, wherever they stand: in a grouped query, or before OVER."""

from __future__ import annotations

from typing import Any, Protocol

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan.expressions import AggregateCall, Expression, Literal
from yeoul.plan.functions import resolve_aggregate
from yeoul.plan.functions.python import resolve_python
from yeoul.planner.binding.context import BindContext
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import FunctionCall

__all__ = ["Binds", "aggregate_call"]


class Binds(Protocol):
    """Binds a part of a call."""

    def __call__(self, part: exp.Expr, place: str, *, condition: bool = False) -> Expression: ...


def aggregate_call(node: FunctionCall, bind: Binds, span: Span | None, context: BindContext) -> AggregateCall:
    """Returns a call with its arguments and its FILTER bound.

    Raises:
        UserError: It does not take such arguments.
    """
    name: str = node.this.upper()
    arguments = [bind(one, f"the aggregate function {name}") for one in node.expressions]
    if node.args.get("star") and name != "COUNT":
        raise UserError(f"{name}(*) does not exist", hint="COUNT(*) counts rows", span=span)
    if not arguments and not node.args.get("star"):
        raise UserError(f"{name}() lacks its argument", hint="COUNT(*) counts rows", span=span)
    values = [one.value if isinstance(one, Literal) else None for one in arguments]
    wanted = "count_star" if node.args.get("star") else node.this
    given = [one.type for one in arguments]
    declared = context.function(name, "aggregate")
    resolved = (
        resolve_aggregate(wanted, given, span, values) if declared is None else resolve_python(declared, given, span)
    )
    args = tuple(coerced(one, type) for one, type in zip(arguments, resolved.args, strict=True))
    condition: Any = node.args.get("filter")
    kept = None if condition is None else bind(condition, "FILTER (WHERE ...)", condition=True)
    return AggregateCall(resolved.function, args, resolved.type, bool(node.args.get("distinct")), kept, span)
