"""Starts the demo's processes, keeps them running, and shows where to look.

The broker comes first; producers, jobs and page are then started one right after the other, so that their start-up
overlaps. All of them are tied to this process's life. What was written stays
in the data directory, and the next start goes on from there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from yeoul.demo.feed import Feed
from yeoul.demo.statements import ALERT_JOBS, WINDOW_JOBS
from yeoul.demo.terminal import show_until
from yeoul.supervise.children import broker_child
from yeoul.supervise.ready import write_ready_file
from yeoul.supervise.supervisor import ChildSpec, Supervisor

__all__ = ["DemoOptions", "run_demo"]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What can be chosen.

    Attributes:
        data_dir: Where the log and the jobs' late and dead rows are kept.
        rate: Clicks a second.
        seed: Of the clicks.
        host: The address to bind; loopback unless `insecure`.
        kafka_port: The broker's port, 0 for a free one.
        http_port: The page's port, 0 for a free one.
        web: Whether there is a page; else the terminal shows the same.
        ready_file: Where to write the addresses once everything is ready.
        insecure: Whether an address beyond loopback may be bound.
    """

    data_dir: Path
    rate: float
    seed: int
    host: str
    kafka_port: int
    http_port: int
    web: bool
    ready_file: Path | None
    insecure: bool


def run_demo(options: DemoOptions, console: Console) -> int:
    """Runs until Ctrl-C or SIGTERM; returns the exit code."""
    stop = threading.Event()
    views: list[threading.Thread] = []

    def ready(addresses: Mapping[str, str]) -> None:
        shown = {"kafka": addresses["kafka"]} | ({"http": addresses["http"]} if options.web else {})
        if options.ready_file is not None:
            write_ready_file(options.ready_file, shown)
        if options.web:
            _say_where(console, options, shown)
        else:
            views.append(_start_terminal(stop, addresses["kafka"], console))

    children = [
        broker_child(
            {
                "log.dirs": str(options.data_dir / "log"),
                "yeoul.host": options.host,
                "yeoul.port": str(options.kafka_port),
                "yeoul.insecure": str(options.insecure).lower(),
            }
        ),
        _producers(options),
        _jobs("alerts", options, ALERT_JOBS),
        _jobs("windows", options, WINDOW_JOBS),
        *([_web(options)] if options.web else []),
    ]
    try:
        return Supervisor(children, ready).run()
    finally:
        stop.set()
        for view in views:
            view.join()


def _say_where(console: Console, options: DemoOptions, addresses: Mapping[str, str]) -> None:
    console.print(f"[bold cyan]yeoul demo[/]  {options.rate:,.0f} clicks a second, and this machine's own pulse")
    console.print(f"  page   [bold]{addresses['http']}[/]")
    console.print(f"  kafka  {addresses['kafka']}   try: yeoul consume clicks --bootstrap-server {addresses['kafka']}")
    console.print(f"  data   {options.data_dir}   (kept: the next start goes on from here)")
    console.print("  Ctrl-C stops")


def _start_terminal(stop: threading.Event, bootstrap: str, console: Console) -> threading.Thread:
    def show() -> None:
        feed = Feed(bootstrap)
        feed.start()
        try:
            show_until(stop, feed, console)
        finally:
            feed.close()

    thread = threading.Thread(target=show, name="demo-terminal", daemon=True)
    thread.start()
    return thread


def _producers(options: DemoOptions) -> ChildSpec:
    def command(addresses: Mapping[str, str], ready_file: Path) -> Sequence[str]:
        call = ["yeoul.demo.producers", "--bootstrap", addresses["kafka"]]
        return [*call, "--rate", str(options.rate), "--seed", str(options.seed)]

    return ChildSpec("producers", "", command)


def _jobs(name: str, options: DemoOptions, jobs: Iterable[str]) -> ChildSpec:
    def command(addresses: Mapping[str, str], ready_file: Path) -> Sequence[str]:
        call = ["yeoul.demo.jobs", "--bootstrap", addresses["kafka"]]
        return [*call, "--state-dir", str(options.data_dir / "jobs"), *jobs]

    return ChildSpec(name, "", command)


def _web(options: DemoOptions) -> ChildSpec:
    def command(addresses: Mapping[str, str], ready_file: Path) -> Sequence[str]:
        port = addresses["http"].rpartition(":")[2] if "http" in addresses else str(options.http_port)
        call = ["yeoul.demo.web", "--bootstrap", addresses["kafka"], "--host", options.host, "--port", port]
        return [*call, "--ready-file", str(ready_file)]

    return ChildSpec("page", "http", command)
