"""The options of `kafka`, named as Flink's; `scan.reconnect-timeout` is ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yeoul.connectors.format_options import ON_MALFORMED, VALUE, format_of, told_by_format
from yeoul.connectors.options import Option, choice, parse_duration_ms, semicolon_list, text, whole
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, Metadata
from yeoul.errors import UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.encoding import Encoding
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink, Source
    from yeoul.plan.nodes import Scan, Write

__all__ = [
    "BOOTSTRAP_SERVERS",
    "BOUNDED_MODE",
    "BOUNDED_OFFSETS",
    "BOUNDED_TIMESTAMP",
    "DELIVERY_GUARANTEE",
    "DISCOVERY_INTERVAL",
    "KAFKA",
    "KAFKA_METADATA",
    "KEY_FIELDS",
    "KEY_PREFIX",
    "PARTITIONER",
    "PROPERTIES",
    "RECONNECT_TIMEOUT",
    "STARTUP_MODE",
    "STARTUP_OFFSETS",
    "STARTUP_TIMESTAMP",
    "TOPIC",
    "TOPIC_PATTERN",
    "VALUE_FIELDS",
    "check_key_prefix",
    "check_modes",
    "check_topics",
    "is_topic_bounded",
    "parse_partition_offsets",
]

_OFFSET = re.compile(r"partition:(\d{1,9}),offset:(\d{1,18})")


def parse_partition_offsets(given: str) -> Mapping[int, int]:
    """Reads `partition:0,offset:42;partition:1,offset:300`.

    Example:
        >>> dict(parse_partition_offsets("partition:0,offset:42;partition:1,offset:300"))
        {0: 42, 1: 300}
    """
    offsets: dict[int, int] = {}
    for part in semicolon_list(given):
        match = _OFFSET.fullmatch(part.replace(" ", ""))
        if match is None:
            raise UserError(f"Expected 'partition:0,offset:42;partition:1,offset:300', got {given!r}")
        offsets[int(match[1])] = int(match[2])
    return offsets


def _pattern(given: str) -> re.Pattern[str]:
    try:
        return re.compile(given)
    except re.error as error:
        raise UserError(f"Expected a regular expression, got {given!r}: {error}") from None


TOPIC: Option[tuple[str, ...] | None] = Option("topic", semicolon_list, None, "The topic, or several with ';' between.")
TOPIC_PATTERN: Option[re.Pattern[str] | None] = Option(
    "topic-pattern", _pattern, None, "Reads every topic whose whole name matches this regular expression."
)
BOOTSTRAP_SERVERS: Option[str] = Option(
    "properties.bootstrap.servers", text, "", "Brokers to ask first, 'host:port', commas between.", required=True
)
_STARTUP_MODES = ("earliest-offset", "latest-offset", "group-offsets", "timestamp", "specific-offsets")
STARTUP_MODE: Option[str] = Option(
    "scan.startup.mode", choice(_STARTUP_MODES), "group-offsets", "Where reading starts."
)
STARTUP_OFFSETS: Option[Mapping[int, int] | None] = Option(
    "scan.startup.specific-offsets", parse_partition_offsets, None, "First offset of each partition."
)
STARTUP_TIMESTAMP: Option[int | None] = Option(
    "scan.startup.timestamp-millis", whole(0), None, "Start at the first record of that time or later."
)
_BOUNDED_MODES = ("unbounded", "latest-offset", "group-offsets", "timestamp", "specific-offsets")
BOUNDED_MODE: Option[str] = Option("scan.bounded.mode", choice(_BOUNDED_MODES), "unbounded", "Where reading ends.")
BOUNDED_OFFSETS: Option[Mapping[int, int] | None] = Option(
    "scan.bounded.specific-offsets", parse_partition_offsets, None, "The offset of each partition to stop before."
)
BOUNDED_TIMESTAMP: Option[int | None] = Option(
    "scan.bounded.timestamp-millis", whole(0), None, "Stop before the first record of that time or later."
)
DISCOVERY_INTERVAL: Option[int] = Option(
    "scan.topic-partition-discovery.interval",
    parse_duration_ms,
    300_000,
    "How often to look for new ones; 0: never.",
)
RECONNECT_TIMEOUT: Option[int] = Option(
    "scan.reconnect-timeout",
    parse_duration_ms,
    300_000,
    "How long to try again after a connection was lost.",
    is_own=True,
)
KEY_FIELDS: Option[tuple[str, ...]] = Option("key.fields", semicolon_list, (), "Columns that are in the record's key.")
KEY_PREFIX: Option[str] = Option("key.fields-prefix", str, "", "Taken off the names of the key's columns in the key.")
VALUE_FIELDS: Option[str] = Option(
    "value.fields-include", choice(("all", "except_key")), "all", "Whether the value holds the key's columns too."
)
PARTITIONER: Option[str] = Option(
    "sink.partitioner", choice(("default", "fixed", "round-robin")), "default", "Which partition a row goes to."
)


def _guarantee(given: str) -> str:
    if given.strip().lower() == "exactly-once":
        raise UserError(
            f"Expected 'at-least-once' or 'none', got {given!r}", hint="There are no checkpoints yet, which it needs."
        )
    return choice(("at-least-once", "none"))(given)


DELIVERY_GUARANTEE: Option[str] = Option(
    "sink.delivery-guarantee", _guarantee, "at-least-once", "What a flush waits for."
)
PROPERTIES: Option[Any] = Option("properties.*", str, None, "Any property of a Kafka client.")

KAFKA_METADATA = {
    "topic": Metadata(types.STRING.not_null()),
    "partition": Metadata(types.INT.not_null()),
    "headers": Metadata(types.map_of(types.STRING.not_null(), types.BYTES), writable=True),
    "leader-epoch": Metadata(types.INT),
    "offset": Metadata(types.BIGINT.not_null()),
    "timestamp": Metadata(types.timestamp_ltz(3).not_null(), writable=True),
    "timestamp-type": Metadata(types.STRING.not_null()),
    "key": Metadata(types.BYTES),
}

_NEEDED_BY_MODE = {
    ("scan.startup.mode", "timestamp"): "scan.startup.timestamp-millis",
    ("scan.startup.mode", "specific-offsets"): "scan.startup.specific-offsets",
    ("scan.bounded.mode", "timestamp"): "scan.bounded.timestamp-millis",
    ("scan.bounded.mode", "specific-offsets"): "scan.bounded.specific-offsets",
}


def _check(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str]) -> None:
    check_topics(options, "kafka")
    check_modes(options)
    _check_key(options, [column.name for column in columns if column.kind is ColumnKind.PHYSICAL])
    if primary_key and told_by_format(options) is Encoding.APPEND:
        raise UserError(
            f"A table of connector 'kafka' with the format {format_of(options, VALUE)!r} cannot have a primary key: "
            "each of its records is a new row",
            hint="The connector 'upsert-kafka' goes by key.",
        )


def check_topics(options: Mapping[str, str], connector: str) -> None:
    """Refuses a table that names no topic, or names them in two ways.

    Raises:
        UserError: It does.
    """
    if (TOPIC.name in options) == (TOPIC_PATTERN.name in options):
        got = "both" if TOPIC.name in options else "neither"
        raise UserError(
            f"Connector {connector!r} needs either 'topic' or 'topic-pattern', got {got}",
            hint="Say 'topic' = 'name' in WITH, or several as 'a;b'.",
        )


def check_modes(options: Mapping[str, str]) -> None:
    """Refuses a way to begin or end that lacks the option which says where.

    Raises:
        UserError: It does.
    """
    for (mode, value), needed in _NEEDED_BY_MODE.items():
        if options.get(mode, "").lower() == value and needed not in options:
            raise UserError(f"Option {mode!r} = {value!r} needs the option {needed!r}")


def _check_key(options: Mapping[str, str], names: Sequence[str]) -> None:
    keys = KEY_FIELDS.read(options)
    for name in keys:
        if name not in names:
            raise UserError(f"Option 'key.fields': the table has no column {name!r}", hint=did_you_mean(name, names))
    if keys and "key.format" not in options:
        raise UserError("Option 'key.fields' needs the option 'key.format'", hint="For example 'key.format' = 'raw'.")
    if "key.format" in options and not keys:
        raise UserError("Option 'key.format' needs the option 'key.fields'", hint="Name the columns of the key.")
    check_key_prefix(options, keys, "'key.fields'")


def check_key_prefix(options: Mapping[str, str], keys: Sequence[str], said_by: str) -> None:
    """Refuses columns of the key that lack the prefix which is taken off them.

    Raises:
        UserError: One does, or the value holds them too, where they would have two names.
    """
    prefix = KEY_PREFIX.read(options)
    if prefix and VALUE_FIELDS.read(options) != "except_key":
        raise UserError("Option 'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'")
    for name in keys:
        if not name.startswith(prefix):
            raise UserError(f"Column {name!r} of {said_by} does not begin with 'key.fields-prefix' = {prefix!r}")


def is_topic_bounded(options: Mapping[str, str]) -> bool:
    """Tells whether reading ends."""
    return BOUNDED_MODE.read(options) != "unbounded"


def _make_source(scan: Scan, context: ConnectorContext) -> Source:
    from yeoul.connectors.kafka.source import KafkaSource

    return KafkaSource(scan, context)


def _make_sink(write: Write, context: ConnectorContext) -> Sink:
    from yeoul.connectors.kafka.sink import KafkaSink

    return KafkaSink(write, context)


KAFKA = ConnectorSpec(
    name="kafka",
    options=(
        TOPIC,
        TOPIC_PATTERN,
        BOOTSTRAP_SERVERS,
        STARTUP_MODE,
        STARTUP_OFFSETS,
        STARTUP_TIMESTAMP,
        BOUNDED_MODE,
        BOUNDED_OFFSETS,
        BOUNDED_TIMESTAMP,
        DISCOVERY_INTERVAL,
        RECONNECT_TIMEOUT,
        KEY_FIELDS,
        KEY_PREFIX,
        VALUE_FIELDS,
        PARTITIONER,
        DELIVERY_GUARANTEE,
        ON_MALFORMED,
        PROPERTIES,
    ),
    doc="Reads and writes topics of any Kafka.",
    make_source=_make_source,
    make_sink=_make_sink,
    formats=None,
    format_options={"format": "", "value.format": "value.", "key.format": "key."},
    metadata=KAFKA_METADATA,
    carries_format_metadata=True,
    check=_check,
    is_bounded=is_topic_bounded,
    until_now={BOUNDED_MODE.name: "latest-offset"},
    how_to_bound="give it 'scan.bounded.mode' = 'latest-offset'",
    tells=told_by_format,
    takes=told_by_format,
)
