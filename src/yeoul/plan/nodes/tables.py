"""Where rows come from and where they go: tables, literal rows, the watermark of a table's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from yeoul.plan.encoding import Conflict, Encoding
from yeoul.plan.expressions import Expression, LiteralValue
from yeoul.plan.nodes.schema import Schema
from yeoul.plan.tables import Column, TableDefinition
from yeoul.plan.types import Kind

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["AssignWatermark", "Scan", "Sieve", "Values", "Write", "columns_read"]


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which rows of a scan are wanted whole: a source may leave the others out, none has to.

    Attributes:
        predicate: Over the scan's columns; cannot fail. Rows for which it is not TRUE are dropped above in any case.
        times: The scan's columns that event time is computed from: of rows left out these are told, so that the
            watermark goes on over them. Empty: nothing follows event time here.
    """

    predicate: Expression
    times: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """Reads a table's physical and metadata columns; `schema` names just those that are read (push-down).

    Attributes:
        table: The declaration.
        schema: The physical and metadata columns to produce, a subset of the declared ones; of a ROW column perhaps
            not all fields. A source may give more fields, none less.
        options: The declaration's options with the query's dynamic ones (`/*+ OPTIONS(...) */`) on top.
        encoding: What a record means; UPSERT only below ChangelogNormalize.
        sieve: Which rows are wanted whole; None: all.
    """

    table: TableDefinition
    schema: Schema
    options: Mapping[str, str] = field(default_factory=dict)
    encoding: Encoding = Encoding.APPEND
    sieve: Sieve | None = None


def columns_read(table: TableDefinition, schema: Schema) -> list[Column]:
    """Returns the declared columns of a scan's schema, in its order, rows with the fields that the schema has."""
    declared = {column.name: column for column in table.columns}
    found = ((declared[one.name], one.type) for one in schema.fields)
    return [replace(column, type=kind) if kind.kind is Kind.ROW else column for column, kind in found]


@dataclass(frozen=True, slots=True)
class Values:
    """Literal rows: VALUES, and SELECT without FROM."""

    rows: tuple[tuple[LiteralValue, ...], ...]
    schema: Schema


@dataclass(frozen=True, slots=True)
class AssignWatermark:
    """Follows event time: the watermark is the largest value of `expression` seen, per split.

    Attributes:
        column: The row-time column, TIMESTAMP(3) or TIMESTAMP_LTZ(3).
        expression: Same type as the column, over the input's columns.
        idle_timeout_ms: After how long at its end a split stops holding the watermark; None: never.
        alignment: The group whose splits wait for each other, and how far, in ms, one may be ahead of the slowest;
            None: no table asks for that.
        told: The column, of `schema` alone, that says the watermark before each row (CURRENT_WATERMARK), NULL before
            the first; None: nobody asks.
    """

    input: Node
    column: str
    expression: Expression
    schema: Schema
    idle_timeout_ms: int | None = None
    alignment: tuple[str, int] | None = None
    told: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """INSERT INTO: the input's columns, by position, into the table's writable ones.

    Attributes:
        encoding: How the table is told of changes; RETRACT and UPSERT take rows that stand, too.
        conflict: What the statement says after ON CONFLICT, if it does.
    """

    input: Node
    table: TableDefinition
    options: Mapping[str, str] = field(default_factory=dict)
    encoding: Encoding = Encoding.APPEND
    conflict: Conflict | None = None

    @property
    def schema(self) -> Schema:
        return self.input.schema
