"""Lookup joins: JOIN table FOR SYSTEM_TIME AS OF a.proctime, each row beside what the table says when it comes.

Whatever stands between the table and the join (computed columns, a view's expressions and WHERE) is done to the rows
that were found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from yeoul.plan.expressions import Call, ColumnRef, Expression, columns_of
from yeoul.plan.nodes import AssignWatermark, Filter, JoinKind, LookupJoin, Node, Project, Projection, Scan, Schema
from yeoul.plan.types import BOOLEAN
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.casts import widened_column
from yeoul.planner.rewriting import conjuncts, equal_sides, joined, replaced

__all__ = ["lookup_rows"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A table, and what becomes of its rows: values by name, and conditions, over its columns."""

    table: Scan
    values: dict[str, Expression]
    conditions: list[Expression]


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
        as_of: What stands behind AS OF: processing time.
        left: The rows.
        right: The table, its columns named apart from the left's.
        kind: INNER or LEFT.
        parts: The condition, over the columns of both.

    Raises:
        UserError: It is no table, or the condition has no key of it.
    """
    asked = _asked(right.node)
    if asked is None:
        hint = "FOR SYSTEM_TIME AS OF a row time joins the versions of a table that changes"
        raise context.error(f"By the clock a table can be looked up, but {right.title} is computed here", as_of, hint)
    keys, rest = _by_key(asked, left, right, parts)
    if not keys:
        hint = "... ON a.id = t.id: an equality with a stored column of the table"
        raise context.error("A lookup needs a key", as_of, hint)
    rows = left.node
    if kind is JoinKind.INNER:
        own = [part for part in rest if set(columns_of(part)) <= set(left.schema.names)]
        rest = [part for part in rest if part not in own]
        rows = Filter(rows, joined(own)) if own else rows
    values = [Projection(one.name, asked.values[one.name]) for one in right.schema.fields]
    if asked.conditions:
        name = unique_name("stands", [*left.schema.names, *right.schema.names])
        values.append(Projection(name, Call("is_true", (joined(asked.conditions),), BOOLEAN.not_null())))
        rest.append(ColumnRef(name, BOOLEAN.not_null()))
    may_lack = kind is JoinKind.LEFT
    fields = [
        replace(one, type=one.type.or_null(may_lack or one.type.nullable), is_rowtime=False, is_proctime=False)
        for one in right.schema.fields
    ]
    schema = Schema((*left.schema.fields, *fields))
    return LookupJoin(rows, asked.table, keys, tuple(values), joined(rest) if rest else None, schema, may_lack)


def _by_key(
    asked: _Asked, left: Relation, right: Relation, parts: list[Expression]
) -> tuple[tuple[tuple[Expression, str], ...], list[Expression]]:
    """Takes the equalities of a condition that name a stored column of the table; returns them, and all else."""
    keys: dict[str, Expression] = {}
    rest: list[Expression] = []
    for part in parts:
        pair = equal_sides(part, left.schema.names, right.schema.names)
        column = None if pair is None else widened_column(pair[1])
        stored = asked.values.get(column) if column is not None else None
        if pair is None or not isinstance(stored, ColumnRef) or stored.name in keys:
            rest.append(part)
            continue
        keys[stored.name] = pair[0]
        if not isinstance(pair[1], ColumnRef):
            rest.append(part)  # It is looked up in the column's own type, which may be narrower.
    return tuple((value, name) for name, value in keys.items()), rest


def _asked(node: Node) -> _Asked | None:
    """Returns the table that a node reads, and what it does to each row; None if it is no such node."""
    match node:
        case Scan():
            return _Asked(node, {one.name: ColumnRef(one.name, one.type) for one in node.schema.fields}, [])
        case AssignWatermark():
            return _asked(node.input)
        case Filter():
            below = _asked(node.input)
            if below is None:
                return None
            conditions = [replaced(part, below.values) for part in conjuncts(node.predicate)]
            return replace(below, conditions=[*below.conditions, *conditions])
        case Project():
            below = _asked(node.input)
            if below is None:
                return None
            values = {one.name: replaced(one.expression, below.values) for one in node.projections}
            return replace(below, values=values)
        case _:
            return None
