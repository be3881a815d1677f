"""Joins of two inputs, and of an input with an outside table."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yeoul.plan.expressions import Expression
from yeoul.plan.join_bounds import JoinBound
from yeoul.plan.nodes.schema import Projection, Schema
from yeoul.plan.nodes.tables import Scan

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["Join", "JoinKey", "JoinKind", "LookupJoin"]


class JoinKind(enum.Enum):
    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    SEMI = "SEMI"
    """Rows of the left that have a partner; the right's columns are not given."""
    ANTI = "ANTI"
    """Rows of the left that have none; the right's columns are not given."""

    @property
    def keeps_left(self) -> bool:
        """Whether a row of the left without a partner is given, with NULLs for the right's columns."""
        return self in (JoinKind.LEFT, JoinKind.FULL)

    @property
    def keeps_right(self) -> bool:
        """The same of the right."""
        return self in (JoinKind.RIGHT, JoinKind.FULL)

    @property
    def gives_right(self) -> bool:
        """Whether the right's columns are given."""
        return self not in (JoinKind.SEMI, JoinKind.ANTI)


@dataclass(frozen=True, slots=True)
class JoinKey:
    """What has to be equal of two rows that belong together.

    Attributes:
        left: An expression over the left.
        right: One over the right, of the same type.
        nulls_meet: Whether NULL equals NULL, as in `a IS NOT DISTINCT FROM b`; in `a = b` it equals nothing.
    """

    left: Expression
    right: Expression
    nulls_meet: bool = False

    @property
    def sides(self) -> tuple[Expression, Expression]:
        """Both expressions."""
        return self.left, self.right


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of two inputs that belong together: as both change, or, if a bound in time is known, once and for all.

    Attributes:
        left: No two columns of the inputs have one name.
        right: The same.
        kind: What becomes of rows without a partner.
        keys: What has to be equal.
        condition: What must hold besides, over the columns of both; None: nothing.
        schema: The left's columns, then the right's if the kind gives them; perhaps without those that only keys,
            condition and bound need.
        bound: What bounds in time which rows can meet; None: nothing, the regular join.
        ttl_ms: For how long the rows of each side are kept untouched, without a bound; 0: for ever; None: as the
            session says.
    """

    left: Node
    right: Node
    kind: JoinKind
    keys: tuple[JoinKey, ...]
    condition: Expression | None
    schema: Schema
    bound: JoinBound | None = None
    ttl_ms: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True, slots=True)
class LookupJoin:
    """Each row beside the rows of an outside table that have its key, as they are when it comes.

    Attributes:
        table: What is looked up; it is asked, never read as an input.
        keys: Values over the input, and the table's columns that have to equal them.
        values: What is asked of each row found: its name here, and an expression over the table's columns.
        condition: What must hold besides, over the input's columns and the values; None: nothing.
        schema: The input's columns, then values, those left out that only the condition needs.
        keeps_left: Whether a row without a partner is given, with NULLs.
    """

    input: Node
    table: Scan
    keys: tuple[tuple[Expression, str], ...]
    values: tuple[Projection, ...]
    condition: Expression | None
    schema: Schema
    keeps_left: bool
