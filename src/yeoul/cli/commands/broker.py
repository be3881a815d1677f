"""`yeoul broker`: the log alone, in this process."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from yeoul.cli.options import DEFAULT_DATA_DIR, DataDir, Host, Insecure, KafkaPort, ReadyFile

__all__ = ["broker"]


def broker(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    host: Host = "127.0.0.1",
    kafka_port: KafkaPort = 9092,
    partitions: Annotated[
        int, typer.Option("--partitions", min=1, help="Partitions of topics that are created without saying how many.")
    ] = 1,
    auto_create: Annotated[
        bool,
        typer.Option(
            "--auto-create-topics/--no-auto-create-topics", help="Whether asking for an unknown topic creates it."
        ),
    ] = True,
    flush: Annotated[
        Literal["commit", "interval", "os"],
        typer.Option(help="When a write is acknowledged: on the disk, soon on the disk, or left to the system."),
    ] = "commit",
    ready_file: ReadyFile = None,
    insecure: Insecure = False,
) -> None:
    """Run the Kafka-protocol broker until Ctrl-C."""
    import logging

    from yeoul.broker.config import BrokerConfig
    from yeoul.broker.process import run_broker
    from yeoul.supervise.ready import write_ready_file

    def announce(address: tuple[str, int]) -> None:
        kafka = f"{address[0]}:{address[1]}"
        if ready_file is not None:
            write_ready_file(ready_file, {"kafka": kafka})
        print(f"yeoul broker is up: kafka {kafka} (Ctrl-C stops)", flush=True)

    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    config = BrokerConfig(
        data_dir,
        host,
        kafka_port,
        flush=flush,
        num_partitions=partitions,
        auto_create_topics=auto_create,
        insecure=insecure,
    )
    run_broker(config, announce)
