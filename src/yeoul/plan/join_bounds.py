"""What bounds in time which rows of a join can meet, so that the join knows when a row has met all that it will.

A join without a bound keeps every row for ever and takes answers back; one with a bound drops rows by the watermark and
gives answers that stand. Column names are those of the join's inputs; all durations are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AsOf", "Interval", "JoinBound", "SameWindow"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Rows meet whose times are near: `lower_ms <= left time - right time <= upper_ms`.

    Attributes:
        left_time: The left's time attribute.
        right_time: The right's.
        lower_ms: The least difference, often negative.
        upper_ms: The greatest.
        by_clock: Whether the times are those at which the rows come, of the processing clock; else row times.

    Example:
        >>> Interval("a", "b", -5_000, 2_000).delay_ms
        5000
    """

    left_time: str
    right_time: str
    lower_ms: int
    upper_ms: int
    by_clock: bool = False

    @property
    def delay_ms(self) -> int:
        """How far a row that comes out may be behind the watermark."""
        return 0 if self.by_clock else max(self.upper_ms, -self.lower_ms, 0)

    @property
    def left_columns(self) -> frozenset[str]:
        return frozenset({self.left_time})

    @property
    def right_columns(self) -> frozenset[str]:
        return frozenset({self.right_time})


@dataclass(frozen=True, slots=True)
class SameWindow:
    """Rows meet that belong to the same window; a window's rows are joined when it closes.

    Attributes:
        left: The left's columns of the window's start and end.
        right: The right's.
        is_local: Whether the windows are cut in local time, of a TIMESTAMP_LTZ row time.
    """

    left: tuple[str, str]
    right: tuple[str, str]
    is_local: bool = False

    @property
    def left_columns(self) -> frozenset[str]:
        return frozenset(self.left)

    @property
    def right_columns(self) -> frozenset[str]:
        return frozenset(self.right)


@dataclass(frozen=True, slots=True)
class AsOf:
    """A row of the left meets the row that the right had at its time: of the key's versions the last one until then.

    The join's keys tell the right's rows apart, so at any time there is at most one for each key.

    Attributes:
        left_time: The left's row time.
        right_time: The right's, from which a version counts.
    """

    left_time: str
    right_time: str

    @property
    def left_columns(self) -> frozenset[str]:
        return frozenset({self.left_time})

    @property
    def right_columns(self) -> frozenset[str]:
        return frozenset({self.right_time})


JoinBound = Interval | SameWindow | AsOf
