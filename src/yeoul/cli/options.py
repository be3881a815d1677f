"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DEFAULT_BOOTSTRAP",
    "DEFAULT_DATA_DIR",
    "DEFAULT_KAFKA_PORT",
    "AccessBootstrap",
    "AccessDataDir",
    "Bootstrap",
    "BrokerDataDir",
    "BrokerHost",
    "BrokerPort",
    "CommandConfig",
    "ConfigFile",
    "DataDir",
    "Execute",
    "GroupArgument",
    "Host",
    "Insecure",
    "Json",
    "KafkaPort",
    "Overrides",
    "Properties",
    "ReadyFile",
    "TopicArgument",
    "access_target",
    "client_properties",
    "complete_groups",
    "complete_topics",
    "parse_properties",
]

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
DEFAULT_DATA_DIR = Path("yeoul-data")
DEFAULT_KAFKA_PORT = 9092

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir", file_okay=False, envvar="YEOUL_DATA_DIR", help="Where topics are kept; made if missing."
    ),
]
Host = Annotated[str, typer.Option("--host", help="The address to listen on, and the one that clients are told.")]
KafkaPort = Annotated[
    int, typer.Option("--kafka-port", min=0, max=65535, help="The broker's port; 0 takes a free one.")
]
BrokerDataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        file_okay=False,
        envvar="YEOUL_DATA_DIR",
        show_default=str(DEFAULT_DATA_DIR),
        help="Where topics are kept; made if missing. (log.dirs)",
    ),
]
BrokerHost = Annotated[
    str | None,
    typer.Option("--host", show_default="127.0.0.1", help="The address to listen on, and the one clients are told."),
]
BrokerPort = Annotated[
    int | None,
    typer.Option(
        "--kafka-port",
        min=0,
        max=65535,
        show_default=str(DEFAULT_KAFKA_PORT),
        help="The broker's port; 0 takes a free one.",
    ),
]
"""None: what the configuration says counts, and what is shown as the default after it."""
ReadyFile = Annotated[
    Path | None, typer.Option("--ready-file", dir_okay=False, help="Write the addresses there as JSON, once ready.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        dir_okay=False,
        envvar="YEOUL_BROKER_CONFIG",
        help="The broker's settings under Kafka's names: a server.properties, or TOML.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", metavar="NAME=VALUE", help="One of the broker's settings; repeatable."),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow an address that other machines can reach; nobody has to log in.")
]

Bootstrap = Annotated[
    str,
    typer.Option(
        "--bootstrap-server",
        "-b",
        metavar="HOST:PORT",
        envvar="YEOUL_BOOTSTRAP_SERVER",
        help="A broker of the cluster; yeoul's own or any Kafka.",
    ),
]

Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property", "-X", metavar="KEY=VALUE", help="A client property, such as security.protocol=SSL; repeatable."
    ),
]

CommandConfig = Annotated[
    Path | None,
    typer.Option(
        "--command-config",
        metavar="FILE",
        dir_okay=False,
        envvar="YEOUL_COMMAND_CONFIG",
        help="Client properties as Kafka's own tools read them: security.protocol, sasl.jaas.config, ssl.*, ...",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table, for scripts.")]
Execute = Annotated[bool, typer.Option("--execute", help="Do it; without this, only show what would be done.")]


def _complete(kind: str, context: typer.Context, incomplete: str) -> list[str]:
    """Names that begin so, from the broker that the line names; nothing when it does not answer at once."""
    import contextlib

    with contextlib.suppress(Exception):
        from yeoul.cli.kafka.completion import names_of

        given = context.params
        bootstrap = str(given.get("bootstrap_server") or os.environ.get("YEOUL_BOOTSTRAP_SERVER") or DEFAULT_BOOTSTRAP)
        file = given.get("command_config") or os.environ.get("YEOUL_COMMAND_CONFIG")
        properties = client_properties(Path(file) if file else None, given.get("properties"))
        return [name for name in names_of(kind, bootstrap, properties) if name.startswith(incomplete)]
    return []


def complete_topics(ctx: typer.Context, incomplete: str) -> list[str]:
    """For the shell: topics."""
    return _complete("topics", ctx, incomplete)


def complete_groups(ctx: typer.Context, incomplete: str) -> list[str]:
    """For the shell: groups."""
    return _complete("groups", ctx, incomplete)


TopicArgument = Annotated[str, typer.Argument(metavar="TOPIC", help="Which topic.", autocompletion=complete_topics)]
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="Which group.", autocompletion=complete_groups)]


AccessDataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        file_okay=False,
        help="The directory of a stopped broker; made if missing.  [default: yeoul-data, if no broker is named]",
    ),
]
AccessBootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap-server", "-b", metavar="HOST:PORT", help="A running broker; yeoul's own or any Kafka."),
]


def access_target(
    data_dir: Path | None, bootstrap: str | None, command_config: Path | None, properties: list[str] | None
) -> Path | tuple[str, dict[str, str]]:
    """Returns a stopped broker's directory, or a running broker's address with client properties.

    Raises:
        UserError: Both are named, or a property cannot be used.
    """
    from yeoul.errors import UserError

    if bootstrap is not None:
        if data_dir is not None:
            raise UserError(
                "--data-dir and --bootstrap-server exclude each other",
                hint="The directory is for a stopped broker, the address for a running one.",
            )
        return bootstrap, client_properties(command_config, properties)
    return data_dir or Path(os.environ.get("YEOUL_DATA_DIR") or DEFAULT_DATA_DIR)


def client_properties(command_config: Path | None, given: list[str] | None) -> dict[str, str]:
    """Returns the properties that `--command-config` and `--property` give, the latter winning, in librdkafka's terms.

    Raises:
        UserError: A property cannot be used.
        EnvironmentFailure: A file cannot be read.
    """
    from yeoul.cli.kafka.properties import read_properties, translated

    written = read_properties(command_config) if command_config is not None else {}
    return translated(
        {name: value for name, value in written.items() if name != "bootstrap.servers"} | parse_properties(given)
    )


def parse_properties(given: list[str] | None, option: str = "--property") -> dict[str, str]:
    """Returns `KEY=VALUE` texts as a mapping.

    Raises:
        UserError: One has no `=` or no key.

    Example:
        >>> parse_properties(["acks=1", "client.id=a=b"])
        {'acks': '1', 'client.id': 'a=b'}
    """
    from yeoul.errors import UserError

    properties = {}
    for text in given or ():
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise UserError(
                f"{option} expects KEY=VALUE, got {text!r}", hint="Write name, '=' and value without spaces between."
            )
        properties[key.strip()] = value
    return properties
