"""Drives the transaction coordinator: its records into `__transaction_state`, markers into the partitions.

What it shares with its sibling is in `coordinator_driver`. Invariant: markers are reported once the last of them is
durable, and a group's offsets become visible just before that. Callers: the handlers through `Node`, and `server` at
start and end.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable

from yeoul.broker.coordinator_driver import TRIM_BYTES, CoordinatorDriver, SnapshotPart
from yeoul.broker.group_driver import GroupDriver
from yeoul.broker.internal_topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC, stored_batches
from yeoul.broker.transactions.coordinator import Coordinator
from yeoul.broker.transactions.messages import (
    AddPartitionsReply,
    AddPartitionsRequest,
    Effect,
    Reply,
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

__all__ = ["TransactionDriver"]

_log = logging.getLogger("yeoul.broker")


class TransactionDriver(CoordinatorDriver[Request, Effect]):
    """The coordinator with its effects.

    Args:
        coordinator: Fresh; `replay` fills it.
        groups: Whose offsets transactions commit.
        log: Where its records are kept, and the partitions that transactions write to.
        clock: The time.
        loop: Where its timer runs.
        trim_bytes: The size of the internal topic from which on it is trimmed.
    """

    topic = TRANSACTIONS_TOPIC

    def __init__(
        self,
        coordinator: Coordinator,
        groups: GroupDriver,
        log: Log,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        trim_bytes: int = TRIM_BYTES,
    ) -> None:
        super().__init__(coordinator, log, clock, loop, trim_bytes)
        self.coordinator = coordinator
        self._groups = groups
        self._joining: Counter[tuple[int, TopicPartition]] = Counter()

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
            self._size_was_read(partition)
        self._carry_out(self.coordinator.finish_replay(self._now_ms()))

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
        joining = [(producer_id, each) for each in taken]
        self._joining.update(joining)

        def done(reply: AddPartitionsReply) -> None:
            for each in joining:
                self._joining[each] -= 1
                if not self._joining[each]:
                    del self._joining[each]
            answer(reply.error)

        def make(request_id: int) -> AddPartitionsRequest:
            return AddPartitionsRequest(
                request_id, transactional_id, producer_id, producer_epoch, taken, epoch_bumping=epoch_bumping
            )

        self.ask(make, AddPartitionsReply, done)

    def is_joining(self, producer_id: int, partition: TopicPartition) -> bool:
        """Whether an `enlist` of this partition is not answered yet: what is written meanwhile waits behind it."""
        return (producer_id, partition) in self._joining

    # -- effects ------------------------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Reply):
            self._reply(effect.request_id, effect.body)
        elif isinstance(effect, Store):
            self._store_part(effect.token, SnapshotPart([effect.record]))
        else:
            self._write_markers(effect)

    def _snapshot(self, partition: PartitionLog) -> list[SnapshotPart] | None:
        # What is on its way is in the snapshot already, unless it was not even asked for.
        return None if self._effects else [SnapshotPart(list(self.coordinator.snapshot_records()))]

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
