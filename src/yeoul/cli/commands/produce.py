"""`yeoul produce TOPIC`: lines from standard input become records."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from yeoul.cli.options import DEFAULT_BOOTSTRAP, Bootstrap, CommandConfig, Properties, client_properties

__all__ = ["produce"]


class Compression(StrEnum):
    """Codecs of record batches."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Where the records go.")],
    key_separator: Annotated[
        str | None, typer.Option("--key-separator", metavar="TEXT", help="What stands between key and value in a line.")
    ] = None,
    compression: Annotated[Compression, typer.Option(help="How record batches are compressed.")] = Compression.NONE,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Send each line of standard input as a record."""
    import sys

    from yeoul.cli.kafka.producing import send_lines

    settings = {"compression.type": compression.value} | client_properties(command_config, properties)
    separator = key_separator.encode() if key_separator is not None else None
    send_lines(sys.stdin.buffer, topic, bootstrap_server, settings, separator)
