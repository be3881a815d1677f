"""`yeoul demo`: the tour itself lives in `yeoul.demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yeoul.cli.options import Host, Insecure, KafkaPort, ReadyFile

__all__ = ["demo"]

_DATA_DIR = Path("yeoul-demo")


def demo(
    rate: Annotated[float, typer.Option("--rate", min=1, help="Clicks a second.")] = 20_000,
    web: Annotated[bool, typer.Option("--web/--no-web", help="A page, or the same in this terminal.")] = True,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", file_okay=False, help="Kept between runs: the next start goes on from there.")
    ] = _DATA_DIR,
    host: Host = "127.0.0.1",
    kafka_port: KafkaPort = 0,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the clicks.")] = 1,
    ready_file: ReadyFile = None,
    insecure: Insecure = False,
) -> None:
    """Watch live answers over live events: broker, producers, SQL jobs and a page."""
    from rich.console import Console

    from yeoul.demo.run import DemoOptions, run_demo

    options = DemoOptions(
        data_dir=data_dir,
        rate=rate,
        seed=seed,
        host=host,
        kafka_port=kafka_port,
        http_port=http_port,
        web=web,
        ready_file=ready_file,
        insecure=insecure,
    )
    raise typer.Exit(run_demo(options, Console()))
