"""A table's or view's declaration as SQL again: what SHOW CREATE prints, and what a stored catalog keeps.

Reading the text gives an equal declaration: names are quoted, options and types written out, computed columns and
watermarks stand as they were written.
"""

from __future__ import annotations

from collections.abc import Iterator

from yeoul.plan.tables import DATABASE, Column, ColumnKind, TableDefinition, ViewDefinition

__all__ = ["declaration_of", "quoted", "quoted_name"]


def declaration_of(definition: TableDefinition | ViewDefinition) -> str:
    """Returns the CREATE statement of a table or view, without a semicolon.

    Example:
        >>> from yeoul.plan.types import INT
        >>> print(declaration_of(TableDefinition("t", (Column("a", INT),), options={"connector": "print"})))
        CREATE TABLE `t` (
          `a` INT
        ) WITH (
          'connector' = 'print'
        )
    """
    if isinstance(definition, ViewDefinition):
        names = f" ({', '.join(map(quoted, definition.column_names))})" if definition.column_names else ""
        return f"CREATE VIEW {quoted_name(definition)}{names}{_comment(definition.comment)} AS\n{definition.query}"
    elements = ",\n".join(f"  {one}" for one in _elements(definition))
    text = f"CREATE TABLE {quoted_name(definition)} (\n{elements}\n){_comment(definition.comment)}"
    options = ",\n".join(f"  {_string(key)} = {_string(value)}" for key, value in definition.options.items())
    return f"{text} WITH (\n{options}\n)" if options else text


def _elements(table: TableDefinition) -> Iterator[str]:
    for column in table.columns:
        yield _column(column) + _comment(column.comment)
    if table.watermark is not None:
        yield f"WATERMARK FOR {quoted(table.watermark.column)} AS {table.watermark.text}"
    if table.primary_key:
        yield f"PRIMARY KEY ({', '.join(map(quoted, table.primary_key))}) NOT ENFORCED"


def _column(column: Column) -> str:
    match column.kind:
        case ColumnKind.COMPUTED:
            return f"{quoted(column.name)} AS {column.text}"
        case ColumnKind.METADATA:
            key = "" if column.metadata_key in (None, column.name) else f" FROM {_string(str(column.metadata_key))}"
            return f"{quoted(column.name)} {column.type} METADATA{key}{' VIRTUAL' if column.virtual else ''}"
        case ColumnKind.PHYSICAL:
            return f"{quoted(column.name)} {column.type}"


def _comment(text: str) -> str:
    return f" COMMENT {_string(text)}" if text else ""


def quoted_name(definition: TableDefinition | ViewDefinition) -> str:
    """Returns a table's or view's name in backticks, after that of its database if it is not the default one.

    Example:
        >>> quoted_name(TableDefinition("shop.clicks", (), database="shop"))
        '`shop`.`clicks`'
    """
    if definition.database == DATABASE:
        return quoted(definition.name)
    return f"{quoted(definition.database)}.{quoted(definition.name.removeprefix(definition.database + '.'))}"


def quoted(name: str) -> str:
    """Returns a name in backticks, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
