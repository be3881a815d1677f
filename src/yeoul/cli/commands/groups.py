"""`yeoul groups list|describe|reset-offsets|delete|delete-offsets`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Execute,
    GroupArgument,
    Json,
    Properties,
    client_properties,
    complete_groups,
    complete_topics,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at consumer groups, move their offsets, delete them.")


@app.command("list")
def list_groups(
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only in this, such as stable; repeatable.")
    ] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """List consumer groups and their states."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    cluster = Cluster(bootstrap_server, client_properties(command_config, properties))
    groups.show_all(cluster, states=state or [], as_json=as_json)


@app.command("describe")
def describe(
    group: GroupArgument,
    members: Annotated[bool, typer.Option("--members", help="Who is in it, and what each one reads.")] = False,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show a group's committed offsets and its lag, or its members."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    show = groups.describe_members if members else groups.describe
    show(Cluster(bootstrap_server, client_properties(command_config, properties)), group, as_json=as_json)


@app.command("delete")
def delete(
    names: Annotated[
        list[str], typer.Argument(metavar="GROUP...", help="What to delete.", autocompletion=complete_groups)
    ],
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Delete groups that have no members, and all offsets that they committed."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    groups.delete(Cluster(bootstrap_server, client_properties(command_config, properties)), names)


@app.command("delete-offsets", epilog="Example: yeoul groups delete-offsets g --topic clicks:0,1 --execute")
def delete_offsets(
    group: GroupArgument,
    topic: Annotated[
        list[str],
        typer.Option(
            "--topic",
            "-t",
            metavar="TOPIC[:PARTITION,...]",
            help="Of which topics; repeatable.",
            autocompletion=complete_topics,
        ),
    ],
    execute: Execute = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Forget what a group committed for topics that it does not read; a dry run unless --execute is given."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster
    from yeoul.cli.kafka.requests import Requests

    client = client_properties(command_config, properties)
    cluster = Cluster(bootstrap_server, client)
    with Requests(bootstrap_server, client) as requests:
        groups.delete_offsets(cluster, requests, group, topic, execute=execute)


@app.command("reset-offsets", epilog="Example: yeoul groups reset-offsets g --by-duration '1 h' --execute")
def reset_offsets(
    group: GroupArgument,
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
    by_duration: Annotated[
        str | None,
        typer.Option(
            "--by-duration", metavar="DURATION", help="To the first record of the last so much, such as '1 h'."
        ),
    ] = None,
    shift_by: Annotated[
        int | None, typer.Option("--shift-by", metavar="N", help="Forward by N records, or back by -N.")
    ] = None,
    execute: Execute = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done: the default.")] = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Move the committed offsets of a group without members; a dry run unless --execute is given."""
    from yeoul.cli.kafka import groups
    from yeoul.cli.kafka.client import Cluster

    target = groups.Target.of(
        to_earliest=to_earliest,
        to_latest=to_latest,
        to_datetime=to_datetime,
        to_offset=to_offset,
        by_duration=by_duration,
        shift_by=shift_by,
    )
    execute = execute and not dry_run
    groups.reset(
        Cluster(bootstrap_server, client_properties(command_config, properties)),
        group,
        topic or [],
        target,
        execute=execute,
    )
