"""UNION, INTERSECT, EXCEPT."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yeoul.plan.nodes.schema import Schema

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["SetKind", "SetOperation", "Union"]


@dataclass(frozen=True, slots=True)
class Union:
    """UNION ALL: rows of every input, columns matched by position, named as in the first; watermarks by minimum."""

    inputs: tuple[Node, ...]
    schema: Schema


class SetKind(enum.Enum):
    INTERSECT = "INTERSECT"
    """Rows of the left that the right has, too."""
    EXCEPT = "EXCEPT"
    """Rows of the left that the right does not have."""


@dataclass(frozen=True, slots=True)
class SetOperation:
    """INTERSECT or EXCEPT: whole rows of the left, judged by how often they stand on each side; NULL equals NULL.

    Attributes:
        left: Its columns have the names and types of the schema.
        right: The same.
        kind: What is kept.
        keeps_doubles: Whether rows are counted (ALL); else each is given once.
        schema: Has no time attribute: the rows come in no order.
    """

    left: Node
    right: Node
    kind: SetKind
    keeps_doubles: bool
    schema: Schema
