"""The connector `filesystem`: its formats and metadata columns, what it checks, what reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from yeoul.connectors.filesystem.options import (
    CHECK_INTERVAL,
    MONITOR_INTERVAL,
    PATH,
    PATH_PATTERN,
    ROLL_BYTES,
    ROLL_INTERVAL,
)
from yeoul.connectors.format_options import ON_MALFORMED, told_by_format
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, Metadata
from yeoul.errors import UserError
from yeoul.plan import types
from yeoul.plan.tables import Column

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink, Source
    from yeoul.plan.nodes import Scan, Write

__all__ = ["FILESYSTEM", "FORMATS"]

FORMATS = ("json", "csv", "parquet", "raw", "debezium-json")
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
