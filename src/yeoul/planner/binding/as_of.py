"""JOIN t FOR SYSTEM_TIME AS OF time: by event time the version of that time, by the clock what a table says now."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from yeoul.plan.expressions import ColumnRef, Expression
from yeoul.plan.nodes import JoinKind, Node
from yeoul.plan.ordering import OverTime
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.lookups import lookup_rows
from yeoul.planner.binding.time_attributes import time_of
from yeoul.planner.binding.versions import versioned_rows

__all__ = ["rows_as_of"]


def rows_as_of(
    context: BindContext,
    as_of: exp.Expr,
    left: Relation,
    right: Relation,
    kind: JoinKind,
    parts: Sequence[Expression],
) -> Node:
    """Returns the rows of the left beside those that a table has at their time.

    Args:
        context: The statement's.
        as_of: What stands behind AS OF.
        left: The rows.
        right: The table, its columns named apart from the left's.
        kind: How they are joined.
        parts: The condition, over the columns of both.

    Raises:
        UserError: The time is no time attribute, or the table cannot be asked so.
    """
    time = ExpressionBinder(context, left, "FOR SYSTEM_TIME AS OF").bind(as_of)
    notion = time_of(left.node, time.name) if isinstance(time, ColumnRef) else None
    if notion is None or not isinstance(time, ColumnRef):
        raise context.error(
            "FOR SYSTEM_TIME AS OF expects a time attribute of the left side",
            as_of,
            hint="Its row time, or a column proc_time AS PROCTIME()",
        )
    if kind not in (JoinKind.INNER, JoinKind.LEFT):
        raise context.error(f"A {kind.value} JOIN cannot ask a table as of a time", as_of, "INNER and LEFT can")
    if notion is OverTime.PROCESSING:
        return lookup_rows(context, as_of, left, right, kind, list(parts))
    return versioned_rows(context, as_of, time, left, right, kind, parts)
