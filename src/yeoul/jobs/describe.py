"""DESCRIBE: a table's columns as in Flink (name, type, null, key, extras, watermark, comment if any has one)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yeoul.plan.explain import explain_expression
from yeoul.plan.nodes import Field
from yeoul.plan.statements import DescribeTable
from yeoul.plan.tables import Column, ColumnKind, TableDefinition

__all__ = ["describe_columns"]


def describe_columns(statement: DescribeTable) -> Mapping[str, Sequence[str | None]]:
    """Returns the answer of DESCRIBE as text columns."""
    definition = statement.definition
    declared = {column.name: column for column in definition.columns} if isinstance(definition, TableDefinition) else {}
    fields = [
        field
        for field in statement.plan.schema.fields
        if statement.pattern is None or statement.pattern.admits(field.name)
    ]
    rows = [_row(field, definition, declared.get(field.name)) for field in fields]
    names = ("name", "type", "null", "key", "extras", "watermark")
    comments = [declared[field.name].comment or None if field.name in declared else None for field in fields]
    listed = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    return {**listed, "comment": comments} if any(comments) else listed


def _row(field: Field, definition: object, column: Column | None) -> tuple[str | None, ...]:
    type = str(field.type.or_null()) + (
        " *ROWTIME*" if field.is_rowtime else " *PROCTIME*" if field.is_proctime else ""
    )
    key = watermark = None
    if isinstance(definition, TableDefinition):
        if field.name in definition.primary_key:
            key = f"PRI({', '.join(definition.primary_key)})"
        if definition.watermark is not None and definition.watermark.column == field.name:
            watermark = definition.watermark.text or explain_expression(definition.watermark.expression)
    return field.name, type, str(field.type.nullable).upper(), key, _extras(column), watermark


def _extras(column: Column | None) -> str | None:
    if column is None or column.kind is ColumnKind.PHYSICAL:
        return None
    if column.kind is ColumnKind.COMPUTED and column.expression is not None:
        return f"AS {column.text or explain_expression(column.expression)}"
    source = f" FROM '{column.metadata_key}'" if column.metadata_key not in (None, column.name) else ""
    return f"METADATA{source}" + (" VIRTUAL" if column.virtual else "")
