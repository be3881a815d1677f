"""Drives the pure transaction coordinator: requests in, replies out, its records into `__transaction_state`, markers
into the partitions, its timer.

Owns the internal topic and the requests that wait for a reply. Invariants: effects are carried out in order; a store is
reported once its record is durable, in the order the stores were asked for; markers are reported once the last of
them is durable, and a group's offsets become visible just before that. The topic is trimmed by writing a snapshot and
dropping what lies before it. Callers: the handlers through `Node`, and `server` at start and end.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from yeoul.broker.group_driver import GroupDriver
from yeoul.broker.internal_topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC, stored_batches
from yeoul.broker.transactions.coordinator import Coordinator
from yeoul.broker.transactions.messages import (
    AddPartitionsReply,
    AddPartitionsRequest,
    Effect,
    KeyValue,
    Reply,
    ReplyBody,
    Request,
    Store,
    TopicPartition,
    WriteMarkers,
)
from yeoul.clock import Clock
from yeoul.errors import YeoulError
from yeoul.log.directory import Log
from yeoul.log.errors import InvalidProducerEpoch, LogStopped
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode
from yeoul.wire.records import Record, encode_batch, read_header

__all__ = ["TransactionDriver"]

_log = logging.getLogger("yeoul.broker")
_TOPIC_ENTRIES = {"cleanup.policy": "compact", "segment.bytes": str(8 << 20)}
_TRIM_BYTES = 32 << 20
_RECORDS_PER_BATCH = 500
_Body = TypeVar("_Body", bound=ReplyBody)


class TransactionDriver:
    """The coordinator with its effects.

    Args:
        coordinator: Fresh; `replay` fills it.
        groups: Whose offsets transactions commit.
        log: Where its records are kept, and the partitions that transactions write to.
        clock: The time.
        loop: Where its timer runs.
        trim_bytes: The size of the internal topic from which on it is trimmed.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        groups: GroupDriver,
        log: Log,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        trim_bytes: int = _TRIM_BYTES,
    ) -> None:
        self.coordinator = coordinator
        self._groups = groups
        self._log = log
        self._clock = clock
        self._loop = loop
        self._trim_bytes = trim_bytes
        self._trim_from_bytes = trim_bytes
        self._waiting: dict[int, Callable[[ReplyBody], None]] = {}
        self._next_request_id = 1
        self._effects: deque[Effect] = deque()
        self._carrying_out = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms: int | None = None
        self._latest_ms = 0

    def replay(self) -> None:
        """Rebuilds the coordinator from its records and completes what a crash left prepared; reads the disk.

        Raises:
            PeerError: A record cannot be read.
        """
        partition = self._log.partition(TRANSACTIONS_TOPIC, 0)
        if partition is not None:
            for header, records in stored_batches(partition):
                for record in records:
                    if record.key is not None and not header.is_control:
                        self.coordinator.replay(record.key, record.value)
            self._trim_from_bytes = max(self._trim_bytes, 2 * partition.size_bytes)
        self._carry_out(self.coordinator.finish_replay(self._now_ms()))

    def ask(self, make_request: Callable[[int], Request], kind: type[_Body], answer: Callable[[_Body], None]) -> None:
        """Hands a request to the coordinator; `answer` is called once with its reply, now or later.

        Args:
            make_request: Makes the request from the id it is to carry.
            kind: What its reply is.
            answer: Takes the reply.
        """

        def take(body: ReplyBody) -> None:
            assert isinstance(body, kind)
            answer(body)

        request_id = self._next_request_id
        self._next_request_id += 1
        self._waiting[request_id] = take
        self._carry_out(self.coordinator.handle(make_request(request_id), self._now_ms()))

    def enlist(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: Iterable[TopicPartition],
        answer: Callable[[ErrorCode], None],
        *,
        epoch_bumping: bool,
    ) -> None:
        """Adds partitions to a producer's transaction, at its own request or with its first write (transactions v2)."""
        taken = tuple(partitions)

        def make(request_id: int) -> AddPartitionsRequest:
            return AddPartitionsRequest(
                request_id, transactional_id, producer_id, producer_epoch, taken, epoch_bumping=epoch_bumping
            )

        self.ask(make, AddPartitionsReply, lambda reply: answer(reply.error))

    def close(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- effects ------------------------------------------------------------------------------------------------

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        """Effects that effects bring about join the end of the same queue."""
        self._effects.extend(effects)
        if self._carrying_out:
            return
        self._carrying_out = True
        try:
            while self._effects:
                effect = self._effects.popleft()
                if isinstance(effect, Reply):
                    answer = self._waiting.pop(effect.request_id, None)
                    if answer is not None:
                        answer(effect.body)
                elif isinstance(effect, Store):
                    self._store(effect)
                else:
                    self._write_markers(effect)
        finally:
            self._carrying_out = False
        self._schedule()

    def _store(self, store: Store) -> None:
        try:
            partition = self._partition()
            end_offset = self._append(partition, [store.record])
        except YeoulError as failure:
            _log.error("Could not store a transaction's record: %s", failure)
            self._report_failure(store.token)
            return

        def committed(stopped: LogStopped | None) -> None:
            error = ErrorCode.NONE if stopped is None else ErrorCode.COORDINATOR_NOT_AVAILABLE
            self._carry_out(self.coordinator.stored(store.token, error, self._now_ms()))
            self._maybe_trim(partition)

        if partition.when_committed(end_offset, committed):
            committed(None)

    def _report_failure(self, token: int) -> None:
        """A failure is reported after the stores that were asked for before it."""

        def report(stopped: LogStopped | None) -> None:
            error = ErrorCode.COORDINATOR_NOT_AVAILABLE
            self._carry_out(self.coordinator.stored(token, error, self._now_ms()))

        partition = self._log.partition(TRANSACTIONS_TOPIC, 0)
        if partition is None or partition.when_committed(partition.end_offset, report):
            report(None)

    def _append(self, partition: PartitionLog, records: list[KeyValue]) -> int:
        now_ms = self._clock.now_ms()
        batch = encode_batch([Record(at, now_ms, each.key, each.value) for at, each in enumerate(records)])
        return partition.append(batch, [read_header(batch)]).end_offset

    def _partition(self) -> PartitionLog:
        partition = self._log.partition(TRANSACTIONS_TOPIC, 0)
        return partition or self._log.create_topic(TRANSACTIONS_TOPIC, 1, _TOPIC_ENTRIES).partitions[0]

    # -- markers ------------------------------------------------------------------------------------------------

    def _write_markers(self, effect: WriteMarkers) -> None:
        round_of_markers = _MarkerRound(effect, self._markers_written)
        for topic, number in effect.partitions:
            partition = self._log.partition(topic, number)
            if partition is not None:
                self._write_marker(partition, topic, number, round_of_markers)
        round_of_markers.one_done()

    def _write_marker(self, partition: PartitionLog, topic: str, number: int, markers: _MarkerRound) -> None:
        effect = markers.effect
        try:
            appended = partition.append_marker(
                producer_id=effect.producer_id, producer_epoch=effect.producer_epoch, commit=effect.commit
            )
        except InvalidProducerEpoch as later:
            # A marker of a later epoch is there already: this one was written before a restart.
            _log.info("Left out a transaction's marker in %s-%d: %s", topic, number, later)
            return
        except YeoulError as failure:
            _log.error("Could not write a transaction's marker to %s-%d: %s", topic, number, failure)
            markers.failed = True
            return

        def committed(stopped: LogStopped | None) -> None:
            # A topic that was deleted meanwhile needs no marker any more.
            if stopped is not None and self._log.partition(topic, number) is partition:
                markers.failed = True
            markers.one_done()

        if not partition.when_committed(appended.end_offset, committed):
            markers.missing += 1

    def _markers_written(self, effect: WriteMarkers, failed: bool) -> None:
        if not failed and (OFFSETS_TOPIC, 0) in effect.partitions:
            self._groups.end_transaction(effect.producer_id, commit=effect.commit)
        error = ErrorCode.KAFKA_STORAGE_ERROR if failed else ErrorCode.NONE
        self._carry_out(self.coordinator.markers_written(effect.token, error, self._now_ms()))

    # -- trimming -----------------------------------------------------------------------------------------------

    def _maybe_trim(self, partition: PartitionLog) -> None:
        """Writes all that is stored, or on its way, once more and drops what lies before it."""
        if partition.size_bytes < self._trim_from_bytes or self._effects:
            return
        snapshot_offset = end_offset = partition.end_offset
        held = list(self.coordinator.snapshot_records())
        try:
            for start in range(0, len(held), _RECORDS_PER_BATCH):
                end_offset = self._append(partition, held[start : start + _RECORDS_PER_BATCH])
        except YeoulError as failure:
            _log.error("Could not write a snapshot of the transactions: %s", failure)
            return
        self._trim_from_bytes = 1 << 62

        def committed(stopped: LogStopped | None) -> None:
            if stopped is None:
                partition.advance_start_offset(snapshot_offset)
                self._trim_from_bytes = max(self._trim_bytes, 2 * partition.size_bytes)

        if partition.when_committed(end_offset, committed):
            committed(None)

    # -- time ---------------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        """Wall time that never runs backwards, as the coordinator wants it."""
        self._latest_ms = max(self._latest_ms, self._clock.now_ms())
        return self._latest_ms

    def _schedule(self) -> None:
        due_ms = self.coordinator.next_deadline_ms()
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
        self._carry_out(self.coordinator.tick(self._now_ms()))


class _MarkerRound:
    """The markers of one transaction on their way; reports once when the last one is durable."""

    __slots__ = ("_done", "effect", "failed", "missing")

    def __init__(self, effect: WriteMarkers, done: Callable[[WriteMarkers, bool], None]) -> None:
        self.effect = effect
        self.failed = False
        self.missing = 1
        self._done = done

    def one_done(self) -> None:
        self.missing -= 1
        if not self.missing:
            self._done(self.effect, self.failed)
