"""What goes by the order of rows: OVER, Top-N, deduplication, ORDER BY."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yeoul.errors import Span
from yeoul.plan.nodes.schema import Aggregation, Schema
from yeoul.plan.ordering import Frame, OverTime, Ranking, SortKey

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["Deduplicate", "Over", "Sort", "TopN"]


@dataclass(frozen=True, slots=True)
class Over:
    """Each row with what functions say of the rows around it: OVER (PARTITION BY ... ORDER BY ...).

    Attributes:
        partition: Columns of the input; rows of different partitions do not see each other.
        order: The order within a partition; equal rows in order of arrival.
        frame: Which rows aggregates see; `lag`, `lead` and rankings do not ask.
        calls: Output name and call: an aggregate, a ranking, `lag` or `lead`; arguments over the input.
        time: When rows are complete; None: never, the order is by no time attribute: it stands for a Top-N only.
        schema: The input's columns, then the calls.
        span: Where the query says so.
    """

    input: Node
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    frame: Frame
    calls: tuple[Aggregation, ...]
    time: OverTime | None
    schema: Schema
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TopN:
    """The rows of each partition whose rank lies between two numbers.

    Attributes:
        partition: Columns of the input; may be empty.
        order: What the rank goes by; may be empty: order of arrival.
        ranking: How rows are numbered.
        first: The least rank that is given, from 1 on.
        last: The greatest.
        rank: The output column of the rank; None if it is not asked for: then a row that only moves is not given anew.
        schema: The input's columns, then the rank.
        updating: Whether each batch gives the changes that it brings; else all is given once, at the end of the input.
    """

    input: Node
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    ranking: Ranking
    first: int
    last: int
    rank: str | None
    schema: Schema
    updating: bool


@dataclass(frozen=True, slots=True)
class Deduplicate:
    """One row for each key: the first or the last by a time attribute.

    Attributes:
        keys: Columns of the input.
        column: The time attribute.
        time: EVENT: the first row of a key is given when the watermark passes it, a last one at once; PROCESSING: rows
            are in order as they arrive.
        keeps_last: Which row is kept; a last one takes the place of the one before.
        updating: Whether last rows are given as changes; else once, at the end of the input.
    """

    input: Node
    keys: tuple[str, ...]
    column: str
    time: OverTime
    keeps_last: bool
    updating: bool

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class Sort:
    """All rows in order.

    Attributes:
        order: What they are sorted by; equal rows stay in order of arrival.
        time: EVENT: by the row time first, as the watermark passes it; END: at the end of the input, where changes are
            settled.
        offset: How many rows are passed over; 0 but at the end of the input.
        count: How many are given then; None: all.
    """

    input: Node
    order: tuple[SortKey, ...]
    time: OverTime
    offset: int = 0
    count: int | None = None

    @property
    def schema(self) -> Schema:
        return self.input.schema
