"""`yeoul verify produce|consume`."""

from __future__ import annotations

from pathlib import Path
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
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Numbered records: is all that was acknowledged there, once, and in order?"
)

Ledger = Annotated[
    Path | None,
    typer.Option(
        "--ledger", metavar="FILE", dir_okay=False, help="Where acknowledgements are written to, or held against."
    ),
]


@app.command("produce", epilog="Example: yeoul verify produce t -n 100000 --run r1 --ledger acks.txt")
def produce(
    topic: TopicArgument,
    records: Annotated[int, typer.Option("--records", "-n", min=1, help="How many.")] = 10_000,
    rate: Annotated[float | None, typer.Option("--rate", min=0.1, help="Records a second at most.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="What to call this run; made up by default.")] = None,
    ledger: Ledger = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Send numbered records. Exit code 1 unless all were acknowledged."""
    from yeoul.cli.kafka import verifying
    from yeoul.errors import UserError

    if run is not None and (not run or any(one.isspace() for one in run)):
        raise UserError(f"Expected a run's name without spaces, got {run!r}")
    client = client_properties(command_config, properties)
    complete = verifying.produce(
        bootstrap_server, client, topic, records=records, rate=rate, run=run, ledger=ledger, as_json=as_json
    )
    if not complete:
        raise typer.Exit(1)


@app.command("consume", epilog="Example: yeoul verify consume t --run r1 --ledger acks.txt")
def consume(
    topic: TopicArgument,
    run: Annotated[str, typer.Option("--run", help="What `verify produce` called the run.")],
    records: Annotated[
        int | None, typer.Option("--records", "-n", min=1, help="How many it sent, where there is no ledger.")
    ] = None,
    ledger: Ledger = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Read a topic to its end and look for records that are lost, doubled or out of order. Exit code 1 if any are."""
    from yeoul.cli.kafka import verifying

    client = client_properties(command_config, properties)
    sound = verifying.consume(bootstrap_server, client, topic, run=run, records=records, ledger=ledger, as_json=as_json)
    if not sound:
        raise typer.Exit(1)
