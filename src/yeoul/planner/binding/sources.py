"""FROM: tables, views, subqueries and windows over them, alone, joined, or behind the rows of a query around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.errors import UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import Field, Node, Schema, Values
from yeoul.plan.tables import DATABASE, ViewDefinition
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.binding.domains import outer_names
from yeoul.planner.binding.inner_queries import QueryReader
from yeoul.planner.binding.joins import bind_join
from yeoul.planner.binding.laterals import bind_lateral
from yeoul.planner.binding.scans import merged_options, scan
from yeoul.planner.binding.unnesting import bind_unnest
from yeoul.planner.binding.windows import assign_windows, window_arguments
from yeoul.planner.dialects.flink.dialect import read_script
from yeoul.planner.dialects.flink.nodes import JoinedTables, LateralQuery, TableFunction, UnnestedRows
from yeoul.planner.positions import Positions
from yeoul.planner.rewriting import project

__all__ = ["ONE_ROW", "refuse_time_travel", "relation_of", "renamed", "unknown_table", "view_rows"]

_MAX_VIEW_DEPTH = 16
ONE_ROW = Values(((True,),), Schema((Field("row", types.BOOLEAN.not_null()),)))
"""What a query without FROM reads."""


def refuse_time_travel(context: BindContext, first: exp.Expr) -> None:
    """Refuses FOR SYSTEM_TIME AS OF behind the first table of FROM: there is no row yet whose time it could be of."""
    while isinstance(first, JoinedTables):
        first = first.this
    if first.args.get("when") is not None:
        hint = "It stands behind JOIN: each row of the left side meets what the table says at its time"
        raise context.error("A table as it was at one time (time travel) is not supported", first, hint)


def relation_of(context: BindContext, node: exp.Expr, reader: QueryReader, beside: Relation | None = None) -> Relation:
    """Returns what stands in FROM.

    Args:
        context: What it is bound with.
        node: The tables.
        reader: How the queries among them are bound.
        beside: Rows of the query around it, which it may name anywhere; what stands in FROM stands behind them.

    Raises:
        UserError: A table is unknown, or the tables cannot stand together so.
    """
    if beside is not None:
        return _relation_beside(context, node, beside, reader)
    if isinstance(node, JoinedTables):
        left, right = relation_of(context, node.this, reader), node.args["expression"]
        if isinstance(right, UnnestedRows):
            return bind_unnest(context, right, left, node)
        if isinstance(right, LateralQuery):
            return bind_lateral(context, right, left, node, reader)
        return bind_join(context, node, left, relation_of(context, right, reader))
    if isinstance(node, LateralQuery):
        raise context.error("LATERAL stands behind a table that its query names", node, "FROM t, LATERAL (SELECT ...)")
    if isinstance(node, UnnestedRows):
        return bind_unnest(context, node, Relation(ONE_ROW, "", "nothing"))
    alias = node.args.get("alias")
    found = _source(context, node, reader)
    if alias is None:
        return found
    rows = found.node
    if alias.args.get("columns"):
        rows = renamed(context, rows, alias.args["columns"])
    return Relation(
        rows, alias.this.name, found.title if isinstance(node, exp.Table) else f"subquery {alias.this.name!r}"
    )


def _relation_beside(context: BindContext, node: exp.Expr, beside: Relation, reader: QueryReader) -> Relation:
    if not isinstance(node, JoinedTables):
        return _joined_to(context, beside, node, JoinedTables(this=node, expression=node, kind="CROSS"), reader)
    if node.args["kind"] in ("RIGHT", "FULL"):
        hint = "Name it in the WHERE of the subquery, or turn the join round"
        raise context.error(f"A subquery with a {node.args['kind']} JOIN cannot name the outer query so", node, hint)
    left = _relation_beside(context, node.this, beside, reader)
    return _joined_to(context, left, node.args["expression"], node, reader)


def _joined_to(
    context: BindContext, left: Relation, node: exp.Expr, join: JoinedTables, reader: QueryReader
) -> Relation:
    """Returns rows joined to what stands behind them in FROM, which may name those of an outer query among them."""
    if isinstance(node, UnnestedRows):
        return bind_unnest(context, node, left, join)
    outer = replace(left, joined=tuple(one for one in left.scopes if one.is_outer))
    if isinstance(node, exp.Subquery) and outer_names(node.this, outer, qualified=True):
        node = LateralQuery(this=node.this, alias=node.args.get("alias"))
    if isinstance(node, LateralQuery):
        return bind_lateral(context, node, left, join, reader)
    return bind_join(context, join, left, relation_of(context, node, reader))


def _source(context: BindContext, node: exp.Expr, reader: QueryReader) -> Relation:
    match node:
        case exp.Table():
            return _table(context, node, reader)
        case exp.Subquery():
            return Relation(reader.query(context, node.this), "", "the subquery")
        case TableFunction():
            arguments = window_arguments(context, node)
            data = _data(context, arguments.data, arguments.kind.value, reader)
            rows = assign_windows(context, arguments, data)
            return Relation(rows, data.alias, data.title)
        case _:
            raise context.error(f"{type(node).__name__} is not supported in FROM", node)


def _data(context: BindContext, node: exp.Expr, function: str, reader: QueryReader) -> Relation:
    if isinstance(node, exp.Table | exp.Subquery):
        return relation_of(context, node, reader)
    raise context.error(
        f"{function} expects TABLE and a name as its first argument",
        node,
        hint=f"{function}(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
    )


def renamed(context: BindContext, rows: Node, columns: Sequence[exp.Expr]) -> Node:
    """Returns the rows with their columns named anew, by position.

    Raises:
        UserError: There are more or fewer names than columns, or one stands twice.
    """
    if len(columns) != len(rows.schema.fields):
        raise context.error(
            f"Expected {len(rows.schema.fields)} names, one for each column of the query, got {len(columns)}",
            columns[0],
        )
    names = [column.name for column in columns]
    double = next((column for index, column in enumerate(columns) if column.name in names[:index]), None)
    if double is not None:
        raise context.error(f"Column {double.name!r} is named twice", double)
    return project(
        rows, [(name, ColumnRef(field.name, field.type)) for name, field in zip(names, rows.schema.fields, strict=True)]
    )


def _table(context: BindContext, node: exp.Table, reader: QueryReader) -> Relation:
    name = node.name
    if name in context.common_tables and not node.args.get("db"):
        return Relation(context.common_tables[name], name, f"table {name!r}")
    found = context.find(node)
    if found is None:
        raise unknown_table(context, node)
    if isinstance(found, ViewDefinition):
        if node.args.get("hints"):
            raise context.error(f"OPTIONS cannot be given for a view, {name!r} is one", node, "Give them to its tables")
        return Relation(view_rows(context, found, node, reader), name, f"view {found.name!r}")
    return Relation(scan(context, found, merged_options(context, found, node)), name, f"table {found.name!r}")


def unknown_table(context: BindContext, node: exp.Table) -> UserError:
    """Returns the error for a name that neither WITH nor the catalog knows."""
    known = [*_names_from_here(context), *context.common_tables]
    name = context.name_of(node)
    hint = did_you_mean(name, known) or "There are no tables yet: CREATE TABLE makes one"
    return context.error(f"Unknown table or view {name!r}", node, hint)


def _names_from_here(context: BindContext) -> Iterator[str]:
    """Yields the names of all tables as they can be written in the current database."""
    databases = () if context.database == DATABASE else context.tables.databases()
    for name in context.tables.names():
        yield name if not databases or name.partition(".")[0] in databases else f"{DATABASE}.{name}"


def view_rows(context: BindContext, view: ViewDefinition, node: exp.Expr, reader: QueryReader) -> Node:
    """Returns the plan of a view's query, bound anew.

    Raises:
        UserError: The query does not bind (any more), or the view leads back to itself.
    """
    if view.name in context.views or len(context.views) >= _MAX_VIEW_DEPTH:
        chain = " -> ".join([*context.views, view.name])
        raise context.error(f"View {view.name!r} leads back to itself, or too deep: {chain}", node)
    inner = BindContext(
        context.tables,
        context.settings,
        Positions(view.query),
        (*context.views, view.name),
        functions=context.functions,
        database=view.database,
    )
    try:
        tree = next(iter(read_script(view.query)))[0]
        rows = reader.query(inner, tree)
        names = [exp.to_identifier(name) for name in view.column_names]
        return renamed(inner, rows, list(names)) if names else rows
    except UserError as error:
        message = error.message
        if error.span is not None:
            message = f"{message.removesuffix(f' ({error.span})')} at {error.span} of its query"
        raise context.error(f"In view {view.name!r}: {message}", node, error.hint) from None
