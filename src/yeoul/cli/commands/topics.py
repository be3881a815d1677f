"""`yeoul topics create|list|describe|delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Properties,
    client_properties,
    parse_properties,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Create, list, describe and delete topics.")


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
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """List topics, their partitions and how many records they hold."""
    from yeoul.cli.kafka import topics

    topics.show_all(topics.Cluster(bootstrap_server, client_properties(command_config, properties)), internal=internal)


@app.command("describe")
def describe(
    name: Annotated[str, typer.Argument(metavar="TOPIC", help="Which topic.")],
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show a topic's partitions, their offsets and its settings."""
    from yeoul.cli.kafka import topics

    topics.describe(topics.Cluster(bootstrap_server, client_properties(command_config, properties)), name)


@app.command("delete")
def delete(
    names: Annotated[list[str], typer.Argument(metavar="TOPIC...", help="What to delete.")],
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
