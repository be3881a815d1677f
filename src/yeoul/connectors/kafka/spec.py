"""The connector `kafka`: its metadata columns, what it checks, what reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from yeoul.connectors.format_options import ON_MALFORMED, VALUE, format_of, told_by_format
from yeoul.connectors.kafka.options import (
    BOOTSTRAP_SERVERS,
    BOUNDED_MODE,
    BOUNDED_OFFSETS,
    BOUNDED_TIMESTAMP,
    DELIVERY_GUARANTEE,
    DISCOVERY_INTERVAL,
    KEY_FIELDS,
    KEY_PREFIX,
    PARTITIONER,
    PROPERTIES,
    RECONNECT_TIMEOUT,
    STARTUP_MODE,
    STARTUP_OFFSETS,
    STARTUP_TIMESTAMP,
    TOPIC,
    TOPIC_PATTERN,
    VALUE_FIELDS,
)
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, Metadata
from yeoul.errors import UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.encoding import Encoding
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink, Source
    from yeoul.plan.nodes import Scan, Write

__all__ = ["KAFKA", "KAFKA_METADATA", "check_key_prefix", "check_modes", "check_topics", "is_topic_bounded"]

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
