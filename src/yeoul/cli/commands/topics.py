"""`yeoul topics create|list|describe|alter|delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Json,
    Properties,
    TopicArgument,
    client_properties,
    complete_topics,
    parse_properties,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Create, list, describe, grow and delete topics.")


@app.command("create")
def create(
    names: Annotated[list[str], typer.Argument(metavar="TOPIC...", help="What to create.")],
    partitions: Annotated[int, typer.Option("--partitions", "-p", min=1, help="Partitions of each.")] = 1,
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 1,
    config: Annotated[
        list[str] | None, typer.Option("--config", metavar="KEY=VALUE", help="A topic's setting; repeatable.")
    ] = None,
    if_not_exists: Annotated[bool, typer.Option("--if-not-exists", help="Leave a topic that stands as it is.")] = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Create topics."""
    from yeoul.cli.kafka import topics

    topics.create(
        topics.Cluster(bootstrap_server, client_properties(command_config, properties)),
        names,
        partitions=partitions,
        replication_factor=replication_factor,
        config=parse_properties(config, "--config"),
        if_not_exists=if_not_exists,
    )


@app.command("list")
def list_topics(
    internal: Annotated[bool, typer.Option("--internal", help="Show topics that begin with __ as well.")] = False,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """List topics: their partitions, how many records they hold, and their size."""
    from yeoul.cli.kafka import topics
    from yeoul.cli.kafka.requests import Requests

    client = client_properties(command_config, properties)
    cluster = topics.Cluster(bootstrap_server, client)
    with Requests(bootstrap_server, client) as requests:
        topics.show_all(cluster, requests, internal=internal, as_json=as_json)


@app.command("describe")
def describe(
    name: TopicArgument,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show a topic's partitions, their offsets and sizes, and its settings."""
    from yeoul.cli.kafka import topics
    from yeoul.cli.kafka.requests import Requests

    client = client_properties(command_config, properties)
    cluster = topics.Cluster(bootstrap_server, client)
    cluster.require(name)
    with Requests(bootstrap_server, client) as requests:
        topics.describe(cluster, requests, name, as_json=as_json)


@app.command("alter", epilog="Settings are changed with `yeoul configs alter topic TOPIC`.")
def alter(
    name: TopicArgument,
    partitions: Annotated[int, typer.Option("--partitions", "-p", min=1, help="How many it is to have, all in all.")],
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Give a topic more partitions; there is no way back."""
    from yeoul.cli.kafka import topics

    topics.alter(
        topics.Cluster(bootstrap_server, client_properties(command_config, properties)), name, partitions=partitions
    )


@app.command("delete")
def delete(
    names: Annotated[
        list[str], typer.Argument(metavar="TOPIC...", help="What to delete.", autocompletion=complete_topics)
    ],
    if_exists: Annotated[bool, typer.Option("--if-exists", help="Pass over a topic that is not there.")] = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Delete topics and all their records."""
    from yeoul.cli.kafka import topics

    topics.delete(
        topics.Cluster(bootstrap_server, client_properties(command_config, properties)), names, if_exists=if_exists
    )
