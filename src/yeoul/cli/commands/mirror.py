"""`yeoul mirror --to HOST:PORT`: topics, records and group offsets copied to another cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yeoul.cli.options import DEFAULT_BOOTSTRAP, CommandConfig

__all__ = ["mirror"]


def mirror(
    to: Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="A broker of the cluster to copy to.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="HOST:PORT",
            envvar="YEOUL_BOOTSTRAP_SERVER",
            help="A broker of the cluster to copy from; yeoul's own or any Kafka.",
        ),
    ] = DEFAULT_BOOTSTRAP,
    once: Annotated[
        bool, typer.Option("--once", help="End when all is copied that was there at the start; else go on for ever.")
    ] = False,
    topics: Annotated[
        list[str] | None,
        typer.Option("--topics", "-t", metavar="PATTERN", help="Only topics of these names (regular expression)."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="Not topics of these names.")
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", "-g", metavar="PATTERN", help="Translate the offsets of these groups only."),
    ] = None,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="Translate no group's offsets.")] = False,
    rename: Annotated[
        str, typer.Option("--rename", metavar="PREFIX", help="What topics' names begin with at the target.")
    ] = "",
    mirror_id: Annotated[
        str | None,
        typer.Option("--id", metavar="NAME", help="Names the state at the target; else made of the source."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="SIZE", help="The most to copy a second, such as '10 MB'.")
    ] = None,
    replication_factor: Annotated[
        int, typer.Option("--replication-factor", min=-1, help="Of topics that are created; -1: the target's default.")
    ] = -1,
    append: Annotated[
        bool, typer.Option("--append", help="Copy into topics that hold records of others already, behind them.")
    ] = False,
    refresh: Annotated[
        str, typer.Option("--refresh", metavar="TIME", help="How often to look for topics, settings and offsets.")
    ] = "5 s",
    commit_interval: Annotated[
        str, typer.Option("--commit-interval", metavar="TIME", help="How long a transaction gathers what comes.")
    ] = "500 ms",
    command_config: CommandConfig = None,
    to_config: Annotated[
        Path | None,
        typer.Option("--to-config", metavar="FILE", dir_okay=False, help="As --command-config, for the target."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Progress as one JSON object a line.")] = False,
) -> None:
    """Copy topics, their settings, records and group offsets to another cluster, exactly once."""
    from yeoul.cli.mirroring import Request, run

    request = Request(
        source=source,
        target=to,
        source_config=command_config,
        target_config=to_config,
        topics=topics or [],
        exclude=exclude or [],
        groups=None if no_groups else groups or [],
        rename=rename,
        mirror_id=mirror_id,
        once=once,
        rate=rate,
        replication_factor=replication_factor,
        refresh=refresh,
        commit_interval=commit_interval,
        append=append,
    )
    run(request, as_json=as_json)
