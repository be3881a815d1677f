"""What a broker is told when it starts: where its data is, where it listens, and its bounds.

Owns the defaults and the rule that nothing but loopback is bound unless it is asked for aloud. Callers: `process`,
`child`, the command line.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yeoul.errors import UserError

__all__ = ["BrokerConfig", "FlushMode", "Limits"]

FlushMode = Literal["commit", "interval", "os"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a broker takes on; beyond a limit a connection waits or is closed, never the broker.

    Attributes:
        request_bytes: One Produce request, as Kafka's `socket.request.max.bytes`.
        control_request_bytes: One request of any other kind.
        receive_bytes: All large requests that are being received, over all connections.
        send_bytes: Responses that one connection has not taken yet, before its requests wait.
        pipelined_requests: Unanswered requests of one connection, before the next ones wait.
        connections: Open connections, as Kafka's `max.connections`.
        fetch_bytes: One Fetch response, as Kafka's `fetch.max.bytes`.
        partitions: Partitions over all topics.
    """

    request_bytes: int = 100 << 20
    control_request_bytes: int = 4 << 20
    receive_bytes: int = 512 << 20
    send_bytes: int = 8 << 20
    pipelined_requests: int = 256
    connections: int = 1_000
    fetch_bytes: int = 55 << 20
    partitions: int = 20_000


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """A broker's settings; Kafka's names where Kafka has the setting.

    Attributes:
        data_dir: Where topics, offsets and identity are kept; made if missing.
        host: The address to bind, and the one that clients are told.
        port: The port to bind; 0 takes a free one.
        flush: When an append counts as done: `commit` after its bytes are on the disk, `interval` and `os` at once.
        flush_interval_ms: The pause between flush rounds under `interval`.
        num_partitions: Partitions of a topic that is created without saying how many (`num.partitions`).
        auto_create_topics: Whether asking for an unknown topic creates it (`auto.create.topics.enable`).
        group_initial_rebalance_delay_ms: How long a new group waits for more members before its first assignment.
        group_min_session_timeout_ms: The shortest session of a classic group's member (`group.min.session.timeout.ms`).
        group_max_session_timeout_ms: The longest one (`group.max.session.timeout.ms`).
        group_max_size: The most members of a classic group (`group.max.size`).
        group_consumer_session_timeout_ms: How long a member of a consumer group may be silent
            (`group.consumer.session.timeout.ms`).
        group_consumer_heartbeat_interval_ms: How often such members come (`group.consumer.heartbeat.interval.ms`).
        group_consumer_max_size: The most members of a consumer group (`group.consumer.max.size`).
        group_consumer_assignors: What they may ask for, the broker's choice first (`group.consumer.assignors`).
        offsets_retention_minutes: How long committed offsets outlive their use (`offsets.retention.minutes`).
        offsets_retention_check_interval_ms: How often that is looked at (`offsets.retention.check.interval.ms`).
        transaction_max_timeout_ms: The longest time-out of a transaction (`transaction.max.timeout.ms`).
        insecure: Allow an address that other machines can reach; there is no authentication yet.
        limits: The bounds.

    Raises:
        UserError: The host is not loopback and `insecure` is false, or a number is out of range.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    flush: FlushMode = "commit"
    flush_interval_ms: int = 1_000
    num_partitions: int = 1
    auto_create_topics: bool = True
    group_initial_rebalance_delay_ms: int = 100
    group_min_session_timeout_ms: int = 6_000
    group_max_session_timeout_ms: int = 1_800_000
    group_max_size: int = (1 << 31) - 1
    group_consumer_session_timeout_ms: int = 45_000
    group_consumer_heartbeat_interval_ms: int = 500
    group_consumer_max_size: int = (1 << 31) - 1
    group_consumer_assignors: tuple[str, ...] = ("uniform", "range")
    offsets_retention_minutes: int = 10_080
    offsets_retention_check_interval_ms: int = 600_000
    transaction_max_timeout_ms: int = 900_000
    insecure: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not self.insecure and not is_loopback(self.host):
            raise UserError(
                f"Refused to listen on {self.host!r}: other machines could reach it, and there is no authentication",
                hint="Listen on 127.0.0.1, or pass --insecure (insecure=True) if you trust the network",
            )
        if not 0 <= self.port <= 65_535:
            raise UserError(f"Expected a port from 0 to 65535, got {self.port!r}")
        if self.flush not in ("commit", "interval", "os"):
            raise UserError(f"Expected a flush mode of 'commit', 'interval' or 'os', got {self.flush!r}")
        if not 1 <= self.num_partitions <= self.limits.partitions:
            raise UserError(f"Expected 1 to {self.limits.partitions} partitions, got {self.num_partitions!r}")


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
