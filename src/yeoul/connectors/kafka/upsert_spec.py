"""The connector `upsert-kafka`: a topic as a table by primary key.

A record is its key's row from now on; a null value says that the key has none any more. Reading begins at a topic's
start, for only all of it is the table. The columns of the primary key are the record's key.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/connectors/table/upsert-kafka/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from yeoul.connectors.format_options import ON_MALFORMED, told_by_format
from yeoul.connectors.kafka.options import (
    BOOTSTRAP_SERVERS,
    BOUNDED_MODE,
    BOUNDED_OFFSETS,
    BOUNDED_TIMESTAMP,
    DELIVERY_GUARANTEE,
    DISCOVERY_INTERVAL,
    KEY_PREFIX,
    PROPERTIES,
    RECONNECT_TIMEOUT,
    TOPIC,
    TOPIC_PATTERN,
    VALUE_FIELDS,
)
from yeoul.connectors.kafka.spec import (
    KAFKA_METADATA,
    check_key_prefix,
    check_modes,
    check_topics,
    is_topic_bounded,
)
from yeoul.connectors.options import Option, parse_duration_ms, whole
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, told_by_key
from yeoul.errors import UserError
from yeoul.plan.encoding import Encoding
from yeoul.plan.tables import Column

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink, Source
    from yeoul.plan.nodes import Scan, Write

__all__ = ["UPSERT_KAFKA"]

_NAME = "upsert-kafka"
_BUFFER_ROWS: Option[int] = Option(
    "sink.buffer-flush.max-rows", whole(0), 0, "Accepted for Flink's sake: of a batch the last record of a key is sent."
)
_BUFFER_INTERVAL: Option[int] = Option(
    "sink.buffer-flush.interval", parse_duration_ms, 0, "Accepted for Flink's sake: a batch is whatever has arrived."
)


def _check(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str]) -> None:
    check_topics(options, _NAME)
    check_modes(options)
    if not primary_key:
        raise UserError(
            "Connector 'upsert-kafka' needs a primary key: it is the records' key",
            hint="Add PRIMARY KEY (...) NOT ENFORCED to the columns.",
        )
    for option in ("key.format", "value.format"):
        if option not in options:
            raise UserError(f"Connector 'upsert-kafka' needs the option {option!r}", hint="For example 'json'.")
    if told_by_format(options) is not Encoding.APPEND:
        raise UserError(
            f"Connector 'upsert-kafka' cannot carry the format {options['value.format']!r}: its records are changes",
            hint="The connector 'kafka' can; here a value is a row, in json, csv or raw.",
        )
    check_key_prefix(options, primary_key, "the primary key")


def _make_source(scan: Scan, context: ConnectorContext) -> Source:
    from yeoul.connectors.kafka.source import KafkaSource

    return KafkaSource(scan, context, upserts=True)


def _make_sink(write: Write, context: ConnectorContext) -> Sink:
    from yeoul.connectors.kafka.sink import KafkaSink

    return KafkaSink(write, context, upserts=True)


UPSERT_KAFKA = ConnectorSpec(
    name=_NAME,
    options=(
        TOPIC,
        TOPIC_PATTERN,
        BOOTSTRAP_SERVERS,
        BOUNDED_MODE,
        BOUNDED_OFFSETS,
        BOUNDED_TIMESTAMP,
        replace(DISCOVERY_INTERVAL, is_own=True),
        RECONNECT_TIMEOUT,
        KEY_PREFIX,
        VALUE_FIELDS,
        DELIVERY_GUARANTEE,
        _BUFFER_ROWS,
        _BUFFER_INTERVAL,
        ON_MALFORMED,
        PROPERTIES,
    ),
    doc="Reads and writes topics as tables by primary key; a null value deletes.",
    make_source=_make_source,
    make_sink=_make_sink,
    formats=None,
    format_options={"value.format": "value.", "key.format": "key."},
    metadata=KAFKA_METADATA,
    check=_check,
    is_bounded=is_topic_bounded,
    until_now={BOUNDED_MODE.name: "latest-offset"},
    how_to_bound="give it 'scan.bounded.mode' = 'latest-offset'",
    tells=told_by_key,
    takes=told_by_key,
)
