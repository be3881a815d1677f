"""Drives the pure group coordinator: requests in, replies out, its records into `__consumer_offsets`, its timer.

Owns the internal topic and the requests that wait for a reply. Invariants: effects are carried out in order; a store is
reported once its record is durable, in the order the stores were asked for; after a restart the coordinator is what its
records say. The topic is trimmed by writing a snapshot and dropping what lies before it. Callers: the group handlers
through `Node`, and `server` at start and end.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from yeoul.broker.groups.coordinator import Coordinator
from yeoul.broker.groups.messages import Effect, KeyValue, Reply, ReplyBody, Request, Store
from yeoul.broker.internal_topics import OFFSETS_TOPIC, stored_batches
from yeoul.clock import Clock
from yeoul.errors import YeoulError
from yeoul.log.directory import Log
from yeoul.log.errors import InvalidProducerEpoch, LogStopped
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode
from yeoul.wire.markers import control_record_commits
from yeoul.wire.records import BatchHeader, Record, encode_batch, read_header

__all__ = ["OFFSETS_TOPIC", "GroupDriver"]

_log = logging.getLogger("yeoul.broker")
_TOPIC_ENTRIES = {"cleanup.policy": "compact", "segment.bytes": str(8 << 20)}
_TRIM_BYTES = 32 << 20
_RECORDS_PER_BATCH = 500
_Body = TypeVar("_Body", bound=ReplyBody)


class GroupDriver:
    """The coordinator with its effects.

    Args:
        coordinator: Fresh; `replay` fills it.
        log: Where its records are kept.
        clock: The time.
        loop: Where its timer runs.
        trim_bytes: The size of the internal topic from which on it is trimmed.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        log: Log,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        trim_bytes: int = _TRIM_BYTES,
    ) -> None:
        self.coordinator = coordinator
        self._log = log
        self._clock = clock
        self._loop = loop
        self._trim_bytes = trim_bytes
        self._trim_from_bytes = trim_bytes
        self._waiting: dict[int, Callable[[ReplyBody], None]] = {}
        self._next_request_id = 1
        self._stores_pending = 0
        self._effects: deque[Effect] = deque()
        self._carrying_out = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ms: int | None = None
        self._latest_ms = 0

    def replay(self) -> None:
        """Rebuilds the coordinator from its records; reads the disk, at the start only.

        Raises:
            PeerError: A record cannot be read.
        """
        partition = self._log.partition(OFFSETS_TOPIC, 0)
        if partition is not None:
            for header, records in stored_batches(partition):
                self._replay_batch(header, records)
            self._trim_from_bytes = max(self._trim_bytes, 2 * partition.size_bytes)
        self.coordinator.finish_replay(self._now_ms())
        self._schedule()

    def _replay_batch(self, header: BatchHeader, records: Sequence[Record]) -> None:
        if header.is_control:
            commit = control_record_commits(records[0]) if records else None
            if commit is not None:
                self.coordinator.end_transaction(header.producer_id, commit=commit)
            return
        producer_id = header.producer_id if header.is_transactional else -1
        for record in records:
            if record.key is not None:
                self.coordinator.replay(record.key, record.value, producer_id, header.producer_epoch)

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """A marker that ends a producer's transaction is durable in the topic."""
        self.coordinator.end_transaction(producer_id, commit=commit)

    def offsets_partition(self) -> PartitionLog:
        """Returns where groups' records go; makes it when it is not there yet.

        Raises:
            YeoulError: It cannot be made.
        """
        return self._partition()

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

    def forget_topic(self, topic: str) -> None:
        """Drops the offsets that groups committed for a topic that was deleted."""
        self._carry_out(self.coordinator.forget_topic(topic))

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
                else:
                    self._store(effect)
        finally:
            self._carrying_out = False
        self._schedule()

    def _store(self, store: Store) -> None:
        if not store.records:
            self._stored(store.token, ErrorCode.NONE)
            return
        error = ErrorCode.NONE
        try:
            partition = self._partition()
            end_offset = self._append(partition, store.records, store.producer_id, store.producer_epoch)
        except YeoulError as failure:
            _log.error("Could not store a group's records: %s", failure)
            existing = self._log.partition(OFFSETS_TOPIC, 0)
            fenced = isinstance(failure, InvalidProducerEpoch)
            error = ErrorCode.INVALID_PRODUCER_EPOCH if fenced else ErrorCode.COORDINATOR_NOT_AVAILABLE
            if existing is None:
                self._stored(store.token, error)
                return
            partition, end_offset = existing, existing.end_offset
        self._stores_pending += 1

        def committed(stopped: LogStopped | None) -> None:
            self._stores_pending -= 1
            self._stored(store.token, error if stopped is None else ErrorCode.COORDINATOR_NOT_AVAILABLE)
            self._maybe_trim(partition)

        if partition.when_committed(end_offset, committed):
            committed(None)

    def _stored(self, token: int, error: ErrorCode) -> None:
        self._carry_out(self.coordinator.stored(token, error, self._now_ms()))

    def _append(
        self, partition: PartitionLog, records: Sequence[KeyValue], producer_id: int = -1, producer_epoch: int = -1
    ) -> int:
        now_ms = self._clock.now_ms()
        made = [Record(at, now_ms, each.key, each.value) for at, each in enumerate(records)]
        if producer_id >= 0:
            batch = encode_batch(made, producer_id=producer_id, producer_epoch=producer_epoch, transactional=True)
            return partition.append_as_coordinator(batch, read_header(batch)).end_offset
        batch = encode_batch(made)
        return partition.append(batch, [read_header(batch)]).end_offset

    def _partition(self) -> PartitionLog:
        partition = self._log.partition(OFFSETS_TOPIC, 0)
        return partition or self._log.create_topic(OFFSETS_TOPIC, 1, _TOPIC_ENTRIES).partitions[0]

    # -- trimming -----------------------------------------------------------------------------------------------

    def _maybe_trim(self, partition: PartitionLog) -> None:
        """Writes all that is stored once more and drops what lies before it, when nothing is in flight."""
        if partition.size_bytes < self._trim_from_bytes or self._stores_pending:
            return
        transactions = list(self.coordinator.snapshot_transactions())
        if any(producer_id not in partition.transactions.open for producer_id, _, _ in transactions):
            # A marker is on its way to the disk: what it decides is not in the coordinator yet.
            return
        snapshot_offset = partition.end_offset
        held = list(self.coordinator.snapshot_records(self._now_ms()))
        end_offset = snapshot_offset
        try:
            for start in range(0, len(held), _RECORDS_PER_BATCH):
                end_offset = self._append(partition, held[start : start + _RECORDS_PER_BATCH])
            for producer_id, producer_epoch, records in transactions:
                end_offset = self._append(partition, records, producer_id, producer_epoch)
        except YeoulError as failure:
            _log.error("Could not write a snapshot of the groups: %s", failure)
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
