"""`yeoul transactions list|describe|producers|find-hanging|abort`."""

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
    TopicArgument,
    client_properties,
    complete_topics,
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at transactions, find those that hang, and end them.")


@app.command("list", epilog="Example: yeoul transactions list --state Ongoing --open-for '5 min'")
def list_transactions(
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only in this, such as Ongoing; repeatable.")
    ] = None,
    producer_id: Annotated[
        list[int] | None, typer.Option("--producer-id", metavar="ID", help="Only of this; repeatable.")
    ] = None,
    open_for: Annotated[
        str | None, typer.Option("--open-for", metavar="DURATION", help="Only open for longer, such as '5 min'.")
    ] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """List transactional ids and the state of each."""
    from yeoul.cli.kafka import transactions
    from yeoul.cli.kafka.requests import Requests
    from yeoul.units import parse_duration_ms

    open_for_ms = None if open_for is None else parse_duration_ms(open_for)
    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        transactions.show_all(
            requests, states=state or [], producer_ids=producer_id or [], open_for_ms=open_for_ms, as_json=as_json
        )


@app.command("describe")
def describe(
    transactional_id: Annotated[str, typer.Argument(metavar="TRANSACTIONAL_ID", help="Which one.")],
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show one transactional id: its state, its producer, the partitions it has written to."""
    from yeoul.cli.kafka import transactions
    from yeoul.cli.kafka.requests import Requests

    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        transactions.describe(requests, transactional_id, as_json=as_json)


@app.command("producers")
def producers(
    topic: TopicArgument,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", "-p", min=0, help="Only this; repeatable.")
    ] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show the idempotent and transactional producers that a topic's partitions remember."""
    from yeoul.cli.kafka import transactions
    from yeoul.cli.kafka.requests import Requests

    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        transactions.describe_producers(requests, topic, partition or [], as_json=as_json)


@app.command("find-hanging", epilog="Example: yeoul transactions find-hanging --topic orders")
def find_hanging(
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic", "-t", metavar="TOPIC", help="Only in this; repeatable.", autocompletion=complete_topics
        ),
    ] = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="DURATION", help="Silent for at least so long.")
    ] = "15 min",
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Find transactions that a partition waits for and no coordinator knows of. Exit code 1 if there are any."""
    from yeoul.cli.kafka import transactions
    from yeoul.cli.kafka.requests import Requests
    from yeoul.units import parse_duration_ms

    older_than_ms = parse_duration_ms(older_than)
    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        count = transactions.find_hanging(requests, topic or [], older_than_ms=older_than_ms, as_json=as_json)
    if count:
        raise typer.Exit(1)


@app.command("abort", epilog="Example: yeoul transactions abort orders --partition 0 --start-offset 4711 --execute")
def abort(
    topic: TopicArgument,
    partition: Annotated[int, typer.Option("--partition", "-p", min=0, help="Which partition.")],
    start_offset: Annotated[int, typer.Option("--start-offset", min=0, help="Where the transaction began.")],
    execute: Execute = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Abort a transaction that hangs; a dry run unless --execute is given."""
    from yeoul.cli.kafka import transactions
    from yeoul.cli.kafka.requests import Requests

    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        transactions.abort(requests, topic, partition, start_offset, execute=execute)
