"""GROUP BY without windows, and what is left of changes at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yeoul.plan.nodes.schema import Aggregation, Projection, Schema

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["Aggregate", "Settle"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Aggregates all rows by key.

    Attributes:
        keys: Output name and expression over the input; may be empty (one row, also over no input row).
        aggregates: Output name and call, arguments over the input; may be empty (SELECT DISTINCT) if there are keys.
        schema: Keys, then aggregates.
        updating: Whether each batch gives the groups that it changes, as changes; else every group is given once, at
            the end of the input.
        ttl_ms: For how long an updating group is kept untouched; 0: for ever; None: as the session says.
        over_nothing: Whether, if it is updating and has no keys, the row over no input row is given at the end.
    """

    input: Node
    keys: tuple[Projection, ...]
    aggregates: tuple[Aggregation, ...]
    schema: Schema
    updating: bool = False
    over_nothing: bool = False
    ttl_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """The rows that are left, once, at the end of a bounded input whose rows change on the way."""

    input: Node

    @property
    def schema(self) -> Schema:
        return self.input.schema
