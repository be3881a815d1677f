"""What a broker is told when it starts: where its data is, where it listens, and its bounds.

Owns the defaults and the rule that nothing but loopback is bound unless it is asked for aloud. Callers: `process`,
`child`, the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yeoul.broker.listeners import Listener, is_loopback
from yeoul.errors import UserError

__all__ = ["BrokerConfig", "FlushMode", "Limits", "is_loopback"]

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
        connections_per_address: Of one peer's address, as Kafka's `max.connections.per.ip`; 0 for no bound.
        connections_per_second: New ones, as Kafka's `max.connection.creation.rate`; those beyond it wait. 0 for no
            bound.
        fetch_bytes: One Fetch response, as Kafka's `fetch.max.bytes`.
        partitions: Partitions over all topics.
    """

    request_bytes: int = 100 << 20
    control_request_bytes: int = 4 << 20
    receive_bytes: int = 512 << 20
    send_bytes: int = 8 << 20
    pipelined_requests: int = 256
    connections: int = 1_000
    connections_per_address: int = 0
    connections_per_second: int = 0
    fetch_bytes: int = 55 << 20
    partitions: int = 20_000


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """A broker's settings; Kafka's names where Kafka has the setting.

    Attributes:
        data_dir: Where topics, offsets and identity are kept; made if missing.
        host: The address to bind, and the one that clients are told, where `listeners` is empty.
        port: The port to bind, likewise; 0 takes a free one.
        listeners: Where it listens; empty for one PLAINTEXT listener at `host` and `port`.
        flush: When an append counts as done: `commit` after its bytes are on the disk, `interval` and `os` at once.
        flush_interval_ms: The pause between flush rounds under `interval`.
        num_partitions: Partitions of a topic that is created without saying how many (`num.partitions`).
        auto_create_topics: Whether asking for an unknown topic creates it (`auto.create.topics.enable`).
        group_initial_rebalance_delay_ms: How long a new group waits for more members before its first assignment.
        transaction_max_timeout_ms: The longest time-out of a transaction (`transaction.max.timeout.ms`).
        insecure: Allow listeners that other machines can reach and that ask nobody who they are.
        limits: The bounds.

    Raises:
        UserError: A listener that does not authenticate is not on loopback and `insecure` is false, or a number is out
            of range.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    listeners: tuple[Listener, ...] = ()
    flush: FlushMode = "commit"
    flush_interval_ms: int = 1_000
    num_partitions: int = 1
    auto_create_topics: bool = True
    group_initial_rebalance_delay_ms: int = 100
    transaction_max_timeout_ms: int = 900_000
    insecure: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for listener in self.bound_listeners:
            if listener.is_open_to_others and not listener.authenticates and not self.insecure:
                reason = "other machines could reach it, and there is no authentication"
                raise UserError(
                    f"Refused to listen on {listener.host!r}: {reason}",
                    hint="Listen on 127.0.0.1, or pass --insecure (insecure=True) if you trust the network",
                )
        if self.flush not in ("commit", "interval", "os"):
            raise UserError(f"Expected a flush mode of 'commit', 'interval' or 'os', got {self.flush!r}")
        if not 1 <= self.num_partitions <= self.limits.partitions:
            raise UserError(f"Expected 1 to {self.limits.partitions} partitions, got {self.num_partitions!r}")

    @property
    def bound_listeners(self) -> tuple[Listener, ...]:
        """The listeners, also when there is but `host` and `port`."""
        return self.listeners or (Listener("PLAINTEXT", self.host, self.port),)
