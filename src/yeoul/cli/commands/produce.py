"""`yeoul produce TOPIC`: lines from standard input become records."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Properties,
    client_properties,
    complete_topics,
    parse_properties,
)

__all__ = ["produce"]


class LineFormat(StrEnum):
    """What a line is."""

    VALUE = "value"
    JSON = "json"


class Compression(StrEnum):
    """Codecs of record batches."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


def produce(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="Where the records go.", autocompletion=complete_topics)
    ],
    key_separator: Annotated[
        str | None, typer.Option("--key-separator", metavar="TEXT", help="What stands between key and value in a line.")
    ] = None,
    form: Annotated[
        LineFormat,
        typer.Option("--format", help="A line is a value, or a record as `yeoul consume --format json` writes it."),
    ] = LineFormat.VALUE,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="On every record; repeatable.")
    ] = None,
    partition: Annotated[int | None, typer.Option("--partition", "-p", min=0, help="Where every record goes.")] = None,
    null_marker: Annotated[
        str | None, typer.Option("--null-marker", metavar="TEXT", help="The value that stands for none: a tombstone.")
    ] = None,
    compression: Annotated[Compression, typer.Option(help="How record batches are compressed.")] = Compression.NONE,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Send each line of standard input as a record."""
    import sys

    from yeoul.cli.kafka.producing import Lines, send_lines
    from yeoul.errors import UserError

    settings = {"compression.type": compression.value} | client_properties(command_config, properties)
    if form is LineFormat.JSON and key_separator is not None:
        raise UserError("--key-separator is for lines that are values, not for --format json")
    lines = Lines(
        separator=key_separator.encode() if key_separator is not None else None,
        as_json=form is LineFormat.JSON,
        headers=tuple((name, value.encode()) for name, value in parse_properties(header, "--header").items()),
        partition=partition,
        null_marker=null_marker.encode() if null_marker is not None else None,
    )
    send_lines(sys.stdin.buffer, topic, bootstrap_server, settings, lines)
