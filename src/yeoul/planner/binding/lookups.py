"""Lookup joins: JOIN table FOR SYSTEM_TIME AS OF a.proctime, each row beside what the table says when it comes."""

from __future__ import annotations

from sqlglot import exp

from yeoul.plan.expressions import ColumnRef, Expression, columns_of
from yeoul.plan.nodes import Field, Filter, JoinKind, LookupJoin, Node, Project, Scan, Schema
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.rewriting import equal_sides, joined

__all__ = ["lookup_rows"]


def lookup_rows(
    context: BindContext,
    as_of: exp.Expr,
    left: Relation,
    right: Relation,
    kind: JoinKind,
    parts: list[Expression],
) -> Node:
    """Returns the rows of the left beside those of the table that is looked up.

    Args:
        context: The statement's.
        as_of: What stands behind AS OF.
        left: The rows.
        right: The table, its columns named apart from the left's.
        kind: INNER or LEFT.
        parts: The condition, over the columns of both.

    Raises:
        UserError: The time is not the clock's, or the table cannot be looked up so.
    """
    table, names = _looked_up(context, as_of, right.node)
    keys: list[tuple[Expression, str]] = []
    rest: list[Expression] = []
    for part in parts:
        pair = equal_sides(part, left.schema.names, right.schema.names)
        if pair is not None and isinstance(pair[1], ColumnRef) and names[pair[1].name] not in [key for _, key in keys]:
            keys.append((pair[0], names[pair[1].name]))
        else:
            rest.append(part)
    if not keys:
        hint = "... ON a.id = t.id: an equality with a column of the table, without a cast on it"
        raise context.error("A lookup needs a key", as_of, hint)
    if kind is JoinKind.INNER:
        own = [part for part in rest if set(columns_of(part)) <= set(left.schema.names)]
        rest = [part for part in rest if part not in own]
        rows = Filter(left.node, joined(own)) if own else left.node
    else:
        rows = left.node
    fields = [
        Field(one.name, one.type.or_null(kind is JoinKind.LEFT or one.type.nullable)) for one in right.schema.fields
    ]
    schema = Schema((*left.schema.fields, *fields))
    columns = tuple(names[one.name] for one in right.schema.fields)
    condition = joined(rest) if rest else None
    return LookupJoin(rows, table, tuple(keys), columns, condition, schema, kind is JoinKind.LEFT)


def _looked_up(context: BindContext, at: exp.Expr, node: Node) -> tuple[Scan, dict[str, str]]:
    """Returns the table and, for each column of a node, the table's own name of it."""
    if isinstance(node, Scan):
        return node, {name: name for name in node.schema.names}
    if isinstance(node, Project):
        table, below = _looked_up(context, at, node.input)
        if all(isinstance(one.expression, ColumnRef) for one in node.projections):
            return table, {
                one.name: below[one.expression.name]
                for one in node.projections
                if isinstance(one.expression, ColumnRef)
            }
    raise context.error(
        "Only a table of stored columns, without a watermark, can be looked up", at, "Compute columns above the join"
    )
