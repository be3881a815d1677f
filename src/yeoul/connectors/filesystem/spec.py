"""The options of `filesystem`, named as Flink's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from yeoul.connectors.format_options import ON_MALFORMED, told_by_format
from yeoul.connectors.options import Option, parse_duration_ms, parse_size_bytes, text
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, Metadata
from yeoul.errors import UserError
from yeoul.plan import types
from yeoul.plan.tables import Column

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink, Source
    from yeoul.plan.nodes import Scan, Write

__all__ = ["FILESYSTEM", "FORMATS", "MONITOR_INTERVAL", "PATH", "PATH_PATTERN", "ROLL_BYTES", "ROLL_INTERVAL"]

FORMATS = ("json", "csv", "parquet", "raw", "debezium-json")


def _pattern(given: str) -> re.Pattern[str]:
    try:
        return re.compile(given)
    except re.error as error:
        raise UserError(f"Expected a regular expression, got {given!r}: {error}") from None


def _positive_duration(given: str) -> int:
    duration_ms = parse_duration_ms(given)
    if duration_ms < 1:
        raise UserError(f"Expected a duration of at least 1 ms, got {given!r}")
    return duration_ms


PATH: Option[str] = Option("path", text, "", "A file, a directory or a glob.", required=True)
MONITOR_INTERVAL: Option[int | None] = Option(
    "source.monitor-interval",
    _positive_duration,
    None,
    "How often to look for new files and appended lines; without it the source ends with the files it found.",
)
PATH_PATTERN: Option[re.Pattern[str] | None] = Option(
    "source.path.regex-pattern", _pattern, None, "Reads only the files whose whole path matches."
)
ROLL_BYTES: Option[int] = Option(
    "sink.rolling-policy.file-size", parse_size_bytes, 128 << 20, "How large a part file may grow."
)
ROLL_INTERVAL: Option[int] = Option(
    "sink.rolling-policy.rollover-interval", parse_duration_ms, 1_800_000, "How long a part file may stay open."
)
CHECK_INTERVAL: Option[int] = Option(
    "sink.rolling-policy.check-interval", parse_duration_ms, 60_000, "Accepted for Flink's sake: checked at each write."
)

_METADATA = {
    "file.path": Metadata(types.STRING.not_null()),
    "file.name": Metadata(types.STRING.not_null()),
    "file.size": Metadata(types.BIGINT.not_null()),
    "file.modification-time": Metadata(types.timestamp_ltz(3).not_null()),
}


def _check(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str]) -> None:
    scheme, colon, _ = PATH.read(options).partition("://")
    if colon and scheme != "file":
        raise UserError(
            f"Option 'path': {scheme!r} is not supported, got {options['path']!r}",
            hint="Give a path on this machine.",
        )


def _is_bounded(options: Mapping[str, str]) -> bool:
    return MONITOR_INTERVAL.read(options) is None


def _make_source(scan: Scan, context: ConnectorContext) -> Source:
    from yeoul.connectors.filesystem.source import FilesystemSource

    return FilesystemSource(scan, context)


def _make_sink(write: Write, context: ConnectorContext) -> Sink:
    from yeoul.connectors.filesystem.sink import open_filesystem_sink

    return open_filesystem_sink(write, context)


FILESYSTEM = ConnectorSpec(
    name="filesystem",
    options=(PATH, MONITOR_INTERVAL, PATH_PATTERN, ON_MALFORMED, ROLL_BYTES, ROLL_INTERVAL, CHECK_INTERVAL),
    doc="Reads and writes files: NDJSON, CSV, Parquet.",
    make_source=_make_source,
    make_sink=_make_sink,
    formats=FORMATS,
    format_options={"format": ""},
    metadata=_METADATA,
    check=_check,
    is_bounded=_is_bounded,
    until_now={MONITOR_INTERVAL.name: None},
    how_to_bound="leave out its 'source.monitor-interval'",
    tells=told_by_format,
    takes=told_by_format,
    leaves_out=lambda options: options["format"] == "parquet",
)
