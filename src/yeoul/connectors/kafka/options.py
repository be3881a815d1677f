"""The options of `kafka`, named as Flink's; `scan.reconnect-timeout` is ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yeoul.connectors.options import Option, choice, parse_duration_ms, semicolon_list, text, whole
from yeoul.errors import UserError

__all__ = [
    "BOOTSTRAP_SERVERS",
    "BOUNDED_MODE",
    "BOUNDED_OFFSETS",
    "BOUNDED_TIMESTAMP",
    "DELIVERY_GUARANTEE",
    "DISCOVERY_INTERVAL",
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
