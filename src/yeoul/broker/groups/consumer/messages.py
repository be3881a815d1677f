"""What members of consumer groups ask and are told (KIP-848): plain values; `groups.messages` says how they travel."""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.broker.groups.consumer.topics import Partitions
from yeoul.wire.errors import ErrorCode

__all__ = [
    "JOIN_EPOCH",
    "LEAVE_EPOCH",
    "STATIC_LEAVE_EPOCH",
    "ConsumerHeartbeatReply",
    "ConsumerHeartbeatRequest",
]

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
STATIC_LEAVE_EPOCH = -2
"""Epochs that a member sends instead of its own: to join, to leave, to be back soon."""


@dataclass(frozen=True, slots=True)
class ConsumerHeartbeatRequest:
    """A member joins, stays, confirms, or leaves; what is None did not change since its last heartbeat.

    Attributes:
        new_member_id: The id to give it when it brings none (version 0); the caller makes it unique.
        own_member_id: The version is 1 or above: members make their ids themselves.
        rebalance_timeout_ms: How long it may take to give up partitions.
        owned: The partitions that it reads.
        session_timeout_ms: The group's own setting, if it has one.
        heartbeat_interval_ms: Likewise.
    """

    request_id: int
    group_id: str
    member_id: str
    new_member_id: str
    member_epoch: int
    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int | None
    topic_names: tuple[str, ...] | None
    topic_regex: str | None
    server_assignor: str | None
    owned: Partitions | None
    own_member_id: bool = True
    session_timeout_ms: int | None = None
    heartbeat_interval_ms: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it says everything, as it does to join and after an error: then it is told everything."""
        subscribes = self.topic_names is not None or self.topic_regex is not None
        everything = self.rebalance_timeout_ms is not None and subscribes and self.owned is not None
        return self.member_epoch == JOIN_EPOCH or everything


@dataclass(frozen=True, slots=True)
class ConsumerHeartbeatReply:
    """`assignment` is None when it is what the member was told before."""

    error: ErrorCode
    message: str | None = None
    member_id: str = ""
    member_epoch: int = 0
    heartbeat_interval_ms: int = 0
    assignment: Partitions | None = None
