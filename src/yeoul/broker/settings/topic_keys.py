"""The settings of topics: types, bounds, texts, and the broker's settings that are their defaults.

Which settings there are, and their defaults, is the log's (`log.config.TOPIC_DEFAULTS`); what this table lacks is a
string without a text. Source: https://kafka.apache.org/documentation/#topicconfigs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from yeoul.broker.settings.keys import ConfigKey, ConfigType, check, find
from yeoul.errors import UserError
from yeoul.log.config import TOPIC_DEFAULTS, check_entries

__all__ = ["BROKER_NAMES", "TOPIC_KEYS", "check_topic_entries", "topic_default_of"]

_B, _S, _I, _L, _D, _LIST = (
    ConfigType.BOOLEAN,
    ConfigType.STRING,
    ConfigType.INT,
    ConfigType.LONG,
    ConfigType.DOUBLE,
    ConfigType.LIST,
)
_NO_REPLICAS = "There is one copy of each partition here: kept, not acted on."
_CODECS = ("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")

_KEYS = (
    ConfigKey(
        "cleanup.policy",
        _LIST,
        "What happens to old segments: `delete` drops them by time and size, `compact` keeps each key's last value; "
        "both may be given.",
        choices=("compact", "delete"),
        broker_name="log.cleanup.policy",
    ),
    ConfigKey(
        "compression.gzip.level",
        _I,
        "Kept, not acted on: batches are stored as sent.",
        -1,
        9,
        (),
        "compression.gzip.level",
    ),
    ConfigKey(
        "compression.lz4.level",
        _I,
        "Kept, not acted on: batches are stored as sent.",
        1,
        17,
        (),
        "compression.lz4.level",
    ),
    ConfigKey(
        "compression.zstd.level",
        _I,
        "Kept, not acted on: batches are stored as sent.",
        -131072,
        22,
        (),
        "compression.zstd.level",
    ),
    ConfigKey(
        "compression.type",
        _S,
        "How batches are to be compressed; here they are always stored as the producer sent them.",
        choices=_CODECS,
        broker_name="compression.type",
    ),
    ConfigKey(
        "delete.retention.ms",
        _L,
        "How long a compacted topic keeps tombstones, so that readers who are behind see them.",
        0,
        broker_name="log.cleaner.delete.retention.ms",
    ),
    ConfigKey(
        "file.delete.delay.ms",
        _L,
        "How long a file that was dropped stays on the disk; here it goes at once.",
        0,
        broker_name="log.segment.delete.delay.ms",
    ),
    ConfigKey(
        "flush.messages",
        _L,
        "Kept, not acted on: when bytes are forced to the disk is the broker's flush mode.",
        1,
        broker_name="log.flush.interval.messages",
    ),
    ConfigKey(
        "flush.ms",
        _L,
        "Kept, not acted on: when bytes are forced to the disk is the broker's flush mode.",
        0,
        broker_name="log.flush.interval.ms",
    ),
    ConfigKey("follower.replication.throttled.replicas", _LIST, _NO_REPLICAS),
    ConfigKey("leader.replication.throttled.replicas", _LIST, _NO_REPLICAS),
    ConfigKey(
        "index.interval.bytes",
        _I,
        "How many bytes of log lie between two entries of the offset index.",
        0,
        broker_name="log.index.interval.bytes",
    ),
    ConfigKey("local.retention.bytes", _L, "There is no tiered storage here: kept, not acted on.", -2),
    ConfigKey("local.retention.ms", _L, "There is no tiered storage here: kept, not acted on.", -2),
    ConfigKey(
        "max.compaction.lag.ms",
        _L,
        "The longest that a record of a compacted topic may escape compaction.",
        1,
        broker_name="log.cleaner.max.compaction.lag.ms",
    ),
    ConfigKey(
        "max.message.bytes",
        _I,
        "The largest batch, after compression, that a producer may send.",
        0,
        broker_name="message.max.bytes",
    ),
    ConfigKey(
        "message.timestamp.after.max.ms",
        _L,
        "How far ahead of the broker's clock a record's own timestamp may be.",
        0,
        broker_name="log.message.timestamp.after.max.ms",
    ),
    ConfigKey(
        "message.timestamp.before.max.ms",
        _L,
        "How far behind the broker's clock a record's own timestamp may be.",
        0,
        broker_name="log.message.timestamp.before.max.ms",
    ),
    ConfigKey(
        "message.timestamp.type",
        _S,
        "Whose clock stamps records: the producer's (CreateTime) or the broker's (LogAppendTime).",
        choices=("CreateTime", "LogAppendTime"),
        broker_name="log.message.timestamp.type",
    ),
    ConfigKey(
        "min.cleanable.dirty.ratio",
        _D,
        "How much of a compacted log must be new before it is compacted again.",
        0,
        1,
        broker_name="log.cleaner.min.cleanable.ratio",
    ),
    ConfigKey(
        "min.compaction.lag.ms",
        _L,
        "How long a record of a compacted topic is safe from compaction.",
        0,
        broker_name="log.cleaner.min.compaction.lag.ms",
    ),
    ConfigKey("min.insync.replicas", _I, _NO_REPLICAS, 1, broker_name="min.insync.replicas"),
    ConfigKey(
        "preallocate", _B, "Kept, not acted on: segments grow as they are written.", broker_name="log.preallocate"
    ),
    ConfigKey("remote.storage.enable", _B, "There is no tiered storage here: kept, not acted on."),
    ConfigKey("remote.log.copy.disable", _B, "There is no tiered storage here: kept, not acted on."),
    ConfigKey("remote.log.delete.on.disable", _B, "There is no tiered storage here: kept, not acted on."),
    ConfigKey(
        "retention.bytes",
        _L,
        "How much a partition may hold before its oldest segments go; -1 for no bound.",
        -1,
        broker_name="log.retention.bytes",
    ),
    ConfigKey(
        "retention.ms",
        _L,
        "How long a record is kept before its segment goes; -1 for ever.",
        -1,
        broker_name="log.retention.ms",
    ),
    ConfigKey(
        "segment.bytes",
        _I,
        "How large a segment file grows before the next is begun.",
        14,
        None,
        (),
        "log.segment.bytes",
    ),
    ConfigKey(
        "segment.index.bytes",
        _I,
        "Kept, not acted on: an index is as large as its segment needs.",
        4,
        broker_name="log.index.size.max.bytes",
    ),
    ConfigKey("segment.jitter.ms", _L, "Kept, not acted on.", 0, broker_name="log.roll.jitter.ms"),
    ConfigKey(
        "segment.ms", _L, "How long a segment is written to before the next is begun.", 1, None, (), "log.roll.ms"
    ),
    ConfigKey("unclean.leader.election.enable", _B, _NO_REPLICAS, broker_name="unclean.leader.election.enable"),
    ConfigKey("message.downconversion.enable", _B, "Formats before version 2 are not spoken: kept, not acted on."),
)

_BY_NAME = {key.name: key for key in _KEYS}
TOPIC_KEYS: Mapping[str, ConfigKey] = MappingProxyType(
    {name: _BY_NAME.get(name) or ConfigKey(name, _S, "Kept, not acted on.") for name in TOPIC_DEFAULTS}
)
"""All settings of topics, by name."""

BROKER_NAMES: Mapping[str, str] = MappingProxyType(
    {key.broker_name: key.name for key in TOPIC_KEYS.values() if key.broker_name is not None}
)
"""The broker's settings that are topics' defaults, with the topic's setting that each is the default of."""

