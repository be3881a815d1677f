"""What members of classic groups ask and are told: plain values; `groups.messages` says how they travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yeoul.wire.errors import ErrorCode

__all__ = [
    "GroupDescription",
    "HeartbeatReply",
    "HeartbeatRequest",
    "JoinReply",
    "JoinRequest",
    "JoinedMember",
    "LeaveReply",
    "LeaveRequest",
    "LeavingMember",
    "LeftMember",
    "MemberDescription",
    "SyncReply",
    "SyncRequest",
]


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
class MemberDescription:
    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group for DescribeGroups; an unknown one is `Dead` and has no members, as Kafka says it below version 6."""

    group_id: str
    state: str
    protocol_type: str
    protocol_name: str
    members: tuple[MemberDescription, ...]
