"""What a store in flight is about, so that its outcome finds whom it concerns. Callers: the coordinator, its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from yeoul.broker.groups.consumer.group import ConsumerGroup
from yeoul.broker.groups.consumer.records import ConsumerRecord
from yeoul.broker.groups.messages import CommittedOffset, Effect, KeyValue, Reply, TopicPartition
from yeoul.wire.errors import ErrorCode

__all__ = ["Pending", "PendingAssignment", "PendingCommit", "PendingDeletion", "PendingStep", "StoreRecords"]


@dataclass(frozen=True, slots=True)
class PendingAssignment:
    group_id: str
    generation_id: int


@dataclass(frozen=True, slots=True)
class PendingStep:
    """Changes of a consumer group, and who is answered once they are stored."""

    group: ConsumerGroup
    records: tuple[ConsumerRecord, ...]
    replies: list[Reply]


@dataclass(frozen=True, slots=True)
class PendingCommit:
    request_id: int
    group_id: str
    offsets: Mapping[TopicPartition, CommittedOffset]
    refused: Mapping[TopicPartition, ErrorCode]
    producer_id: int = -1
    replaced: Mapping[TopicPartition, CommittedOffset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PendingDeletion:
    """Offsets, or a whole group, on their way out; `request_id` is None when nobody asked (a deleted topic, expiry)."""

    request_id: int | None
    group_id: str
    partitions: tuple[TopicPartition, ...]
    refused: Mapping[TopicPartition, ErrorCode] = field(default_factory=dict)
    whole_group: bool = False


Pending = PendingAssignment | PendingStep | PendingCommit | PendingDeletion


class StoreRecords(Protocol):
    """Asks for records to be stored: `Coordinator`'s own."""

    def __call__(
        self,
        pending: Pending,
        records: tuple[KeyValue, ...],
        now_ms: int,
        effects: list[Effect],
        producer_id: int = -1,
        producer_epoch: int = -1,
    ) -> None: ...
