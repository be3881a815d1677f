"""LATERAL (SELECT ...) in FROM: the rows that a query gives for each row of what stands before it.

The query is bound as any subquery: the conditions of its WHERE that name the rows before it are what a join goes by,
LIMIT counts for each of their values, which is a Top-N.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.plan.expressions import Call, Case, ColumnRef, Expression, Literal, columns_of
from yeoul.plan.nodes import JoinKind
from yeoul.plan.types import BOOLEAN
from yeoul.planner.binding.context import BindContext, Relation, Scope, unique_name
from yeoul.planner.binding.domains import all_rows, is_named_further_in
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.inner_queries import Inner, QueryReader, bind_inner
from yeoul.planner.binding.joins import filtered, meeting_rows
from yeoul.planner.binding.meetings import Meeting
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import JoinedTables, LateralQuery, OverCall, UnionAll
from yeoul.planner.rewriting import conjuncts, joined, project

__all__ = ["bind_lateral"]

_TRUE = Literal(True, BOOLEAN.not_null())
_NOT_PLAIN = ("group", "having", "distinct", "order", "limit", "offset", "qualify", "with_")


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
    tree = source.this
    if kind != "LEFT" and _is_plain(context, tree, reader) and is_named_further_in(tree, left):
        return _conditioned(context, _beside_all_rows(context, source, left, reader), join)
    inner = bind_inner(context, tree, left, reader)
    names = _names(context, source, [one.name for one in inner.outputs if isinstance(one, ColumnRef)])
    is_aggregate = isinstance(tree, exp.Select) and not tree.args.get("group") and reader.is_grouped(context, tree)
    if (inner.pairs or inner.rest) and is_aggregate and inner.nothing != ():
        return _one_row_each(context, source, left, join, inner, names)
    inner = inner.apart_from(left.schema.names)
    meeting = inner.meeting()
    columns = [one.name for one in inner.outputs if isinstance(one, ColumnRef)]
    scopes = _scopes(source, left, names, columns)
    join_kind = JoinKind.LEFT if kind == "LEFT" else JoinKind.INNER
    condition = join.args.get("on")
    if condition is not None:
        both = meeting_rows(left.node, inner.node, JoinKind.INNER, Meeting((), ()))
        on = ExpressionBinder(context, Relation(both, "", "the joined tables", scopes), "ON").condition(condition)
        meeting = replace(meeting, rest=(*meeting.rest, *_asked(on)))
    return Relation(meeting_rows(left.node, inner.node, join_kind, meeting), "", "the joined tables", scopes)


def _is_plain(context: BindContext, tree: exp.Expr, reader: QueryReader) -> bool:
    """Tells whether a query makes of each row that it reads one or none by itself, so that it can read any rows."""
    if isinstance(tree, UnionAll):
        parts = [one for one in ("order", "limit", "offset", "with_") if tree.args.get(one)]
        return not parts and all(_is_plain(context, one, reader) for one in tree.expressions)
    if isinstance(tree, exp.Subquery):
        return not tree.args.get("limit") and _is_plain(context, tree.this, reader)
    if isinstance(tree, exp.Values):
        return True
    if not isinstance(tree, exp.Select) or any(tree.args.get(key) is not None for key in _NOT_PLAIN):
        return False
    return not reader.is_grouped(context, tree) and tree.find(OverCall) is None


def _beside_all_rows(context: BindContext, source: LateralQuery, left: Relation, reader: QueryReader) -> Relation:
    rows = reader.beside(context, source.this, all_rows(left))
    count = len(rows.schema.fields) - len(left.schema.fields)
    own, behind = rows.schema.fields[:count], rows.schema.fields[count:]
    outputs: list[tuple[str, Expression]] = [
        (one.name, ColumnRef(kept.name, kept.type)) for one, kept in zip(left.schema.fields, behind, strict=True)
    ]
    columns: list[str] = []
    for one in own:
        columns.append(unique_name(one.name, [name for name, _ in outputs]))
        outputs.append((columns[-1], ColumnRef(one.name, one.type)))
    names = _names(context, source, [one.name for one in own])
    return Relation(project(rows, outputs), "", "the joined tables", _scopes(source, left, names, columns))


def _conditioned(context: BindContext, relation: Relation, join: JoinedTables) -> Relation:
    """Returns the rows for which ON holds."""
    condition = join.args.get("on")
    on = [] if condition is None else _asked(ExpressionBinder(context, relation, "ON").condition(condition))
    return replace(relation, node=filtered(relation.node, joined(on))) if on else relation


def _one_row_each(
    context: BindContext, source: LateralQuery, left: Relation, join: JoinedTables, inner: Inner, names: list[str]
) -> Relation:
    """Returns the rows of the left, each beside what an aggregate without GROUP BY gives for it, also over nothing.

    Where ON does not hold, LEFT gives NULLs and the others no row.
    """
    nothing = inner.nothing
    if nothing is None or any(list(columns_of(one)) for one in nothing):
        hint = "A subquery in SELECT gives it as a value: SELECT a, (SELECT MAX(b) FROM ... WHERE ...) FROM ..."
        raise context.error("This aggregate without GROUP BY in LATERAL is not supported", source, hint)
    own = [(one.name, ColumnRef(one.name, one.type)) for one in inner.node.schema.fields]
    mark = unique_name("$found", [*left.schema.names, *inner.node.schema.names])
    inner = replace(inner, node=project(inner.node, [*own, (mark, _TRUE)])).apart_from(left.schema.names)
    rows = meeting_rows(left.node, inner.node, JoinKind.LEFT, inner.meeting())
    is_found = Call("is_not_null", (ColumnRef(mark, BOOLEAN),), BOOLEAN.not_null())
    kept: list[tuple[str, Expression]] = [(one.name, ColumnRef(one.name, one.type)) for one in left.schema.fields]
    columns = [one.name for one in inner.outputs if isinstance(one, ColumnRef)]
    types = [rows.schema[name].type for name in columns]
    values = [
        Case(((is_found, ColumnRef(name, type)),), coerced(empty, type), type)
        for name, type, empty in zip(columns, types, nothing, strict=True)
    ]
    made = project(rows, [*kept, *zip(columns, values, strict=True)])
    relation = Relation(made, "", "the joined tables", _scopes(source, left, names, columns))
    if join.args["kind"] != "LEFT":
        return _conditioned(context, relation, join)
    condition = join.args.get("on")
    on = [] if condition is None else _asked(ExpressionBinder(context, relation, "ON").condition(condition))
    if not on:
        return relation
    told = [(name, _where(joined(on), ColumnRef(name, type))) for name, type in zip(columns, types, strict=True)]
    return replace(relation, node=project(made, [*kept, *told]))


def _where(condition: Expression, value: Expression) -> Expression:
    """Returns a value where a condition holds, else NULL."""
    type = value.type.or_null()
    return Case(((condition, value),), Literal(None, type), type)


def _scopes(source: LateralQuery, left: Relation, names: Sequence[str], columns: Sequence[str]) -> tuple[Scope, ...]:
    alias = source.args.get("alias")
    scope = Scope(alias.this.name if alias is not None else "", dict(zip(names, columns, strict=True)))
    return (*left.scopes, scope)


def _names(context: BindContext, source: LateralQuery, natural: list[str]) -> list[str]:
    """Returns how the query's columns are called: as behind the alias, else as in its SELECT list."""
    alias = source.args.get("alias")
    given = (alias.args.get("columns") if alias is not None else None) or []
    if given and len(given) != len(natural):
        message = f"Expected {len(natural)} names, one for each column of the query, got {len(given)}"
        raise context.error(message, given[0])
    return [one.name for one in given] or natural


def _asked(condition: Expression) -> list[Expression]:
    return [part for part in conjuncts(condition) if not (isinstance(part, Literal) and part.value is True)]
