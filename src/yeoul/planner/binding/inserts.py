"""INSERT INTO: a query's columns, by position, into a table's writable ones."""

from __future__ import annotations

from sqlglot import exp

from yeoul.errors import UserError, did_you_mean
from yeoul.plan.encoding import Conflict
from yeoul.plan.expressions import Call, ColumnRef, Expression, Literal
from yeoul.plan.nodes import Field, Filter, Node, Write
from yeoul.plan.tables import Column, ColumnKind, TableDefinition, ViewDefinition
from yeoul.plan.types import BOOLEAN, Kind
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.projections import is_invented
from yeoul.planner.binding.queries import bind_query
from yeoul.planner.binding.scans import merged_options
from yeoul.planner.binding.sources import unknown_table
from yeoul.planner.casts import can_store, coerced
from yeoul.planner.dialects.flink.nodes import InsertSyntax
from yeoul.planner.rewriting import project

__all__ = ["ENFORCER_SETTING", "bind_insert"]

ENFORCER_SETTING = "table.exec.sink.not-null-enforcer"


def bind_insert(context: BindContext, syntax: InsertSyntax) -> Write:
    """Returns the plan of an INSERT; its input has the table's writable columns, in their order and types.

    Raises:
        UserError: The table cannot be written, or the columns do not fit.
    """
    table = _target(context, syntax.this)
    options = merged_options(context, table, syntax.this)
    writable = [column for column in table.columns if _is_writable(column)]
    named = _named(context, table, writable, syntax.expressions)
    rows = bind_query(context, syntax.args["expression"])
    if len(rows.schema.fields) != len(named):
        raise _miscounted(context, table, named, rows, syntax)
    pairs = dict(zip((column.name for column in named), rows.schema.fields, strict=True))
    trees = _trees(syntax.args["expression"], len(named))
    outputs = [
        (column.name, _value(context, column, pairs.get(column.name), syntax, trees, named)) for column in writable
    ]
    written: Node = project(rows, outputs)
    if context.settings.get(ENFORCER_SETTING, "ERROR").upper() == "DROP":
        written = _without_missing(written, writable)
    conflict = syntax.args.get("conflict")
    return Write(written, table, options, conflict=Conflict(conflict) if conflict else None)


def _without_missing(rows: Node, writable: list[Column]) -> Node:
    """Leaves out the rows with a NULL for a column that is NOT NULL."""
    pairs = zip(writable, rows.schema.fields, strict=True)
    for field in (given for column, given in pairs if given.type.nullable and not column.type.nullable):
        rows = Filter(rows, Call("is_not_null", (ColumnRef(field.name, field.type),), BOOLEAN.not_null()))
    return rows


def _target(context: BindContext, node: exp.Table) -> TableDefinition:
    found = context.find(node)
    if found is None:
        raise unknown_table(context, node)
    if isinstance(found, ViewDefinition):
        raise context.error(f"INSERT INTO expects a table, {node.name!r} is a view", node)
    return found


def _is_writable(column: Column) -> bool:
    return column.kind is ColumnKind.PHYSICAL or (column.kind is ColumnKind.METADATA and not column.virtual)


def _named(context: BindContext, table: TableDefinition, writable: list[Column], names: list[exp.Expr]) -> list[Column]:
    """Returns the columns that the query fills: those named, else all."""
    if not names:
        return writable
    by_name = {column.name: column for column in writable}
    found: list[Column] = []
    for node in names:
        if node.name not in by_name:
            is_column = any(column.name == node.name for column in table.columns)
            what = "cannot be written" if is_column else f"is unknown in table {table.name!r}"
            raise context.error(f"Column {node.name!r} {what}", node, did_you_mean(node.name, by_name))
        if by_name[node.name] in found:
            raise context.error(f"Column {node.name!r} is named twice", node)
        found.append(by_name[node.name])
    return found


def _miscounted(
    context: BindContext, table: TableDefinition, named: list[Column], rows: Node, syntax: InsertSyntax
) -> UserError:
    wanted = ", ".join(f"{column.name} {column.type.or_null()}" for column in named)
    names = ("" if is_invented(field.name) else f"{field.name} " for field in rows.schema.fields)
    given = ", ".join(f"{name}{field.type.or_null()}" for name, field in zip(names, rows.schema.fields, strict=True))
    return context.error(
        f"INSERT INTO {table.name} expects {len(named)} columns, the query has {len(rows.schema.fields)}",
        syntax.args["expression"],
        hint=f"The table: ({wanted}); the query: ({given})",
    )


def _trees(query: exp.Expr, count: int) -> list[exp.Expr]:
    """Returns the expressions of a SELECT list if each stands for one column, for better places in messages."""
    items = query.expressions if isinstance(query, exp.Select) else []
    stars = any(isinstance(item, exp.Star) or item.find(exp.Star) is not None for item in items)
    return list(items) if len(items) == count and not stars else [query] * count


def _value(
    context: BindContext,
    column: Column,
    field: Field | None,
    syntax: InsertSyntax,
    trees: list[exp.Expr],
    named: list[Column],
) -> Expression:
    if field is None:
        if not column.type.nullable:
            raise context.error(
                f"Column {column.name!r} is NOT NULL and gets no value", syntax.this, hint="Name it in INSERT INTO"
            )
        return Literal(None, column.type)
    place = trees[[one.name for one in named].index(column.name)]
    if not can_store(field.type, column.type):
        raise context.error(
            f"Column {column.name!r} of table {syntax.this.name!r} is {column.type.or_null()},"
            f" the query gives {field.type.or_null()}",
            place,
            hint=f"CAST({_spelt(place)} AS {column.type.or_null()})",
        )
    if field.type.kind is Kind.NULL and not column.type.nullable:
        raise context.error(f"Column {column.name!r} is NOT NULL, the query gives NULL", place)
    return coerced(ColumnRef(field.name, field.type), column.type)


def _spelt(node: exp.Expr) -> str:
    """Returns a column's name for a hint, dots for what is longer."""
    inner = node.this if isinstance(node, exp.Alias) else node
    return str(inner.this.name) if isinstance(inner, exp.Column) else "..."
