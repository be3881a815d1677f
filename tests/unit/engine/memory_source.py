"""A source in memory that a test feeds by hand, a sink that can be held up, and plans over them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
from pipelines import MemoryBatch

from yeoul.engine.contract import DeadLetters, Polled, Position
from yeoul.plan.expressions import AggregateCall, Call, ColumnRef, Literal
from yeoul.plan.nodes import (
    Aggregation,
    AssignWatermark,
    Field,
    Filter,
    Limit,
    Node,
    Project,
    Projection,
    Scan,
    Schema,
    Union,
    Window,
    WindowAggregate,
    WindowKind,
    WindowProperty,
    Write,
)
from yeoul.plan.tables import Column, TableDefinition
from yeoul.plan.types import BIGINT, BOOLEAN, INTERVAL_DAY_TIME, STRING, timestamp

TS = timestamp(3)
COLUMNS = (Column("ts", TS), Column("action", STRING), Column("id", BIGINT))
DTYPES = {"ts": pl.Datetime("ms"), "action": pl.String, "id": pl.Int64}


def rows(*values: tuple[int | None, str, int]) -> pl.DataFrame:
    return pl.DataFrame(values, schema={"ts": pl.Int64, "action": pl.String, "id": pl.Int64}, orient="row").cast(DTYPES)


@dataclass
class Piece:
    split: str
    frame: pl.DataFrame
    size_bytes: int
    position_after: Position
    dead: DeadLetters | None = None
    before_decode: Callable[[], None] = lambda: None

    def decode(self) -> MemoryBatch:
        self.before_decode()
        return MemoryBatch(self.frame, self.dead)


@dataclass
class MemorySource:
    """Gives what was pushed; at the end of a split whenever nothing is left of it."""

    names: Sequence[str] = ("s0",)
    is_bounded: bool = False
    queues: dict[str, deque[Piece]] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    given: dict[str, int] = field(default_factory=dict)
    polls: int = 0
    closed: bool = False
    failure: Exception | None = None
    condition: threading.Condition = field(default_factory=threading.Condition)
    _woken: bool = False

    def __post_init__(self) -> None:
        self.queues = {name: deque() for name in self.names}

    def push(self, split: str, frame: pl.DataFrame, size_bytes: int = 100, **more: object) -> None:
        with self.condition:
            queue = self.queues.setdefault(split, deque())
            queue.append(Piece(split, frame, size_bytes, self.given.get(split, 0) + len(queue) + 1, **more))  # type: ignore[arg-type]
            self.condition.notify_all()

    def finish(self, *splits: str) -> None:
        with self.condition:
            self.finished.update(splits or self.queues)
            self.condition.notify_all()

    def fail(self, error: Exception) -> None:
        with self.condition:
            self.failure = error
            self.condition.notify_all()

    def open(self, positions: Mapping[str, Position]) -> MemorySource:
        return self

    def splits(self) -> Sequence[str]:
        with self.condition:
            return list(self.queues)

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        with self.condition:
            self.polls += 1
            told = {one for one in self.finished if self.given.get(one) == -1}
            self.condition.wait_for(lambda: self._has_news(splits, told), timeout_s)
            self._woken = False
            if self.failure:
                raise self.failure
            pieces: list[Piece] = []
            for split in splits:
                while self.queues[split] and sum(one.size_bytes for one in pieces) < max_bytes:
                    pieces.append(self.queues[split].popleft())
                    self.given[split] = self.given.get(split, 0) + 1
            ended = frozenset(one for one in splits if not self.queues[one])
            done = frozenset(one for one in ended if one in self.finished)
            for one in done:
                self.given[one] = -1
            lag = {one: len(self.queues[one]) for one in splits}
            return Polled(pieces, ended, done, lag)

    def _has_news(self, splits: Collection[str], told: set[str]) -> bool:
        new_end = any(one in self.finished and one not in told for one in splits)
        return bool(self._woken or self.failure or new_end or any(self.queues[one] for one in splits))

    def wake(self) -> None:
        with self.condition:
            self._woken = True
            self.condition.notify_all()

    def close(self) -> None:
        self.closed = True


@dataclass
class MemorySink:
    """Keeps what is written; `gate` holds up every write until it is set."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    flushes: int = 0
    closed: bool = False
    gate: threading.Event | None = None
    waits: threading.Event = field(default_factory=threading.Event)

    def write(self, frame: pl.DataFrame) -> None:
        self.waits.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        self.frames.append(frame)

    def flush(self) -> None:
        self.flushes += 1

    def close(self) -> None:
        self.closed = True


def until(condition: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    """Waits for a condition; the test fails if it does not come."""
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, f"waited in vain for: {what}"
        threading.Event().wait(0.001)


def table(name: str) -> TableDefinition:
    return TableDefinition(name, COLUMNS)


def scan(name: str = "clicks") -> Scan:
    return Scan(table(name), Schema(tuple(Field(column.name, column.type) for column in COLUMNS)))


def timed(name: str = "clicks", delay_ms: int = 0, idle_timeout_ms: int | None = None) -> AssignWatermark:
    import datetime

    below = scan(name)
    delay = Literal(datetime.timedelta(milliseconds=delay_ms), INTERVAL_DAY_TIME)
    fields = tuple(Field(one.name, one.type, one.name == "ts") for one in below.schema.fields)
    expression = Call("subtract", (ColumnRef("ts", TS), delay), TS)
    return AssignWatermark(below, "ts", expression, Schema(fields), idle_timeout_ms)


def counted(node: Node, size_ms: int = 10) -> WindowAggregate:
    keys = (Projection("action", ColumnRef("action", STRING)),)
    aggregates = (Aggregation("n", AggregateCall("count_star", (), BIGINT.not_null())),)
    fields = (Field("action", STRING), Field("n", BIGINT.not_null()), Field("start", TS), Field("end", TS))
    properties = (("start", WindowProperty.START), ("end", WindowProperty.END))
    return WindowAggregate(
        node, Window(WindowKind.TUMBLE, "ts", size_ms, size_ms), keys, aggregates, properties, Schema(fields)
    )


def union(*nodes: Node) -> Union:
    return Union(nodes, nodes[0].schema)


def limit(node: Node, count: int) -> Limit:
    return Limit(node, count)


def only(node: Node, action: str) -> Filter:
    equals = Call("equals", (ColumnRef("action", STRING), Literal(action, STRING.not_null())), BOOLEAN)
    return Filter(node, equals)


def ids(node: Node) -> Project:
    return Project(node, (Projection("id", ColumnRef("id", BIGINT)),), Schema((Field("id", BIGINT),)))


def write(node: Node) -> Write:
    columns = (Column("action", STRING), Column("clicks", BIGINT), Column("since", TS), Column("till", TS))
    return Write(node, TableDefinition("answers", columns))
