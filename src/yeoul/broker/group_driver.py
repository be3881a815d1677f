"""Drives the group coordinator: its records into `__consumer_offsets`, and what it has to know of topics.

What it shares with its sibling is in `coordinator_driver`. Callers: the group handlers through `Node`, and `server` at
start and end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from yeoul.broker.coordinator_driver import TRIM_BYTES, CoordinatorDriver, SnapshotPart
from yeoul.broker.groups.consumer.topics import TopicCatalog, TopicFacts
from yeoul.broker.groups.coordinator import Coordinator
from yeoul.broker.groups.messages import Effect, Reply, Request
from yeoul.broker.internal_topics import OFFSETS_TOPIC, stored_batches
from yeoul.clock import Clock
from yeoul.errors import YeoulError
from yeoul.log.directory import Log
from yeoul.log.errors import InvalidProducerEpoch
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode
from yeoul.wire.markers import control_record_commits
from yeoul.wire.records import BatchHeader, Record

__all__ = ["OFFSETS_TOPIC", "GroupDriver"]

_Body = TypeVar("_Body")


class GroupDriver(CoordinatorDriver[Request, Effect]):
    """The coordinator with its effects.

    Args:
        coordinator: Fresh; `replay` fills it.
        log: Where its records are kept.
        clock: The time.
        loop: Where its timer runs.
        trim_bytes: The size of the internal topic from which on it is trimmed.
    """

    topic = OFFSETS_TOPIC

    def __init__(
        self,
        coordinator: Coordinator,
        log: Log,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        *,
        trim_bytes: int = TRIM_BYTES,
    ) -> None:
        super().__init__(coordinator, log, clock, loop, trim_bytes)
        self.coordinator = coordinator
        self._topics_are_known = False
        self._catalog_version = 0

    def replay(self) -> None:
        """Rebuilds the coordinator from its records; reads the disk, at the start only.

        Raises:
            PeerError: A record cannot be read.
        """
        partition = self._log.partition(OFFSETS_TOPIC, 0)
        if partition is not None:
            for header, records in stored_batches(partition):
                self._replay_batch(header, records)
            self._size_was_read(partition)
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

    def ask_about_topics(
        self, make_request: Callable[[int], Request], kind: type[_Body], answer: Callable[[_Body], None]
    ) -> None:
        """As `ask`, for requests that are decided by what topics there are."""
        if not self._topics_are_known:
            self._catalog_version += 1
            facts = {
                name: TopicFacts(topic.topic_id.bytes, len(topic.partitions))
                for name, topic in self._log.topics.items()
            }
            self.coordinator.use_topics(TopicCatalog(facts, self._catalog_version))
            self._topics_are_known = True
        self.ask(make_request, kind, answer)

    def topics_changed(self) -> None:
        """A topic was made, or has more partitions, or is gone."""
        self._topics_are_known = False

    def forget_topic(self, topic: str) -> None:
        """Drops the offsets that groups committed for a topic that was deleted."""
        self.topics_changed()
        self._carry_out(self.coordinator.forget_topic(topic, self._now_ms()))

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Reply):
            self._reply(effect.request_id, effect.body)
        else:
            part = SnapshotPart(effect.records, effect.producer_id, effect.producer_epoch)
            self._store_part(effect.token, part)

    def _error_of(self, failure: YeoulError) -> ErrorCode:
        if isinstance(failure, InvalidProducerEpoch):
            return ErrorCode.INVALID_PRODUCER_EPOCH
        return super()._error_of(failure)

    def _snapshot(self, partition: PartitionLog) -> list[SnapshotPart] | None:
        transactions = [
            SnapshotPart(records, producer_id, producer_epoch)
            for producer_id, producer_epoch, records in self.coordinator.snapshot_transactions()
        ]
        if self._stores_pending or any(each.producer_id not in partition.transactions.open for each in transactions):
            # What is in flight, or what a marker on its way to the disk decides, is not in the coordinator yet.
            return None
        return [SnapshotPart(list(self.coordinator.snapshot_records(self._now_ms()))), *transactions]
