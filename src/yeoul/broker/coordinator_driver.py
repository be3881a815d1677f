"""Drives a pure coordinator: requests in, replies out, its records into an internal topic, its timer.

Owns the internal topic and the requests that wait for a reply. Invariants: effects are carried out in order; a store is
reported once its records are durable, in the order the stores were asked for, failures too; after a restart the
coordinator is what its records say. The topic is trimmed by writing a snapshot and dropping what lies before it.
Callers: `group_driver` and `transaction_driver`, which say what is particular to each.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from yeoul.clock import Clock
from yeoul.errors import YeoulError
from yeoul.log.directory import Log
from yeoul.log.errors import LogStopped
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode
from yeoul.wire.records import Record, encode_batch, read_header

__all__ = ["TRIM_BYTES", "CoordinatorDriver", "SnapshotPart", "StoredRecord"]

_log = logging.getLogger("yeoul.broker")
_TOPIC_ENTRIES = {"cleanup.policy": "compact", "segment.bytes": str(8 << 20)}
_RECORDS_PER_BATCH = 500
TRIM_BYTES = 32 << 20


class StoredRecord(Protocol):
    """A record for the internal topic; a value of None deletes."""

    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """Records that are written anew when the topic is trimmed; with a producer, as part of its transaction."""

    records: Sequence[StoredRecord]
    producer_id: int = -1
    producer_epoch: int = -1


_Request = TypeVar("_Request")
_RequestIn = TypeVar("_RequestIn", contravariant=True)
_Effect = TypeVar("_Effect")
_EffectOut = TypeVar("_EffectOut", covariant=True)
_Body = TypeVar("_Body")


class Decider(Protocol[_RequestIn, _EffectOut]):
    """A coordinator: from what happens to what is to be done."""

    def handle(self, request: _RequestIn, now_ms: int) -> Sequence[_EffectOut]: ...
    def stored(self, token: int, error: ErrorCode, now_ms: int) -> Sequence[_EffectOut]: ...
    def tick(self, now_ms: int) -> Sequence[_EffectOut]: ...
    def next_deadline_ms(self) -> int | None: ...


class CoordinatorDriver(ABC, Generic[_Request, _Effect]):
    """A coordinator with its effects.

    Args:
        decider: The coordinator; fresh.
        log: Where its records are kept.
        clock: The time.
        loop: Where its timer runs.
        trim_bytes: The size of the internal topic from which on it is trimmed.
    """

    topic: ClassVar[str]

    def __init__(
        self,
        decider: Decider[_Request, _Effect],
        log: Log,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        trim_bytes: int,
    ) -> None:
        self._decider = decider
        self._log = log
        self._clock = clock
        self._loop = loop
        self._trim_bytes = trim_bytes
        self._trim_from_bytes = trim_bytes
        self._waiting: dict[int, Callable[[object], None]] = {}
        self._next_request_id = 1
        self._stores_pending = 0
        self._effects: deque[_Effect] = deque()
        self._carrying_out = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms: int | None = None
        self._latest_ms = 0

    def ask(self, make_request: Callable[[int], _Request], kind: type[_Body], answer: Callable[[_Body], None]) -> None:
        """Hands a request to the coordinator; `answer` is called once with its reply, now or later.

        Args:
            make_request: Makes the request from the id it is to carry.
            kind: What its reply is.
            answer: Takes the reply.
        """

        def take(body: object) -> None:
            assert isinstance(body, kind)
            answer(body)

        request_id = self._next_request_id
        self._next_request_id += 1
        self._waiting[request_id] = take
        self._carry_out(self._decider.handle(make_request(request_id), self._now_ms()))

    def close(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- effects ------------------------------------------------------------------------------------------------

    @abstractmethod
    def _perform(self, effect: _Effect) -> None:
        """Carries out one effect."""

    def _carry_out(self, effects: Iterable[_Effect]) -> None:
        """Effects that effects bring about join the end of the same queue."""
        self._effects.extend(effects)
        if self._carrying_out:
            return
        self._carrying_out = True
        try:
            while self._effects:
                self._perform(self._effects.popleft())
        finally:
            self._carrying_out = False
        self._schedule()

    def _reply(self, request_id: int, body: object) -> None:
        answer = self._waiting.pop(request_id, None)
        if answer is not None:
            answer(body)

    def _store_part(self, token: int, part: SnapshotPart) -> None:
        """Appends records and reports once they are durable; a failure after what was asked for before it."""
        if not part.records:
            self._stored(token, ErrorCode.NONE)
            return
        error = ErrorCode.NONE
        try:
            partition = self._partition()
            end_offset = self._append(partition, part)
        except YeoulError as failure:
            _log.error("Could not store records in %s: %s", self.topic, failure)
            error = self._error_of(failure)
            existing = self._log.partition(self.topic, 0)
            if existing is None:
                self._stored(token, error)
                return
            partition, end_offset = existing, existing.end_offset
        self._stores_pending += 1

        def committed(stopped: LogStopped | None) -> None:
            self._stores_pending -= 1
            self._stored(token, error if stopped is None else ErrorCode.COORDINATOR_NOT_AVAILABLE)
            self._maybe_trim(partition)

        if partition.when_committed(end_offset, committed):
            committed(None)

    def _error_of(self, failure: YeoulError) -> ErrorCode:
        return ErrorCode.COORDINATOR_NOT_AVAILABLE

    def _stored(self, token: int, error: ErrorCode) -> None:
        self._carry_out(self._decider.stored(token, error, self._now_ms()))

    def _append(self, partition: PartitionLog, part: SnapshotPart) -> int:
        now_ms = self._clock.now_ms()
        records = [Record(at, now_ms, each.key, each.value) for at, each in enumerate(part.records)]
        if part.producer_id < 0:
            batch = encode_batch(records)
            return partition.append(batch, [read_header(batch)]).end_offset
        batch = encode_batch(
            records, producer_id=part.producer_id, producer_epoch=part.producer_epoch, transactional=True
        )
        return partition.append_as_coordinator(batch, read_header(batch)).end_offset

    def _partition(self) -> PartitionLog:
        partition = self._log.partition(self.topic, 0)
        return partition or self._log.create_topic(self.topic, 1, _TOPIC_ENTRIES).partitions[0]

    # -- trimming -----------------------------------------------------------------------------------------------

    @abstractmethod
    def _snapshot(self, partition: PartitionLog) -> list[SnapshotPart] | None:
        """Returns all that the topic would have to hold; None when that cannot be said just now."""

    def _size_was_read(self, partition: PartitionLog) -> None:
        """After replay: what is there is not written anew at once."""
        self._trim_from_bytes = max(self._trim_bytes, 2 * partition.size_bytes)

    def _maybe_trim(self, partition: PartitionLog) -> None:
        """Writes all that is stored once more and drops what lies before it."""
        if partition.size_bytes < self._trim_from_bytes:
            return
        parts = self._snapshot(partition)
        if parts is None:
            return
        snapshot_offset = end_offset = partition.end_offset
        try:
            for part in _in_batches(parts):
                end_offset = self._append(partition, part)
        except YeoulError as failure:
            _log.error("Could not write a snapshot to %s: %s", self.topic, failure)
            return
        self._trim_from_bytes = 1 << 62

        def committed(stopped: LogStopped | None) -> None:
            if stopped is None:
                partition.advance_start_offset(snapshot_offset)
                self._size_was_read(partition)

        if partition.when_committed(end_offset, committed):
            committed(None)

    # -- time ---------------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        """Wall time that never runs backwards, as the coordinator wants it."""
        self._latest_ms = max(self._latest_ms, self._clock.now_ms())
        return self._latest_ms

    def _schedule(self) -> None:
        due_ms = self._decider.next_deadline_ms()
        if due_ms == self._timer_due_ms:
            return
        self.close()
        self._timer_due_ms = due_ms
        if due_ms is not None:
            wait_s = max(0, due_ms - self._now_ms()) / 1_000
            self._timer = self._loop.call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._timer_due_ms = None
        self._carry_out(self._decider.tick(self._now_ms()))


def _in_batches(parts: Iterable[SnapshotPart]) -> Iterator[SnapshotPart]:
    """A transaction's records stay one batch."""
    for part in parts:
        if part.producer_id >= 0:
            yield part
            continue
        for start in range(0, len(part.records), _RECORDS_PER_BATCH):
            yield SnapshotPart(part.records[start : start + _RECORDS_PER_BATCH])
