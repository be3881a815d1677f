"""`yeoul up`: the broker and the web page, kept running together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yeoul.cli.options import DEFAULT_DATA_DIR, DataDir, Host, Insecure, KafkaPort, ReadyFile

__all__ = ["up"]


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    host: Host = "127.0.0.1",
    kafka_port: KafkaPort = 9092,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="The web page's port; 0 takes a free one.")] = 8080,
    ready_file: ReadyFile = None,
    insecure: Insecure = False,
) -> None:
    """Run the broker and the web page until Ctrl-C."""
    from collections.abc import Mapping

    from yeoul.supervise.children import broker_child, web_child
    from yeoul.supervise.ready import write_ready_file
    from yeoul.supervise.supervisor import Supervisor

    def announce(addresses: Mapping[str, str]) -> None:
        if ready_file is not None:
            write_ready_file(ready_file, addresses)
        print(f"yeoul is up: kafka {addresses['kafka']}, web {addresses['http']} (Ctrl-C stops)", flush=True)

    broker = broker_child(Path(data_dir), host, kafka_port, insecure=insecure)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    raise typer.Exit(Supervisor([broker, web_child(host, http_port)], announce).run())
