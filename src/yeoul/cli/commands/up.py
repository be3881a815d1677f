"""`yeoul up`: the broker and the web page, kept running together."""

from __future__ import annotations

from typing import Annotated

import typer

from yeoul.cli.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_KAFKA_PORT,
    BrokerDataDir,
    BrokerHost,
    BrokerPort,
    ConfigFile,
    Insecure,
    Overrides,
    ReadyFile,
)

__all__ = ["up"]


def up(
    data_dir: BrokerDataDir = None,
    host: BrokerHost = None,
    kafka_port: BrokerPort = None,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="The web page's port; 0 takes a free one.")] = 8080,
    config: ConfigFile = None,
    overrides: Overrides = None,
    ready_file: ReadyFile = None,
    insecure: Insecure = False,
) -> None:
    """Run the broker and the web page until Ctrl-C."""
    import os
    from collections.abc import Mapping

    from yeoul.broker.configuration.effective import Given, gather, make_config
    from yeoul.cli.options import parse_properties
    from yeoul.supervise.children import broker_child, web_child
    from yeoul.supervise.ready import write_ready_file
    from yeoul.supervise.supervisor import Supervisor

    def announce(addresses: Mapping[str, str]) -> None:
        if ready_file is not None:
            write_ready_file(ready_file, addresses)
        print(f"yeoul is up: kafka {addresses['kafka']}, web {addresses['http']} (Ctrl-C stops)", flush=True)

    flags = {name: Given(text, "--override") for name, text in parse_properties(overrides, "--override").items()}
    for flag, name, value in (
        ("--data-dir", "log.dirs", data_dir),
        ("--host", "yeoul.host", host),
        ("--kafka-port", "yeoul.port", kafka_port),
        ("--insecure", "yeoul.insecure", "true" if insecure else None),
    ):
        if value is not None:
            flags[name] = Given(str(value), flag)
    # What is wrong with a setting is told here, not by a child that does not start.
    make_config(gather(flags, os.environ, config), DEFAULT_DATA_DIR, DEFAULT_KAFKA_PORT)
    texts = {name: given.text for name, given in flags.items()}
    broker = broker_child(
        texts, config, default_data_dir=DEFAULT_DATA_DIR, default_port=DEFAULT_KAFKA_PORT, environment=True
    )
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    raise typer.Exit(Supervisor([broker, web_child(host or "127.0.0.1", http_port)], announce).run())
