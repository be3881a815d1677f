"""`yeoul log-dirs`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Json,
    Properties,
    client_properties,
    complete_topics,
)

__all__ = ["log_dirs"]


def log_dirs(
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", "-t", metavar="TOPIC", help="Only this; repeatable.", autocompletion=complete_topics),
    ] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show brokers' data directories: the room they have, and what each partition takes."""
    from yeoul.cli.kafka import directories
    from yeoul.cli.kafka.requests import Requests

    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        directories.describe(requests, topic or [], as_json=as_json)
