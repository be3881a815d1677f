"""Windows and the nodes that go by them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yeoul.plan.nodes.schema import Aggregation, Projection, Schema
from yeoul.plan.ordering import SortKey

if TYPE_CHECKING:
    from yeoul.plan.nodes.tree import Node

__all__ = ["Emission", "Window", "WindowAggregate", "WindowAssign", "WindowKind", "WindowProperty", "WindowTopN"]


class WindowKind(enum.Enum):
    TUMBLE = "TUMBLE"
    HOP = "HOP"
    CUMULATE = "CUMULATE"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True)
class Window:
    """Which windows a row belongs to, by its time; all in milliseconds of the time's own axis.

    TUMBLE has `slide_ms == size_ms`. HOP starts a window every `slide_ms`. CUMULATE emits at each `slide_ms` (its
    step) within `size_ms`. `offset_ms` shifts every window's start from the epoch. SESSION ends when for `size_ms`
    (its gap, also its `slide_ms`) no row came.

    Attributes:
        by_clock: Whether a row's time is when it is worked on, and a window ends by the clock; else event time.
        partition: Of a SESSION that is assigned: the columns by which sessions are told apart; one that is
            aggregated has them by the aggregate's keys.
    """

    kind: WindowKind
    time_column: str
    size_ms: int
    slide_ms: int
    offset_ms: int = 0
    by_clock: bool = False
    partition: tuple[str, ...] = ()

    def __str__(self) -> str:
        length = "gap" if self.kind is WindowKind.SESSION else "size"
        parts = [self.time_column, f"{length} {self.size_ms} ms"]
        if self.kind is WindowKind.HOP:
            parts.append(f"slide {self.slide_ms} ms")
        if self.kind is WindowKind.CUMULATE:
            parts.append(f"step {self.slide_ms} ms")
        if self.offset_ms:
            parts.append(f"offset {self.offset_ms} ms")
        return f"{self.kind.value}({', '.join(parts)})"


class WindowProperty(enum.Enum):
    """What a query can ask of a window."""

    START = "start"
    """Inclusive start, TIMESTAMP(3)."""
    END = "end"
    """Exclusive end, TIMESTAMP(3)."""
    TIME = "time"
    """End - 1 ms, a row time again: `window_time`, `TUMBLE_ROWTIME`."""


@dataclass(frozen=True, slots=True)
class Emission:
    """When a window's rows are given besides the one time when it is over; they are then given as changes.

    Attributes:
        early_ms: At most how long after a change a window is given that is not over; None: not before it is.
        late_ms: At most how long after a late row a window is given again; None: late rows do not count.
        lateness_ms: For how long after its end a window takes late rows; 0 without `late_ms`.
    """

    early_ms: int | None = None
    late_ms: int | None = None
    lateness_ms: int = 0


@dataclass(frozen=True, slots=True)
class WindowAggregate:
    """Aggregates each window's rows by key; emits a window once, when the watermark (or the clock) passes its end.

    Attributes:
        keys: Output name and expression over the input; may be empty (one row per window).
        aggregates: Output name and call, arguments over the input.
        properties: Output name and window property.
        schema: Keys, then aggregates, then properties.
        emission: How rows are given as changes before and after the window is over; None: they are given once.
    """

    input: Node
    window: Window
    keys: tuple[Projection, ...]
    aggregates: tuple[Aggregation, ...]
    properties: tuple[tuple[str, WindowProperty], ...]
    schema: Schema
    emission: Emission | None = None


@dataclass(frozen=True, slots=True)
class WindowAssign:
    """The bare table function: each row once per window it belongs to, with window_start, window_end, window_time.

    A row of a SESSION is given when its session is over.
    """

    input: Node
    window: Window
    schema: Schema


@dataclass(frozen=True, slots=True)
class WindowTopN:
    """The rows of each partition of a window that ROW_NUMBER counts from one number to another, when it is over.

    Attributes:
        window: The window that the rows lie in.
        bounds: The columns that hold its start and its end.
        is_local: Whether they are readings of the session's local time.
        partition: Columns of the input, the bounds among them.
        order: What the number goes by; may be empty: order of arrival.
        first: The least number that is given, from 1 on.
        last: The greatest.
        rank: The output column of the number; None if it is not asked for.
        schema: The input's columns, then the number.
    """

    input: Node
    window: Window
    bounds: tuple[str, str]
    is_local: bool
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    first: int
    last: int
    rank: str | None
    schema: Schema
