"""`yeoul groups list|describe|reset-offsets`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import DEFAULT_BOOTSTRAP, Bootstrap, CommandConfig, Properties, client_properties

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at consumer groups and move their offsets.")


@app.command("list")
def list_groups(
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP, command_config: CommandConfig = None, properties: Properties = None
) -> None:
    """List consumer groups and their states."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    groups.show_all(Cluster(bootstrap_server, client_properties(command_config, properties)))


@app.command("describe")
def describe(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Which group.")],
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show a group's committed offsets, its lag and its members."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    groups.describe(Cluster(bootstrap_server, client_properties(command_config, properties)), group)


@app.command("reset-offsets")
def reset_offsets(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Which group; it must have no members.")],
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", "-t", metavar="TOPIC[:PARTITION,...]", help="Only this; repeatable."),
    ] = None,
    to_earliest: Annotated[bool, typer.Option("--to-earliest", help="To the oldest record.")] = False,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="To the end.")] = False,
    to_datetime: Annotated[
        str | None,
        typer.Option(
            "--to-datetime", metavar="TIME", help="To the first record from then on, such as 2026-01-31T12:00."
        ),
    ] = None,
    to_offset: Annotated[int | None, typer.Option("--to-offset", min=0, help="To this offset.")] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Do it; without this, only show what would be done.")
    ] = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Move a group's committed offsets; a dry run unless --execute is given."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    target = groups.Target.of(
        to_earliest=to_earliest, to_latest=to_latest, to_datetime=to_datetime, to_offset=to_offset
    )
    groups.reset(
        Cluster(bootstrap_server, client_properties(command_config, properties)),
        group,
        topic or [],
        target,
        execute=execute,
    )
