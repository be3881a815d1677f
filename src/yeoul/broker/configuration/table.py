"""The one table of settings that this broker acts on: Kafka's name, the field that it sets, how its text is read.

A new field of `BrokerConfig` becomes reachable by files, environment and flags with one line here. Where two names set
one field (`log.retention.hours` and `log.retention.ms`), the later line wins. Caller: `effective`.
Source: https://kafka.apache.org/documentation/#brokerconfigs; names that begin with `yeoul.` are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from yeoul.errors import UserError

__all__ = ["LISTENER_SETTINGS", "SASL_MECHANISMS", "SETTINGS", "TLS_SETTINGS", "Setting", "names_of"]

Reader = Callable[[str], object]
_NO_BOUND = 2**31 - 1


class Setting(NamedTuple):
    """One name.

    Attributes:
        name: Kafka's, or ours.
        target: A field of `BrokerConfig`, `limits.<field>` or `topic.<entry>`: the default of a topic's entry.
        read: Makes the field's value of a text; raises `UserError` or `ValueError`.
        is_secret: Its value is never shown.
    """

    name: str
    target: str
    read: Reader
    is_secret: bool = False


def _text(text: str) -> str:
    return text


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"expected a whole number, got {text!r}") from None


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UserError(f"expected true or false, got {text!r}")
    return text.lower() == "true"


def _bound(text: str) -> int:
    """Kafka writes "no bound" as the largest number, we as 0."""
    number = _integer(text)
    return 0 if number >= _NO_BOUND else number


def _directory(text: str) -> Path:
    if "," in text:
        raise UserError(f"expected one directory, got {text!r}: this broker keeps all of its data in one")
    return Path(text)


def _file(text: str) -> Path | None:
    return Path(text) if text else None


def names_of(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _principals(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(";"))))


def _authorizer(text: str) -> bool:
    if text.rpartition(".")[2] not in ("", "StandardAuthorizer", "AclAuthorizer"):
        raise UserError(f"expected org.apache.kafka.metadata.authorizer.StandardAuthorizer or nothing, got {text!r}")
    return bool(text)


def _scaled(factor: int) -> Reader:
    """A duration in a coarser unit, as the text of a topic's entry in milliseconds; below 0 there is no bound."""

    def read(text: str) -> str:
        number = _integer(text)
        return str(number * factor if number >= 0 else -1)

    return read


_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000

