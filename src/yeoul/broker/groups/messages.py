"""What comes into the group coordinator and what goes out, whatever the protocol of the group: plain values.

Requests carry `request_id`, a number the caller chose; the answer to it is a `Reply` with the same number, at once or
from a later call. Error codes are Kafka's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yeoul.broker.groups.classic.messages import (
    HeartbeatReply,
    HeartbeatRequest,
    JoinReply,
    JoinRequest,
    LeaveReply,
    LeaveRequest,
    SyncReply,
    SyncRequest,
)
from yeoul.broker.groups.consumer.messages import ConsumerHeartbeatReply, ConsumerHeartbeatRequest
from yeoul.wire.errors import ErrorCode

__all__ = [
    "CommitReply",
    "CommitRequest",
    "CommittedOffset",
    "DeleteGroupReply",
    "DeleteGroupRequest",
    "DeleteOffsetsRequest",
    "Effect",
    "GroupListing",
    "KeyValue",
    "Reply",
    "ReplyBody",
    "Request",
    "Store",
    "TopicPartition",
]

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """How far a group has read one partition.

    Attributes:
        offset: The next record to read.
        leader_epoch: Of the last record read, -1 when unknown.
        metadata: Whatever the client stored with it.
        commit_timestamp_ms: When the coordinator took it.
    """

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """A commit of offsets; `generation_id` is -1 and `member_id` empty from a consumer that is in no group.

    In a group of the consumer protocol `generation_id` is the member's epoch. With a `producer_id` it is part of that
    producer's transaction: visible once that commits, gone if it aborts.

    Attributes:
        knows_epochs: The version is one that members of the consumer protocol may use.
    """

    request_id: int
    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None
    offsets: Mapping[TopicPartition, CommittedOffset]
    producer_id: int = -1
    producer_epoch: int = -1
    knows_epochs: bool = True


@dataclass(frozen=True, slots=True)
class CommitReply:
    """One error for each partition of the request; also the answer to `DeleteOffsetsRequest`."""

    errors: Mapping[TopicPartition, ErrorCode]


@dataclass(frozen=True, slots=True)
class DeleteGroupRequest:
    request_id: int
    group_id: str


@dataclass(frozen=True, slots=True)
class DeleteGroupReply:
    error: ErrorCode


@dataclass(frozen=True, slots=True)
class DeleteOffsetsRequest:
    """Forget the group's offsets of some partitions (OffsetDelete); `error` of the whole is in every entry."""

    request_id: int
    group_id: str
    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class GroupListing:
    """One line of ListGroups; `group_type` is `classic` or `consumer`."""

    group_id: str
    protocol_type: str
    state: str
    group_type: str


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A record for `__consumer_offsets`; a value of None deletes."""

    key: bytes
    value: bytes | None


Request = (
    JoinRequest
    | SyncRequest
    | HeartbeatRequest
    | LeaveRequest
    | ConsumerHeartbeatRequest
    | CommitRequest
    | DeleteGroupRequest
    | DeleteOffsetsRequest
)
ReplyBody = (
    JoinReply | SyncReply | HeartbeatReply | LeaveReply | ConsumerHeartbeatReply | CommitReply | DeleteGroupReply
)


@dataclass(frozen=True, slots=True)
class Reply:
    """Effect: answer a request."""

    request_id: int
    body: ReplyBody


@dataclass(frozen=True, slots=True)
class Store:
    """Effect: append records, in this order, and report back with `Coordinator.stored(token, error, now_ms)`.

    With a `producer_id` they are one batch of that producer's transaction.
    """

    token: int
    records: tuple[KeyValue, ...]
    producer_id: int = -1
    producer_epoch: int = -1


Effect = Reply | Store
