"""A member of a classic group, and what of its metadata the broker reads. Caller: `group`."""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.broker.groups.record_format import Reader
from yeoul.errors import PeerError

__all__ = ["CONSUMER_PROTOCOL", "Member", "subscribed_topics"]

CONSUMER_PROTOCOL = "consumer"
"""The protocol type of consumers; others, such as Connect's, have metadata of their own."""


@dataclass(slots=True)
class Member:
    """One member; a request that waits for the group is remembered by its id."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]
    assignment: bytes = b""
    session_deadline_ms: int | None = None
    waiting_join: int | None = None
    waiting_sync: int | None = None
    synced: bool = False
    skip_assignment_allowed: bool = False

    def metadata(self, protocol_name: str | None) -> bytes:
        return next((metadata for name, metadata in self.protocols if name == protocol_name), b"")

    def refresh(self, now_ms: int) -> None:
        """Begins a full session time-out, unless the member waits for the group anyway."""
        waits = self.waiting_join is not None or self.waiting_sync is not None
        self.session_deadline_ms = None if waits else now_ms + self.session_timeout_ms


def subscribed_topics(metadata: bytes) -> frozenset[str] | None:
    """Returns the topics that a consumer's metadata names; None when it cannot be read.

    Source: Kafka's ConsumerProtocolSubscription.json: every version begins with its number and the topics.

    Example:
        >>> sorted(subscribed_topics(bytes.fromhex("0001 00000002 0001 61 0001 62 ffffffff".replace(" ", ""))))
        ['a', 'b']
    """
    reader = Reader(metadata)
    try:
        reader.number(">h")
        return frozenset(reader.string() for _ in range(reader.count()))
    except PeerError:
        return None
