"""`yeoul demo`: the tour, as `yeoul.demo` gives it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from yeoul.cli.options import Host, Insecure, KafkaPort, ReadyFile

__all__ = ["demo"]


def _default_data_dir() -> Path:
    """The user's own data directory, as the XDG base directory specification names it."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "yeoul" / "demo"


def demo(
    rate: Annotated[float, typer.Option(min=1, max=1_000_000, help="Clicks a second, on average.")] = 20_000,
    web: Annotated[bool, typer.Option("--web/--no-web", help="A page, or the same in this terminal.")] = True,
    data_dir: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where everything is kept; by default below your home.")
    ] = None,
    host: Host = "127.0.0.1",
    kafka_port: KafkaPort = 9092,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="The web page's port; 0 takes a free one.")] = 8080,
    seed: Annotated[int, typer.Option(help="Of the clicks: equal seeds, equal visitors.")] = 7,
    ready_file: ReadyFile = None,
    insecure: Insecure = False,
) -> None:
    """Watch live answers over live events: broker, producers, SQL jobs and a page."""
    from rich.console import Console

    from yeoul.demo.run import DemoOptions, run_demo

    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    options = DemoOptions(
        data_dir=data_dir or _default_data_dir(),
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
