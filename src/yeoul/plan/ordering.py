"""Order among rows: by which columns, over which of the rows around, by which notion of time."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Frame", "FrameUnit", "OverTime", "Ranking", "SortKey"]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order."""

    column: str
    descending: bool = False
    nulls_last: bool = False

    def __str__(self) -> str:
        nulls = "" if self.nulls_last == self.descending else f" NULLS {'LAST' if self.nulls_last else 'FIRST'}"
        return f"{self.column}{' DESC' if self.descending else ''}{nulls}"


class FrameUnit(enum.Enum):
    """What a frame counts in."""

    ROWS = "ROWS"
    RANGE = "RANGE"
    """Milliseconds of the time attribute; rows of one instant always belong together."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Which rows of its partition an aggregate over a row sees.

    Attributes:
        unit: What the bounds count in.
        preceding: How far back; None: from the partition's first row.
        following: How far ahead, 0 for the current row (RANGE: its whole instant); None: to the last row.
    """

    unit: FrameUnit
    preceding: int | None = None
    following: int | None = 0


class OverTime(enum.Enum):
    """When the rows of an order are complete."""

    EVENT = "event time"
    """A row when the watermark has passed it."""
    PROCESSING = "processing time"
    """At once: rows are in order as they arrive."""
    END = "the end of the input"
    """All rows when there are no more."""


class Ranking(enum.Enum):
    """How rows are numbered within a partition, from 1."""

    ROW_NUMBER = "row_number"
    """One after the other; equal rows in order of arrival."""
    RANK = "rank"
    """Equal rows alike, the next one by how many are before it."""
    DENSE_RANK = "dense_rank"
    """Equal rows alike, the next one by one more."""
