"""`yeoul offsets` and `yeoul delete-records`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Execute,
    Json,
    Properties,
    client_properties,
    complete_topics,
)

__all__ = ["delete_records", "offsets"]


def offsets(
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOPIC[:PARTITION,...]]...", help="Which; none for all.", autocompletion=complete_topics
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="earliest, latest, max-timestamp, a time such as 2026-01-31T12:00, or milliseconds.",
        ),
    ] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show where partitions begin and end, or which offset a time has."""
    from yeoul.cli.kafka import offsets
    from yeoul.cli.kafka.client import Cluster

    cluster = Cluster(bootstrap_server, client_properties(command_config, properties))
    offsets.show(cluster, topic or [], at, as_json=as_json)


def delete_records(
    topic: Annotated[
        list[str],
        typer.Argument(metavar="TOPIC[:PARTITION,...]...", help="Of which.", autocompletion=complete_topics),
    ],
    before_offset: Annotated[int | None, typer.Option("--before-offset", min=0, help="All below this.")] = None,
    before_datetime: Annotated[
        str | None, typer.Option("--before-datetime", metavar="TIME", help="All before the first from then on.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    execute: Execute = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Delete the oldest records of partitions; a dry run unless --execute is given."""
    from yeoul.cli.kafka import offsets
    from yeoul.cli.kafka.client import Cluster

    offsets.delete_records(
        Cluster(bootstrap_server, client_properties(command_config, properties)),
        topic,
        before_offset=before_offset,
        before_datetime=before_datetime,
        everything=everything,
        execute=execute,
    )