SETTINGS: tuple[Setting, ...] = (
    Setting("log.dir", "data_dir", _directory),
    Setting("log.dirs", "data_dir", _directory),
    Setting("yeoul.host", "host", _text),
    Setting("yeoul.port", "port", _integer),
    Setting("yeoul.insecure", "insecure", _truth),
    Setting("yeoul.flush", "flush", _text),
    Setting("yeoul.flush.interval.ms", "flush_interval_ms", _integer),
    Setting("yeoul.metrics.host", "metrics_host", _text),
    Setting("yeoul.metrics.port", "metrics_port", _integer),
    Setting("yeoul.log.level", "log_level", _text),
    Setting("yeoul.log.format", "log_format", _text),
    Setting("yeoul.log.file", "log_file", _file),
    Setting("num.partitions", "num_partitions", _integer),
    Setting("auto.create.topics.enable", "auto_create_topics", _truth),
    Setting("group.initial.rebalance.delay.ms", "group_initial_rebalance_delay_ms", _integer),
    Setting("group.min.session.timeout.ms", "group_min_session_timeout_ms", _integer),
    Setting("group.max.session.timeout.ms", "group_max_session_timeout_ms", _integer),
    Setting("group.max.size", "group_max_size", _integer),
    Setting("group.consumer.session.timeout.ms", "group_consumer_session_timeout_ms", _integer),
    Setting("group.consumer.heartbeat.interval.ms", "group_consumer_heartbeat_interval_ms", _integer),
    Setting("group.consumer.max.size", "group_consumer_max_size", _integer),
    Setting("group.consumer.assignors", "group_consumer_assignors", names_of),
    Setting("offsets.retention.minutes", "offsets_retention_minutes", _integer),
    Setting("offsets.retention.check.interval.ms", "offsets_retention_check_interval_ms", _integer),
    Setting("transaction.max.timeout.ms", "transaction_max_timeout_ms", _integer),
    Setting("authorizer.class.name", "authorize", _authorizer),
    Setting("super.users", "super_users", _principals),
    Setting("allow.everyone.if.no.acl.found", "allow_everyone_if_no_acl_found", _truth),
    Setting("connections.max.reauth.ms", "max_reauth_ms", _integer),
    Setting("connection.failed.authentication.delay.ms", "failed_authentication_delay_ms", _integer),
    Setting("fetch.max.bytes", "limits.fetch_bytes", _integer),
    Setting("max.connections", "limits.connections", _integer),
    Setting("max.connections.per.ip", "limits.connections_per_address", _bound),
    Setting("max.connection.creation.rate", "limits.connections_per_second", _bound),
    Setting("connections.max.idle.ms", "limits.idle_ms", _integer),
    Setting("socket.request.max.bytes", "limits.request_bytes", _integer),
    Setting("queued.max.request.bytes", "limits.receive_bytes", _integer),
    Setting("yeoul.max.partitions", "limits.partitions", _integer),
    Setting("yeoul.max.pipelined.requests", "limits.pipelined_requests", _integer),
    Setting("yeoul.max.control.request.bytes", "limits.control_request_bytes", _integer),
    Setting("yeoul.max.send.bytes", "limits.send_bytes", _integer),
    Setting("compression.type", "topic.compression.type", _text),
    Setting("log.cleaner.backoff.ms", "cleaner_backoff_ms", _integer),
    Setting("log.cleaner.dedupe.buffer.size", "cleaner_dedupe_buffer_bytes", _integer),
    Setting("log.cleaner.enable", "cleaner_enable", _truth),
    Setting("log.cleaner.io.max.bytes.per.second", "cleaner_io_max_bytes_per_second", float),
    Setting("log.retention.check.interval.ms", "retention_check_interval_ms", _integer),
    Setting("yeoul.disk.reserve.bytes", "disk_reserve_bytes", _integer),
    Setting("log.cleanup.policy", "topic.cleanup.policy", _text),
    Setting("log.cleaner.delete.retention.ms", "topic.delete.retention.ms", _text),
    Setting("log.cleaner.max.compaction.lag.ms", "topic.max.compaction.lag.ms", _text),
    Setting("log.cleaner.min.cleanable.ratio", "topic.min.cleanable.dirty.ratio", _text),
    Setting("log.cleaner.min.compaction.lag.ms", "topic.min.compaction.lag.ms", _text),
    Setting("log.index.interval.bytes", "topic.index.interval.bytes", _text),
    Setting("log.index.size.max.bytes", "topic.segment.index.bytes", _text),
    Setting("log.message.timestamp.after.max.ms", "topic.message.timestamp.after.max.ms", _text),
    Setting("log.message.timestamp.before.max.ms", "topic.message.timestamp.before.max.ms", _text),
    Setting("log.message.timestamp.type", "topic.message.timestamp.type", _text),
    Setting("log.preallocate", "topic.preallocate", _text),
    Setting("log.retention.bytes", "topic.retention.bytes", _text),
    Setting("log.retention.hours", "topic.retention.ms", _scaled(_HOUR_MS)),
    Setting("log.retention.minutes", "topic.retention.ms", _scaled(_MINUTE_MS)),
    Setting("log.retention.ms", "topic.retention.ms", _text),
    Setting("log.roll.hours", "topic.segment.ms", _scaled(_HOUR_MS)),
    Setting("log.roll.ms", "topic.segment.ms", _text),
    Setting("log.roll.jitter.hours", "topic.segment.jitter.ms", _scaled(_HOUR_MS)),
    Setting("log.roll.jitter.ms", "topic.segment.jitter.ms", _text),
    Setting("log.segment.bytes", "topic.segment.bytes", _text),
    Setting("log.segment.delete.delay.ms", "topic.file.delete.delay.ms", _text),
    Setting("message.max.bytes", "topic.max.message.bytes", _text),
    Setting("min.insync.replicas", "topic.min.insync.replicas", _text),
)

LISTENER_SETTINGS: tuple[str, ...] = (
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "controller.listener.names",
)
"""What `listeners.parse_listeners` reads, in the order of its arguments."""

TLS_SETTINGS: tuple[Setting, ...] = (
    Setting("ssl.keystore.location", "certificate_file", _file),
    Setting("ssl.key.location", "key_file", _file),
    Setting("ssl.keystore.certificate.chain", "certificate_pem", _text),
    Setting("ssl.keystore.key", "key_pem", _text, is_secret=True),
    Setting("ssl.key.password", "key_password", _text, is_secret=True),
    Setting("ssl.truststore.location", "trusted_file", _file),
    Setting("ssl.truststore.certificates", "trusted_pem", _text),
    Setting("ssl.client.auth", "client_auth", _text),
    Setting("ssl.enabled.protocols", "versions", names_of),
    Setting("ssl.cipher.suites", "ciphers", _text),
    Setting("ssl.principal.mapping.rules", "name_rules", _text),
)
"""Fields of `TlsSettings`; each also as `listener.name.<name>.ssl...` for one listener."""

SASL_MECHANISMS = Setting("sasl.enabled.mechanisms", "sasl_mechanisms", names_of)
"""A field of `Listener`, for one listener or for all, as those of TLS."""
