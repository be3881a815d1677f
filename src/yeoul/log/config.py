"""A topic's configuration: the entries of Kafka that mean something to the log, their defaults and limits.

Names and defaults are Kafka's (https://kafka.apache.org/documentation/#topicconfigs); an entry that Kafka knows but
one node has no use for is kept and shown, not acted on. An unknown name is the user's mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from yeoul.errors import UserError, did_you_mean
from yeoul.wire.compression import Codec

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
    "delete.retention.ms": (0, 2**63 - 1),
    "index.interval.bytes": (0, 2**31 - 1),
    "max.compaction.lag.ms": (1, 2**63 - 1),
    "max.message.bytes": (0, 2**31 - 1),
    "message.timestamp.after.max.ms": (0, 2**63 - 1),
    "message.timestamp.before.max.ms": (0, 2**63 - 1),
    "message.timestamp.difference.max.ms": (0, 2**63 - 1),
    "min.compaction.lag.ms": (0, 2**63 - 1),
    "retention.bytes": (-1, 2**63 - 1),
    "retention.ms": (-1, 2**63 - 1),
    "segment.bytes": (1024, 2**31 - 1),
    "segment.ms": (1, 2**63 - 1),
}
_RATIOS = ("min.cleanable.dirty.ratio",)
_NO_LIMIT_MS = 2**63 - 1
_CHOICES = {
    "cleanup.policy": ("delete", "compact", "compact,delete", "delete,compact", ""),
    "compression.type": ("producer", "uncompressed", "none", "gzip", "snappy", "lz4", "zstd"),
    "message.timestamp.type": ("CreateTime", "LogAppendTime"),
}


_CODECS = {
    "producer": None,
    "uncompressed": Codec.NONE,
    "none": Codec.NONE,
    "gzip": Codec.GZIP,
    "snappy": Codec.SNAPPY,
    "lz4": Codec.LZ4,
    "zstd": Codec.ZSTD,
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
        timestamp_before_max_ms: How far a record's timestamp may lie before the broker's clock.
        timestamp_after_max_ms: How far beyond it.
        codec: What batches are stored with; None for what the producer chose.
        min_cleanable_dirty_ratio: Compaction waits until this share of the log has not been cleaned.
        min_compaction_lag_ms: A segment with a record younger than this is not compacted.
        max_compaction_lag_ms: A segment whose records are older than this is compacted whatever the ratio.
        delete_retention_ms: How long compaction keeps a tombstone that it has met.
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
    timestamp_before_max_ms: int
    timestamp_after_max_ms: int
    codec: Codec | None
    min_cleanable_dirty_ratio: float
    min_compaction_lag_ms: int
    max_compaction_lag_ms: int
    delete_retention_ms: int

    @property
    def checks_timestamps(self) -> bool:
        """Whether a producer's timestamps have bounds at all."""
        return self.timestamp_before_max_ms < _NO_LIMIT_MS or self.timestamp_after_max_ms < _NO_LIMIT_MS

    @property
    def roll_ms(self) -> int:
        """A segment is rolled when its first record is older than this: compaction never touches the newest one."""
        return min(self.segment_ms, self.max_compaction_lag_ms) if self.compacted else self.segment_ms

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
        difference_ms = int(merged["message.timestamp.difference.max.ms"])
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
            timestamp_before_max_ms=min(difference_ms, int(merged["message.timestamp.before.max.ms"])),
            timestamp_after_max_ms=min(difference_ms, int(merged["message.timestamp.after.max.ms"])),
            codec=_CODECS[merged["compression.type"]],
            min_cleanable_dirty_ratio=float(merged["min.cleanable.dirty.ratio"]),
            min_compaction_lag_ms=int(merged["min.compaction.lag.ms"]),
            max_compaction_lag_ms=int(merged["max.compaction.lag.ms"]),
            delete_retention_ms=int(merged["delete.retention.ms"]),
        )


def check_entries(entries: Mapping[str, str]) -> None:
    """Raises UserError unless every entry is one of Kafka's and has a value it allows, and they agree."""
    for name, value in entries.items():
        if name not in TOPIC_DEFAULTS:
            raise UserError(f"Unknown topic configuration {name!r}", hint=did_you_mean(name, TOPIC_DEFAULTS))
        if name in _RANGES:
            _check_range(name, value)
        elif name in _RATIOS:
            _check_ratio(name, value)
        elif name in _CHOICES and value.replace(" ", "") not in _CHOICES[name]:
            allowed = ", ".join(repr(choice) for choice in _CHOICES[name])
            raise UserError(f"Topic configuration {name!r}: expected one of {allowed}, got {value!r}")
    least_ms = int(entries.get("min.compaction.lag.ms", "0"))
    most_ms = int(entries.get("max.compaction.lag.ms", str(_NO_LIMIT_MS)))
    if least_ms > most_ms:
        raise UserError(
            "Topic configuration 'min.compaction.lag.ms': expected at most 'max.compaction.lag.ms' = "
            f"{most_ms}, got '{least_ms}'"
        )


def _check_range(name: str, value: str) -> None:
    low, high = _RANGES[name]
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise UserError(f"Topic configuration {name!r}: expected a whole number from {low} to {high}, got {value!r}")


def _check_ratio(name: str, value: str) -> None:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise UserError(f"Topic configuration {name!r}: expected a number from 0 to 1, got {value!r}")
