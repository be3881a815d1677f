"""What a CREATE TABLE or CREATE VIEW declared: the catalog keeps these, the planner reads them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from yeoul.plan.expressions import Expression
from yeoul.plan.types import DataType

__all__ = [
    "CATALOG",
    "DATABASE",
    "Column",
    "ColumnKind",
    "TableDefinition",
    "ViewDefinition",
    "WatermarkDefinition",
    "full_name",
]

CATALOG, DATABASE = "default_catalog", "default_database"
"""The one catalog, and the database that is there from the beginning."""


def full_name(database: str, name: str) -> str:
    """Returns what a table of a database is called throughout: its name alone in the default database.

    Example:
        >>> full_name("default_database", "clicks"), full_name("shop", "clicks")
        ('clicks', 'shop.clicks')
    """
    return name if database == DATABASE else f"{database}.{name}"


class ColumnKind(enum.Enum):
    """Where a column's value comes from."""

    PHYSICAL = "physical"
    """The record itself, through the format."""
    METADATA = "metadata"
    """The connector: offset, partition, timestamp, headers, ..."""
    COMPUTED = "computed"
    """An expression over the other columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column.

    Attributes:
        name: As declared; case-sensitive.
        type: Its logical type.
        kind: Where the value comes from.
        metadata_key: For METADATA, the connector's key (`offset`, `partition`, `timestamp`, ...).
        expression: For COMPUTED, over the table's physical and metadata columns.
        virtual: For METADATA, whether it is left out when writing.
        text: For COMPUTED, the expression as written.
        comment: COMMENT '...'; empty if there is none.
    """

    name: str
    type: DataType
    kind: ColumnKind = ColumnKind.PHYSICAL
    metadata_key: str | None = None
    expression: Expression | None = None
    virtual: bool = False
    text: str = field(default="", compare=False)
    comment: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class WatermarkDefinition:
    """WATERMARK FOR column AS expression, over the table's columns; `text` is the expression as written."""

    column: str
    expression: Expression
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table: columns, watermark, options; `options['connector']` says what serves it; `name` is its full name."""

    name: str
    columns: tuple[Column, ...]
    watermark: WatermarkDefinition | None = None
    primary_key: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    database: str = DATABASE


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """A view: its full name and the text of its query, bound anew at each use, in the view's own database."""

    name: str
    query: str
    column_names: tuple[str, ...] = ()
    comment: str = ""
    database: str = DATABASE
