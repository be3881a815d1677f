"""`yeoul configs describe|alter`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_BOOTSTRAP,
    Bootstrap,
    CommandConfig,
    Json,
    Properties,
    client_properties,
    parse_properties,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show and change settings of topics, brokers, groups and loggers.")


class Kind(StrEnum):
    """What has settings."""

    TOPIC = "topic"
    BROKER = "broker"
    GROUP = "group"
    LOGGER = "logger"


KindArgument = Annotated[Kind, typer.Argument(metavar="KIND", help="topic, broker, group or logger.")]
NameArgument = Annotated[
    str, typer.Argument(metavar="[NAME]", help="Which one; a broker's number, or nothing for all brokers.")
]


@app.command("describe", epilog="Example: yeoul configs describe topic clicks --all --details")
def describe(
    kind: KindArgument,
    name: NameArgument = "",
    everything: Annotated[bool, typer.Option("--all", help="Defaults as well.")] = False,
    details: Annotated[bool, typer.Option("--details", help="Type, meaning, and what lies beneath each.")] = False,
    key: Annotated[list[str] | None, typer.Option("--key", metavar="KEY", help="Only this; repeatable.")] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show settings, and where each value comes from."""
    from yeoul.cli.kafka import configs
    from yeoul.cli.kafka.requests import Requests

    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        configs.describe(
            requests, kind.value, name, everything=everything, details=details, keys=key or [], as_json=as_json
        )


@app.command("alter", epilog="Example: yeoul configs alter topic clicks --set retention.ms=3600000")
def alter(
    kind: KindArgument,
    name: NameArgument = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Give it this value; repeatable.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", metavar="KEY", help="Back to the default; repeatable.")
    ] = None,
    append: Annotated[
        list[str] | None, typer.Option("--append", metavar="KEY=VALUE", help="Add to a list; repeatable.")
    ] = None,
    subtract: Annotated[
        list[str] | None, typer.Option("--subtract", metavar="KEY=VALUE", help="Take from a list; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask the broker whether it would, without doing it.")
    ] = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Change settings; all of them, or none when the broker refuses one."""
    from yeoul.cli.kafka import configs
    from yeoul.cli.kafka.requests import Requests

    changes: dict[str, list[tuple[str, str | None]]] = {
        "set": list(parse_properties(set_, "--set").items()),
        "delete": [(key, None) for key in delete or ()],
        "append": list(parse_properties(append, "--append").items()),
        "subtract": list(parse_properties(subtract, "--subtract").items()),
    }
    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        configs.alter(requests, kind.value, name, changes, validate_only=dry_run)
