"""What waits of each split, as values: the queues of an `Intake`, and the steps that it hands out.

Changed by the intake only, under its lock; `alignment` reads them to decide who goes next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from yeoul.engine.contract import Fetched, Position
from yeoul.engine.operators.contract import START_OF_TIME
from yeoul.engine.runtime.lanes import Prepared

__all__ = [
    "LaneEnded",
    "LaneQueues",
    "NewSplit",
    "Part",
    "Request",
    "Run",
    "SplitFinished",
    "SplitIdle",
    "SplitQueue",
    "Step",
]


@dataclass(slots=True, eq=False)
class SplitQueue:
    """One split: what waits of it, and where it stands.

    Attributes:
        waiting: Pieces that nobody has begun, with their arrival numbers.
        runs: What was begun, in order.
        queued_bytes: Of pieces that the operators have not taken.
        taken_ms: How far in event time the operators have come with it.
        ahead_ms: How far in event time it was decoded.
        stride_ms: By how much its last run took it on.
        at_end: Whether the last poll found nothing behind what it gave.
        in_hands: Whether the operators are busy with a run of it.
    """

    lane: int
    split: str
    waiting: deque[tuple[int, Fetched]] = field(default_factory=deque)
    runs: deque[Run] = field(default_factory=deque)
    queued_bytes: int = 0
    taken_ms: int = START_OF_TIME
    ahead_ms: int = START_OF_TIME
    stride_ms: int = 0
    position: Position = None
    lag: int | None = None
    at_end: bool = False
    finished: bool = False
    told_finished: bool = False
    in_hands: bool = False
    is_idle: bool = False
    quiet_since_s: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it waits, is decoded or is in the operators' hands."""
        return not self.waiting and not self.runs and not self.in_hands

    @property
    def first_number(self) -> int:
        """The arrival number of what comes first of it."""
        return self.runs[0].number if self.runs else self.waiting[0][0]

    def take(self, watermark_ms: int | None) -> None:
        """Notes how far the operators have come with it."""
        if watermark_ms is not None and watermark_ms > self.taken_ms:
            self.stride_ms = 0 if self.taken_ms == START_OF_TIME else watermark_ms - self.taken_ms
            self.taken_ms = watermark_ms
            self.ahead_ms = max(self.ahead_ms, watermark_ms)


@dataclass(slots=True, eq=False)
class Part:
    """Consecutive pieces of one split.

    Attributes:
        size_bytes: Of the pieces.
    """

    queue: SplitQueue
    pieces: list[Fetched]
    size_bytes: int


@dataclass(slots=True, eq=False)
class Run:
    """What is decoded as one batch: a part of one split, or small parts of several.

    Attributes:
        number: The arrival number of its first piece.
        parts: At least one, each of another split of one lane.
        decoded_bytes: Of what became of them, while it waits.
        prepared: What became of it; None until then.
        error: What went wrong instead.
    """

    number: int
    parts: list[Part]
    decoded_bytes: int = 0
    prepared: Prepared | None = None
    error: BaseException | None = None
    is_open: bool = True

    @property
    def lane(self) -> int:
        return self.parts[0].queue.lane

    @property
    def pieces(self) -> list[Fetched]:
        return [piece for part in self.parts for piece in part.pieces]

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)


@dataclass(slots=True, eq=False)
class LaneQueues:
    """The splits of one lane.

    Attributes:
        is_timed: Whether its rows have event time.
        group: The lanes whose state depends on each other's event time have one number; None: nobody's does.
        max_drift_ms: How far its splits may be ahead of the group's slowest, also of one that has nothing more for
            now; None: only while the slowest catches up, and as far as a few runs reach.
        limit_bytes: How much may wait.
    """

    is_timed: bool
    idle_timeout_s: float | None
    wake: Callable[[], None]
    limit_bytes: int
    group: int | None = None
    max_drift_ms: int | None = None
    queues: dict[str, SplitQueue] = field(default_factory=dict)
    queued_bytes: int = 0
    waiting_bytes: int = 0
    asked: frozenset[str] | None = None
    ask_again_at_s: float = 0.0
    ended: bool = False
    told_end: bool = False


@dataclass(frozen=True, slots=True)
class NewSplit:
    lane: int
    split: str


@dataclass(frozen=True, slots=True)
class SplitIdle:
    lane: int
    split: str


@dataclass(frozen=True, slots=True)
class SplitFinished:
    lane: int
    split: str


@dataclass(frozen=True, slots=True)
class LaneEnded:
    lane: int


Step = NewSplit | SplitIdle | SplitFinished | LaneEnded | Run


@dataclass(frozen=True, slots=True)
class Request:
    """What to poll next: the splits in the order in which they are wanted."""

    splits: tuple[str, ...]
    max_bytes: int
