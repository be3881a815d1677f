"""Nodes that work row by row, or on rows as they come: projections, filters, collections, LIMIT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yeoul.plan.expressions import Expression
from yeoul.plan.nodes.schema import Projection, Schema
from yeoul.plan.types import Kind

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["Filter", "Limit", "Project", "Unnest"]


@dataclass(frozen=True, slots=True)
class Project:
    """Computes the output columns from the input's."""

    input: Node
    projections: tuple[Projection, ...]
    schema: Schema


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the rows for which the predicate is true (not false, not NULL)."""

    input: Node
    predicate: Expression

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class Unnest:
    """Each row once for each element of a collection of it, beside what the element holds.

    Attributes:
        collection: An ARRAY or a MAP, over the input's columns.
        schema: The input's columns, then those that an element fills, then the ordinal number's.
        number: The column that counts a row's elements from 1; None: there is none.
        keeps_empty: Whether a row without elements is given once, with NULLs.
    """

    input: Node
    collection: Expression
    schema: Schema
    number: str | None
    keeps_empty: bool

    @property
    def own(self) -> tuple[str, ...]:
        """The columns that an element fills."""
        names = self.schema.names[len(self.input.schema.names) :]
        return names if self.number is None else names[:-1]

    @property
    def fields(self) -> tuple[str, ...]:
        """The element's fields that fill a column each; none: the element is the one column."""
        element = self.collection.type.element
        if self.collection.type.kind is Kind.MAP:
            return "key", "value"
        return tuple(one.name for one in element.fields) if element is not None and element.kind is Kind.ROW else ()


@dataclass(frozen=True, slots=True)
class Limit:
    """The first `count` rows in order of arrival, `offset` passed over; then the job is done."""

    input: Node
    count: int
    offset: int = 0

    @property
    def schema(self) -> Schema:
        return self.input.schema
