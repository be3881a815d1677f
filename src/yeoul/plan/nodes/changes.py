"""Changes by key where they come in, one row a key where they go out, and those that change nothing left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yeoul.plan.encoding import Conflict
from yeoul.plan.nodes.schema import Schema

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["ChangelogNormalize", "DropUnchanged", "SinkMaterialize"]


@dataclass(frozen=True, slots=True)
class ChangelogNormalize:
    """Upserts as changes: for each record of a key what its row was, and what it is.

    Attributes:
        key: The columns that make the key.
    """

    input: Node
    key: tuple[str, ...]

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class DropUnchanged:
    """Changes without the updates after which a row is what it was.

    The input is some columns of an aggregate of which others read others.
    """

    input: Node

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class SinkMaterialize:
    """One row for each key of the table that is written, though the query may give several.

    Attributes:
        key: The columns that make the table's key.
        own: Columns that tell the query's rows apart; none: only a row as a whole does.
        conflict: Which of several rows it is.
        table: The table's name, for messages.
    """

    input: Node
    key: tuple[str, ...]
    own: tuple[str, ...]
    conflict: Conflict
    table: str

    @property
    def schema(self) -> Schema:
        return self.input.schema
