"""What comes into the group coordinator and what goes out: plain values.

Requests carry `request_id`, a number the caller chose; the answer to it is a `Reply` with the same number, at once or
from a later call. Error codes are Kafka's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yeoul.wire.errors import ErrorCode

__all__ = [
    "CommitReply",
    "CommitRequest",
    "CommittedOffset",
    "DeleteGroupReply",
    "DeleteGroupRequest",
    "DeleteOffsetsRequest",
    "Effect",
    "GroupDescription",
    "GroupListing",
    "HeartbeatReply",
    "HeartbeatRequest",
    "JoinReply",
    "JoinRequest",
    "JoinedMember",
    "KeyValue",
    "LeaveReply",
    "LeaveRequest",
    "LeavingMember",
    "LeftMember",
    "MemberDescription",
    "Reply",
    "ReplyBody",
    "Request",
    "Store",
    "SyncReply",
    "SyncRequest",
    "TopicPartition",
]

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A member wants to be in the group's next generation.

    Attributes:
        member_id: Empty when it has none yet.
        new_member_id: The id to give it in that case; the caller makes it unique (client id, dash, UUID).
        group_instance_id: Set for static members (KIP-345).
        protocols: Names and metadata, the preferred one first.
        require_member_id: The version is 4 or above: a dynamic member is told its id first (KIP-394).
        skip_assignment_allowed: The version is 9 or above (KIP-814).
    """

    request_id: int
    group_id: str
    member_id: str
    new_member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    protocol_type: str
    protocols: tuple[tuple[str, bytes], ...]
    session_timeout_ms: int
    rebalance_timeout_ms: int
    require_member_id: bool = True
    skip_assignment_allowed: bool = False


@dataclass(frozen=True, slots=True)
class JoinedMember:
    """A member as its leader is told of it."""

    member_id: str
    group_instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True)
class JoinReply:
    error: ErrorCode
    member_id: str
    generation_id: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    members: tuple[JoinedMember, ...] = ()
    skip_assignment: bool = False


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A member asks for its assignment; the leader brings everybody's.

    `protocol_type` and `protocol_name` are None below version 5.
    """

    request_id: int
    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None
    assignments: Mapping[str, bytes]
    protocol_type: str | None = None
    protocol_name: str | None = None


@dataclass(frozen=True, slots=True)
class SyncReply:
    error: ErrorCode
    assignment: bytes = b""
    protocol_type: str | None = None
    protocol_name: str | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatRequest:
    request_id: int
    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    error: ErrorCode


@dataclass(frozen=True, slots=True)
class LeavingMember:
    """One who leaves: by member id, or, for a static member, by instance id with an empty member id."""

    member_id: str
    group_instance_id: str | None = None


@dataclass(frozen=True, slots=True)
class LeaveRequest:
    request_id: int
    group_id: str
    members: tuple[LeavingMember, ...]


@dataclass(frozen=True, slots=True)
class LeftMember:
    member_id: str
    group_instance_id: str | None
    error: ErrorCode


@dataclass(frozen=True, slots=True)
class LeaveReply:
    """`error` is about the whole request; below version 3, which names one member, answer with that one's error."""

    error: ErrorCode
    members: tuple[LeftMember, ...] = ()


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

    With a `producer_id` it is part of that producer's transaction: visible once that commits, gone if it aborts.
    """

    request_id: int
    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None
    offsets: Mapping[TopicPartition, CommittedOffset]
    producer_id: int = -1
    producer_epoch: int = -1


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
class MemberDescription:
    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class GroupListing:
    group_id: str
    protocol_type: str
    state: str


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group for DescribeGroups; an unknown one is `Dead` and has no members, as Kafka says it below version 6."""

    group_id: str
    state: str
    protocol_type: str
    protocol_name: str
    members: tuple[MemberDescription, ...]


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
    | CommitRequest
    | DeleteGroupRequest
    | DeleteOffsetsRequest
)
ReplyBody = JoinReply | SyncReply | HeartbeatReply | LeaveReply | CommitReply | DeleteGroupReply


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
