"""What needs no state as operators: projections, filters, collections, literal rows, what a sink is given."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.operators.changes.drop_unchanged import DropUnchanged as DropUnchangedOperator
from yeoul.engine.operators.changes.encode import EncodeChanges
from yeoul.engine.operators.changes.upserts import EncodeUpserts
from yeoul.engine.operators.contract import Stateless
from yeoul.engine.operators.rows.filter import Filter as FilterOperator
from yeoul.engine.operators.rows.project import Project as ProjectOperator
from yeoul.engine.operators.rows.relabel import Relabel
from yeoul.engine.operators.rows.required import RequireValues
from yeoul.engine.operators.rows.unnest import Unnest as UnnestOperator
from yeoul.engine.operators.rows.values import Values as ValuesOperator
from yeoul.plan.changelog import Change, changelog_of
from yeoul.plan.encoding import Encoding
from yeoul.plan.nodes import DropUnchanged, Filter, Node, Project, Schema, Unnest, Values, Write
from yeoul.plan.tables import Column, ColumnKind, TableDefinition

__all__ = ["dtypes_of", "encoder_of", "enforcer_of", "row_operator", "values_operator", "writable_columns"]


def row_operator(node: Project | Filter | Unnest | DropUnchanged | Write, context: EvaluationContext) -> Stateless:
    """Returns what computes a node row by row."""
    match node:
        case Project():
            return ProjectOperator(
                [(one.name, compile_expression(one.expression, context)) for one in node.projections]
            )
        case Filter():
            return FilterOperator(compile_expression(node.predicate, context))
        case Unnest():
            collection = compile_expression(node.collection, context)
            return UnnestOperator(collection, node.own, node.fields, number=node.number, keeps_empty=node.keeps_empty)
        case DropUnchanged():
            return DropUnchangedOperator()
        case Write():
            return Relabel([(column.name, polars_dtype(column.type)) for column in writable_columns(node.table)])


def enforcer_of(node: Write) -> list[Stateless]:
    """Returns what fails on a NULL for a column that is NOT NULL; nothing where the query cannot give one."""
    pairs = zip(writable_columns(node.table), node.schema.fields, strict=True)
    required = [column.name for column, given in pairs if given.type.nullable and not column.type.nullable]
    return [RequireValues(node.table.name, required)] if required else []


def encoder_of(plan: Node, *, told_once: bool = False) -> list[Stateless]:
    """Returns what turns weights into kinds of change for whoever reads a plan's rows; nothing if rows stand.

    Args:
        plan: A whole one.
        told_once: Whether each batch tells of a key once, as `told_by_group` has it.
    """
    if isinstance(plan, Write) and plan.encoding is Encoding.UPSERT:
        return [EncodeUpserts(plan.table.primary_key, told_once=told_once)]
    changelog = changelog_of(plan)
    if changelog.is_append_only:
        return []
    keys = sorted(changelog.keys, key=len)
    updates = Change.UPDATE_AFTER in changelog.changes
    return [EncodeChanges(sorted(keys[0]) if keys else (), updates=updates)]


def values_operator(node: Values) -> ValuesOperator:
    """Returns what gives literal rows."""
    if not node.schema.fields:
        return ValuesOperator(pl.DataFrame(height=len(node.rows)))
    columns = {
        one.name: pl.Series([row[index] for row in node.rows], dtype=polars_dtype(one.type))
        for index, one in enumerate(node.schema.fields)
    }
    return ValuesOperator(pl.DataFrame(columns))


def writable_columns(table: TableDefinition) -> tuple[Column, ...]:
    """Returns the columns that INSERT INTO fills: physical ones and metadata that is not virtual."""
    return tuple(
        column
        for column in table.columns
        if column.kind is ColumnKind.PHYSICAL or (column.kind is ColumnKind.METADATA and not column.virtual)
    )


def dtypes_of(schema: Schema) -> dict[str, pl.DataType]:
    """Returns the columns and what Polars holds them in."""
    return {one.name: polars_dtype(one.type) for one in schema.fields}
