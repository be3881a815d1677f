"""`yeoul perf produce|consume`."""

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
)

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Measure how fast a cluster takes records and gives them back.")


@app.command("produce", epilog="Example: yeoul perf produce t -n 1000000 --size 100 -X compression.type=lz4")
def produce(
    topic: TopicArgument,
    records: Annotated[int, typer.Option("--records", "-n", min=1, help="How many.")] = 100_000,
    size: Annotated[str, typer.Option("--size", metavar="SIZE", help="Of each, such as 100 or '1 kb'.")] = "100",
    rate: Annotated[float | None, typer.Option("--rate", min=0.1, help="Records a second at most.")] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Send random records; tell the rate, and how long acknowledgements took."""
    from yeoul.cli.kafka import perf
    from yeoul.units import parse_size_bytes

    client = client_properties(command_config, properties)
    size_bytes = parse_size_bytes(size)
    perf.produce(bootstrap_server, client, topic, records=records, size_bytes=size_bytes, rate=rate, as_json=as_json)


@app.command("consume", epilog="Example: yeoul perf consume t -n 1000000")
def consume(
    topic: TopicArgument,
    records: Annotated[
        int | None, typer.Option("--records", "-n", min=1, help="How many; by default all that are there.")
    ] = None,
    group: Annotated[str | None, typer.Option("--group", "-g", help="Read as a member of this; needs -n.")] = None,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Read a topic from its beginning; tell the rate."""
    from yeoul.cli.kafka import perf
    from yeoul.errors import UserError

    if group is not None and records is None:
        raise UserError("A group's reading has no end", hint="Say how many records: --records N.")
    client = client_properties(command_config, properties)
    perf.consume(bootstrap_server, client, topic, records=records, group=group, as_json=as_json)
