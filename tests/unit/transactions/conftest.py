"""A transaction coordinator with a clock, a store and partitions that are moved by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import pytest

from yeoul.broker.transactions.coordinator import Coordinator, TransactionConfig
from yeoul.broker.transactions.messages import (
    AddPartitionsReply,
    AddPartitionsRequest,
    Effect,
    EndReply,
    EndRequest,
    InitReply,
    InitRequest,
    KeyValue,
    Reply,
    ReplyBody,
    Store,
    TopicPartition,
    WriteMarkers,
)
from yeoul.wire.errors import ErrorCode


class Desk:
    """Sends requests and keeps replies by request number; stores and markers succeed at once unless told otherwise."""

    def __init__(self, config: TransactionConfig | None = None) -> None:
        self.config = config or TransactionConfig()
        self.now_ms = 1_000
        self.replies: dict[int, ReplyBody] = {}
        self.stored: list[KeyValue] = []
        self.markers: list[WriteMarkers] = []
        self.waiting: deque[Store | WriteMarkers] = deque()
        self.at_once = True
        self.store_error = ErrorCode.NONE
        self.marker_error = ErrorCode.NONE
        self.asked = 0
        self._producer_id = 99
        self.coordinator = Coordinator(self.allocate, self.config)

    def allocate(self) -> int:
        self._producer_id += 1
        return self._producer_id

    def take(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                assert effect.request_id not in self.replies, "a request was answered twice"
                self.replies[effect.request_id] = effect.body
            else:
                self.waiting.append(effect)
        while self.at_once and self.waiting:
            self.step()

    def step(self) -> None:
        """The oldest effect that waits for the disk is done."""
        effect = self.waiting.popleft()
        if isinstance(effect, Store):
            if not self.store_error:
                self.stored.append(effect.record)
            self.take(self.coordinator.stored(effect.token, self.store_error, self.now_ms))
        else:
            if not self.marker_error:
                self.markers.append(effect)
            self.take(self.coordinator.markers_written(effect.token, self.marker_error, self.now_ms))

    def advance(self, duration_ms: int) -> None:
        """Lets time pass; ticks exactly when the coordinator asked for it."""
        end_ms = self.now_ms + duration_ms
        while (deadline_ms := self.coordinator.next_deadline_ms()) is not None and deadline_ms <= end_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self.take(self.coordinator.tick(self.now_ms))
        self.now_ms = end_ms

    def number(self) -> int:
        self.asked += 1
        return self.asked

    def send_init(self, name: str = "a", *, timeout_ms: int = 60_000, producer: tuple[int, int] = (-1, -1)) -> int:
        number = self.number()
        self.take(self.coordinator.handle(InitRequest(number, name, timeout_ms, *producer), self.now_ms))
        return number

    def send_add(
        self, producer: tuple[int, int], *partitions: TopicPartition, name: str = "a", bumping: bool = False
    ) -> int:
        number = self.number()
        request = AddPartitionsRequest(number, name, *producer, partitions, bumping)
        self.take(self.coordinator.handle(request, self.now_ms))
        return number

    def send_end(self, producer: tuple[int, int], *, commit: bool, name: str = "a", bumping: bool = False) -> int:
        number = self.number()
        self.take(self.coordinator.handle(EndRequest(number, name, *producer, commit, bumping), self.now_ms))
        return number

    def init(self, name: str = "a", **about: object) -> tuple[int, int]:
        reply = self.replies[self.send_init(name, **about)]  # type: ignore[arg-type]
        assert isinstance(reply, InitReply)
        assert reply.error is ErrorCode.NONE, reply
        return reply.producer_id, reply.producer_epoch

    def add(self, producer: tuple[int, int], *partitions: TopicPartition, **about: object) -> ErrorCode:
        reply = self.replies[self.send_add(producer, *partitions, **about)]  # type: ignore[arg-type]
        assert isinstance(reply, AddPartitionsReply)
        return reply.error

    def end(self, producer: tuple[int, int], *, commit: bool, **about: object) -> EndReply:
        reply = self.replies[self.send_end(producer, commit=commit, **about)]  # type: ignore[arg-type]
        assert isinstance(reply, EndReply)
        return reply

    def error(self, number: int) -> ErrorCode:
        return self.replies[number].error

    def state(self, name: str = "a") -> str:
        found = self.coordinator.describe(name)
        return "" if found is None else found.state

    def replayed(self) -> Coordinator:
        """A coordinator that was rebuilt from what was stored."""
        fresh = Coordinator(self.allocate, self.config)
        for record in self.stored:
            fresh.replay(record.key, record.value)
        return fresh

    def restart(self) -> None:
        self.coordinator = self.replayed()
        self.waiting.clear()
        self.take(self.coordinator.finish_replay(self.now_ms))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def new_desk() -> type[Desk]:
    return Desk
