"""What a CREATE TABLE or CREATE VIEW declared: the catalog keeps these, the planner reads them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from yeoul.plan.expressions import Expression
from yeoul.plan.types import DataType

__all__ = ["Column", "ColumnKind", "TableDefinition", "ViewDefinition", "WatermarkDefinition"]


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
    """

    name: str
    type: DataType
    kind: ColumnKind = ColumnKind.PHYSICAL
    metadata_key: str | None = None
    expression: Expression | None = None
    virtual: bool = False
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class WatermarkDefinition:
    """WATERMARK FOR column AS expression, over the table's columns; `text` is the expression as written."""

    column: str
    expression: Expression
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table: columns, watermark, options; `options['connector']` says what serves it."""

    name: str
    columns: tuple[Column, ...]
    watermark: WatermarkDefinition | None = None
    primary_key: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """A view: its name and the text of its query, bound anew at each use."""

    name: str
    query: str
    column_names: tuple[str, ...] = ()
    comment: str = ""
