"""A topic's configuration: the entries of Kafka that mean something to the log, their defaults and limits.

Names and defaults are Kafka's (https://kafka.apache.org/documentation/#topicconfigs); an entry that Kafka knows but
one node has no use for is kept and shown, not acted on. An unknown name is the user's mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from yeoul.errors import UserError, did_you_mean

__all__ = ["TOPIC_DEFAULTS", "TopicConfig", "check_entries"]

TOPIC_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "delete.retention.ms": "86400000",
        "file.delete.delay.ms": "60000",
        "flush.messages": "9223372036854775807",
        "flush.ms": "9223372036854775807",
        "follower.replication.throttled.replicas": "",
        "index.interval.bytes": "4096",
        "leader.replication.throttled.replicas": "",
        "local.retention.bytes": "-2",
        "local.retention.ms": "-2",
        "max.compaction.lag.ms": "9223372036854775807",
        "max.message.bytes": "1048588",
        "message.downconversion.enable": "true",
        "message.format.version": "3.0-IV1",
        "message.timestamp.after.max.ms": "9223372036854775807",
        "message.timestamp.before.max.ms": "9223372036854775807",
        "message.timestamp.difference.max.ms": "9223372036854775807",
        "message.timestamp.type": "CreateTime",
        "min.cleanable.dirty.ratio": "0.5",
        "min.compaction.lag.ms": "0",
        "min.insync.replicas": "1",
        "preallocate": "false",
        "remote.storage.enable": "false",
        "retention.bytes": "-1",
        "retention.ms": "604800000",
        "segment.bytes": "1073741824",
        "segment.index.bytes": "10485760",
        "segment.jitter.ms": "0",
        "segment.ms": "604800000",
        "unclean.leader.election.enable": "false",
    }
)

# Smallest value allowed and largest; positions in a segment are 32 bits wide.
_RANGES = {
    "index.interval.bytes": (0, 2**31 - 1),
    "max.message.bytes": (0, 2**31 - 1),
    "retention.bytes": (-1, 2**63 - 1),
    "retention.ms": (-1, 2**63 - 1),
    "segment.bytes": (1024, 2**31 - 1),
    "segment.ms": (1, 2**63 - 1),
}
_CHOICES = {
    "cleanup.policy": ("delete", "compact", "compact,delete", "delete,compact", ""),
    "compression.type": ("producer", "uncompressed", "none", "gzip", "snappy", "lz4", "zstd"),
    "message.timestamp.type": ("CreateTime", "LogAppendTime"),
}


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """The entries that the log and the produce path act on.

    Attributes:
        segment_bytes: A segment is rolled before it grows beyond this.
        segment_ms: A segment is rolled when its first record is older than this.
        retention_bytes: Whole old segments go while the partition holds more; -1 for no limit.
        retention_ms: Whole segments go when their newest record is older; -1 for no limit.
        index_interval_bytes: How far apart index entries are.
        max_message_bytes: The largest batch a producer may send.
        compacted: `cleanup.policy` names `compact`.
        deletes: `cleanup.policy` names `delete`: retention applies.
        log_append_time: The log's clock stamps batches, not the producer's.
    """

    segment_bytes: int
    segment_ms: int
    retention_bytes: int
    retention_ms: int
    index_interval_bytes: int
    max_message_bytes: int
    compacted: bool
    deletes: bool
    log_append_time: bool

    @classmethod
    def from_entries(cls, entries: Mapping[str, str]) -> TopicConfig:
        """Returns the configuration that a topic's own entries make over the defaults.

        Raises:
            UserError: An entry is unknown, or its value is out of range.

        Example:
            >>> TopicConfig.from_entries({"segment.bytes": "4096"}).segment_bytes
            4096
            >>> TopicConfig.from_entries({}).max_message_bytes
            1048588
        """
        check_entries(entries)
        merged = {**TOPIC_DEFAULTS, **entries}
        policy = merged["cleanup.policy"].replace(" ", "").split(",")
        return cls(
            segment_bytes=int(merged["segment.bytes"]),
            segment_ms=int(merged["segment.ms"]),
            retention_bytes=int(merged["retention.bytes"]),
            retention_ms=int(merged["retention.ms"]),
            index_interval_bytes=int(merged["index.interval.bytes"]),
            max_message_bytes=int(merged["max.message.bytes"]),
            compacted="compact" in policy,
            deletes="delete" in policy,
            log_append_time=merged["message.timestamp.type"] == "LogAppendTime",
        )


def check_entries(entries: Mapping[str, str]) -> None:
    """Raises UserError unless every entry is one of Kafka's and has a value it allows."""
    for name, value in entries.items():
        if name not in TOPIC_DEFAULTS:
            raise UserError(f"Unknown topic configuration {name!r}", hint=did_you_mean(name, TOPIC_DEFAULTS))
        if name in _RANGES:
            _check_range(name, value)
        elif name in _CHOICES and value.replace(" ", "") not in _CHOICES[name]:
            allowed = ", ".join(repr(choice) for choice in _CHOICES[name])
            raise UserError(f"Topic configuration {name!r}: expected one of {allowed}, got {value!r}")


def _check_range(name: str, value: str) -> None:
    low, high = _RANGES[name]
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise UserError(f"Topic configuration {name!r}: expected a whole number from {low} to {high}, got {value!r}")
