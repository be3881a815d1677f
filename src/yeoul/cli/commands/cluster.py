"""`yeoul cluster`."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import DEFAULT_BOOTSTRAP, Bootstrap, CommandConfig, Json, Properties, client_properties

__all__ = ["cluster"]


def cluster(
    apis: Annotated[
        bool, typer.Option("--apis", help="The requests that the broker serves, and their versions.")
    ] = False,
    as_json: Json = False,
    bootstrap_server: Bootstrap = DEFAULT_BOOTSTRAP,
    command_config: CommandConfig = None,
    properties: Properties = None,
) -> None:
    """Show a cluster's id, its brokers and its features."""
    from yeoul.cli.kafka import clusters
    from yeoul.cli.kafka.requests import Requests

    with Requests(bootstrap_server, client_properties(command_config, properties)) as requests:
        if apis:
            clusters.show_apis(requests, as_json=as_json)
        else:
            clusters.show(requests, as_json=as_json)
