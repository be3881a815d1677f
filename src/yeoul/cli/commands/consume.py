"""`yeoul consume TOPIC`: records to standard output."""

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
)

__all__ = ["consume"]


class Isolation(StrEnum):
    """Which records of transactions are read."""

    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


class RecordFormat(StrEnum):
    """How a record is written."""

    VALUE = "value"
    KEY_VALUE = "key-value"
    JSON = "json"


def consume(
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="Where the records come from.", autocompletion=complete_topics)
    ],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest record, not with the next to come.")
    ] = False,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop at the end that the topic has when the command starts.")
    ] = False,
    group: Annotated[
        str | None, typer.Option("--group", "-g", help="Share the topic within this group, and remember the place.")
    ] = None,
    max_messages: Annotated[int | None, typer.Option("--max-messages", "-n", min=1, help="Stop after so many.")] = None,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", "-p", min=0, help="Only this partition; repeatable.")
    ] = None,
    offset: Annotated[
        int | None, typer.Option("--offset", help="Begin there in each partition; -N for the last N records.")
    ] = None,
    from_time: Annotated[
        str | None,
        typer.Option("--from-time", metavar="TIME", help="Begin with that time, such as 2026-01-31T12:00."),
    ] = None,
    isolation: Annotated[
        Isolation, typer.Option(help="Whether records of open and aborted transactions are left out.")
    ] = Isolation.READ_COMMITTED,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="Stop when nothing came for so long.")
    ] = None,
    form: Annotated[
        RecordFormat, typer.Option("--format", help="The value alone, key and value, or all of it as JSON.")
    ] = RecordFormat.VALUE,
    key_separator: Annotated[str, typer.Option("--key-separator", metavar="TEXT", help="For key-value.")] = "\t",
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Write a topic's records to standard output, a line each, until Ctrl-C."""
    import sys

    from yeoul.cli.kafka.consuming import FORMATS, Request, copy_records
    from yeoul.cli.kafka.groups import parse_datetime_ms
    from yeoul.units import parse_duration_ms

    request = Request(
        topic=topic,
        group=group,
        from_beginning=from_beginning,
        until_end=until_end,
        max_messages=max_messages,
        partitions=tuple(partition or ()),
        offset=offset,
        from_ms=None if from_time is None else parse_datetime_ms(from_time),
        idle_timeout_ms=None if timeout is None else parse_duration_ms(timeout),
        properties={"isolation.level": isolation.value} | client_properties(command_config, properties),
    )
    copy_records(request, bootstrap_server, FORMATS[form.value](key_separator.encode()), sys.stdout.buffer)
