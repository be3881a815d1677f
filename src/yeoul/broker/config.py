"""What a broker is told when it starts: where its data is, where it listens, and its bounds.

Owns the defaults and the rule that nothing but loopback is bound unless it is asked for aloud. Callers: `process`,
`child`, the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from yeoul.broker.listeners import Listener, is_loopback
from yeoul.broker.log_lines import LogFormat, LogLevel
from yeoul.broker.security.guard import AccessSettings
from yeoul.errors import UserError
from yeoul.log.compaction.plan import CleaningSettings
from yeoul.log.config import check_entries

__all__ = ["BrokerConfig", "FlushMode", "Limits", "is_loopback"]

FlushMode = Literal["commit", "interval", "os"]
_LONGEST_DELAY_MS = 10_000


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
        idle_ms: How long a connection may be silent, as Kafka's `connections.max.idle.ms`.
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
    idle_ms: int = 600_000
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
        authorize: Whether access control lists decide what a peer may do (`authorizer.class.name`); None for just when
            some listener makes its peers prove who they are.
        super_users: Principals that may do everything, such as `User:alice` (`super.users`).
        allow_everyone_if_no_acl_found: Whether everybody may use what no access control list is about
            (`allow.everyone.if.no.acl.found`).
        max_reauth_ms: How long a SASL login counts; 0 for as long as its connection (`connections.max.reauth.ms`).
        failed_authentication_delay_ms: How long a refused login waits for its answer
            (`connection.failed.authentication.delay.ms`).
        insecure: Allow listeners that other machines can reach and that ask nobody who they are.
        metrics_host: The address that metrics and health are served on, where `metrics_port` is set.
        metrics_port: Their port; 0 takes a free one, -1 serves none.
        log_level: The least that is logged.
        log_format: How: lines of text, or an object of JSON a line.
        log_file: Where: a file that is appended to (and opened anew when it was moved away), else stderr.
        topic_defaults: Entries of a topic's configuration for topics that do not set them (`log.retention.ms` and the
            like, under the names that topics have for them).
        cleaner_enable: Whether compacted topics are compacted (`log.cleaner.enable`).
        cleaner_backoff_ms: How often it is looked whether something needs that (`log.cleaner.backoff.ms`).
        cleaner_dedupe_buffer_bytes: The most memory for the keys of one cleaning (`log.cleaner.dedupe.buffer.size`).
        cleaner_io_max_bytes_per_second: What a cleaning reads and writes at most
            (`log.cleaner.io.max.bytes.per.second`).
        retention_check_interval_ms: How often old segments are looked for (`log.retention.check.interval.ms`).
        disk_reserve_bytes: Free space that clients may not use up, at most a twentieth of the file system; below it
            the broker is read-only.
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
    authorize: bool | None = None
    super_users: tuple[str, ...] = ()
    allow_everyone_if_no_acl_found: bool = False
    max_reauth_ms: int = 0
    failed_authentication_delay_ms: int = 100
    insecure: bool = False
    metrics_host: str = "127.0.0.1"
    metrics_port: int = -1
    log_level: LogLevel = "warning"
    log_format: LogFormat = "text"
    log_file: Path | None = None
    topic_defaults: Mapping[str, str] = field(default_factory=dict)
    cleaner_enable: bool = True
    cleaner_backoff_ms: int = 15_000
    cleaner_dedupe_buffer_bytes: int = 128 << 20
    cleaner_io_max_bytes_per_second: float = float(1 << 40)
    retention_check_interval_ms: int = 300_000
    disk_reserve_bytes: int = 64 << 20
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        for listener in self.bound_listeners:
            if listener.is_open_to_others and not listener.authenticates and not self.insecure:
                reason = "other machines could reach it, and there is no authentication"
                raise UserError(
                    f"Refused to listen on {listener.host or 'every address'!r}: {reason}",
                    hint="Listen on 127.0.0.1, make peers say who they are (SASL_SSL, or SSL with"
                    " ssl.client.auth=required), or pass --insecure (insecure=True) if you trust the network",
                )
        for principal in self.super_users:
            if not all(principal.partition(":")):
                raise UserError(f"super.users: Expected a principal such as 'User:alice', got {principal!r}")
        if self.max_reauth_ms < 0 or not 0 <= self.failed_authentication_delay_ms <= _LONGEST_DELAY_MS:
            raise UserError(
                f"Expected max_reauth_ms of 0 or more and failed_authentication_delay_ms of 0 to {_LONGEST_DELAY_MS}, "
                f"got {self.max_reauth_ms!r} and {self.failed_authentication_delay_ms!r}"
            )
        if self.flush not in ("commit", "interval", "os"):
            raise UserError(f"Expected a flush mode of 'commit', 'interval' or 'os', got {self.flush!r}")
        for name, value, known in (("log level", self.log_level, LogLevel), ("log format", self.log_format, LogFormat)):
            if value not in get_args(known):
                raise UserError(f"Expected a {name} of {', '.join(map(repr, get_args(known)))}, got {value!r}")
        if not 1 <= self.num_partitions <= self.limits.partitions:
            raise UserError(f"Expected 1 to {self.limits.partitions} partitions, got {self.num_partitions!r}")
        for what, number in (
            ("cleaner_backoff_ms", self.cleaner_backoff_ms),
            ("cleaner_dedupe_buffer_bytes", self.cleaner_dedupe_buffer_bytes),
            ("cleaner_io_max_bytes_per_second", self.cleaner_io_max_bytes_per_second),
            ("retention_check_interval_ms", self.retention_check_interval_ms),
        ):
            if number < 1:
                raise UserError(f"Expected {what} of 1 or more, got {number!r}")
        check_entries(self.topic_defaults)

    @property
    def cleaning(self) -> CleaningSettings:
        """What the cleaner of compacted topics goes by."""
        return CleaningSettings(
            enabled=self.cleaner_enable,
            backoff_ms=self.cleaner_backoff_ms,
            key_table_bytes=self.cleaner_dedupe_buffer_bytes,
            max_bytes_per_second=self.cleaner_io_max_bytes_per_second,
        )

    @property
    def access(self) -> AccessSettings:
        """How strict the broker is."""
        asks = any(listener.authenticates for listener in self.bound_listeners)
        return AccessSettings(
            enforced=asks if self.authorize is None else self.authorize,
            super_users=frozenset(self.super_users),
            allow_without_acl=self.allow_everyone_if_no_acl_found,
            session_lifetime_ms=self.max_reauth_ms,
            refusal_delay_ms=self.failed_authentication_delay_ms,
        )

    @property
    def bound_listeners(self) -> tuple[Listener, ...]:
        """The listeners, also when there is but `host` and `port`."""
        return self.listeners or (Listener("PLAINTEXT", self.host, self.port),)
