"""LATERAL (SELECT ...) in FROM: the rows that a query gives for each row of what stands before it.

The query is bound as any subquery: the conditions of its WHERE that name the rows before it are what a join goes by,
LIMIT counts for each of their values, which is a Top-N.
"""

from __future__ import annotations

from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, Literal
from yeoul.plan.nodes import JoinKind
from yeoul.planner.binding.context import BindContext, Relation, Scope
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.inner_queries import Inner, QueryReader, bind_inner
from yeoul.planner.binding.joins import meeting_rows
from yeoul.planner.binding.meetings import Meeting
from yeoul.planner.dialects.flink.nodes import JoinedTables, LateralQuery
from yeoul.planner.rewriting import conjuncts

__all__ = ["bind_lateral"]


def bind_lateral(
    context: BindContext, source: LateralQuery, left: Relation, join: JoinedTables, reader: QueryReader
) -> Relation:
    """Returns the rows of the left, each beside those that the query gives for it.

    Raises:
        UserError: It is joined in a way that has no meaning, the query does not bind, or its names do not fit.
    """
    kind = join.args["kind"]
    if kind not in ("CROSS", "INNER", "LEFT") or join.args.get("using") or join.args.get("natural"):
        hint = "CROSS JOIN, JOIN ... ON and LEFT JOIN ... ON TRUE can"
        raise context.error("LATERAL (SELECT ...) cannot be joined like this", join, hint)
    inner = bind_inner(context, source.this, left, reader)
    if inner.pairs and not source.this.args.get("group") and reader.is_grouped(context, source.this):
        hint = "A subquery in SELECT gives it as a value: SELECT a, (SELECT MAX(b) FROM ... WHERE ...) FROM ..."
        raise context.error("An aggregate without GROUP BY in LATERAL is not supported yet", source, hint)
    names = _names(context, source, inner)
    inner = inner.apart_from(left.schema.names)
    meeting = inner.meeting()
    columns = [one.name for one in inner.outputs if isinstance(one, ColumnRef)]
    alias = source.args.get("alias")
    scope = Scope(alias.this.name if alias is not None else "", dict(zip(names, columns, strict=True)))
    scopes = (*left.scopes, scope)
    join_kind = JoinKind.LEFT if kind == "LEFT" else JoinKind.INNER
    condition = join.args.get("on")
    if condition is not None:
        both = meeting_rows(left.node, inner.node, JoinKind.INNER, Meeting((), ()))
        on = ExpressionBinder(context, Relation(both, "", "the joined tables", scopes), "ON").condition(condition)
        meeting = replace(meeting, rest=(*meeting.rest, *_asked(on)))
    return Relation(meeting_rows(left.node, inner.node, join_kind, meeting), "", "the joined tables", scopes)


def _names(context: BindContext, source: LateralQuery, inner: Inner) -> list[str]:
    """Returns how the query's columns are called: as behind the alias, else as in its SELECT list."""
    natural = [one.name for one in inner.outputs if isinstance(one, ColumnRef)]
    alias = source.args.get("alias")
    given = (alias.args.get("columns") if alias is not None else None) or []
    if given and len(given) != len(natural):
        message = f"Expected {len(natural)} names, one for each column of the query, got {len(given)}"
        raise context.error(message, given[0])
    return [one.name for one in given] or natural


def _asked(condition: Expression) -> list[Expression]:
    return [part for part in conjuncts(condition) if not (isinstance(part, Literal) and part.value is True)]