_INFLATED = {
    "log.retention.minutes": ("retention.ms", 60_000),
    "log.retention.hours": ("retention.ms", 3_600_000),
    "log.roll.hours": ("segment.ms", 3_600_000),
    "log.roll.jitter.hours": ("segment.jitter.ms", 3_600_000),
}


def topic_default_of(name: str, value: str) -> tuple[str, str] | None:
    """Returns the topic's setting that a broker's setting is the default of, and its value; None for any other.

    Raises:
        UserError: The value is no number where one is needed.

    Example:
        >>> topic_default_of("log.retention.hours", "2"), topic_default_of("num.partitions", "2")
        (('retention.ms', '7200000'), None)
    """
    if name in BROKER_NAMES:
        return BROKER_NAMES[name], value
    if name not in _INFLATED:
        return None
    topic_name, factor = _INFLATED[name]
    try:
        number = int(value)
    except ValueError:
        raise UserError(f"Invalid value {value!r} for configuration {name!r}: expected a whole number") from None
    return topic_name, str(number * factor if number >= 0 else -1)


def check_topic_entries(entries: Mapping[str, str]) -> None:
    """Raises UserError unless every entry is a topic's setting and has a value that it may have."""
    for name, value in entries.items():
        check(find(name, TOPIC_KEYS, "topic"), value)
    check_entries(entries)
