"""The progress of running INSERTs, on stderr: one line a job, redrawn at a terminal, else repeated now and then."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from yeoul.cli.rendering.progress import RateMeter, progress_line
from yeoul.clock import SYSTEM_CLOCK
from yeoul.jobs.job import Job

__all__ = ["watch"]

_REDRAW_S = 0.2
_REPEAT_S = 5.0


def watch(jobs: Sequence[Job]) -> None:
    """Shows the jobs' progress until all have ended; Ctrl-C cancels them.

    Raises:
        YeoulError: A job failed; the others are cancelled.
        KeyboardInterrupt: After the jobs are cancelled.
    """
    meters = {job: RateMeter() for job in jobs}
    try:
        console = Console(stderr=True)
        if console.is_terminal and not console.is_dumb_terminal:
            _watch_live(jobs, meters, console)
        else:
            _watch_plain(jobs, meters)
    finally:
        for job in jobs:
            job.cancel()


def _watch_live(jobs: Sequence[Job], meters: dict[Job, RateMeter], console: Console) -> None:
    with Live(console=console, auto_refresh=False) as live:
        try:
            while not _ended(jobs, _REDRAW_S):
                live.update(_drawn(jobs, meters), refresh=True)
        finally:
            for job in jobs:
                job.cancel()
            live.update(_drawn(jobs, meters), refresh=True)


def _watch_plain(jobs: Sequence[Job], meters: dict[Job, RateMeter]) -> None:
    try:
        while not _ended(jobs, _REPEAT_S):
            _print_lines(jobs, meters)
    finally:
        for job in jobs:
            job.cancel()
        _print_lines(jobs, meters)


def _ended(jobs: Sequence[Job], timeout_s: float) -> bool:
    """Waits a while for the first job that still runs; tells whether all have ended."""
    running = [job for job in jobs if not job.wait(0)]
    return not running or (running[0].wait(timeout_s) and len(running) == 1)


def _drawn(jobs: Sequence[Job], meters: dict[Job, RateMeter]) -> Group:
    return Group(*(Text(line) for line in _lines(jobs, meters)))


def _print_lines(jobs: Sequence[Job], meters: dict[Job, RateMeter]) -> None:
    for line in _lines(jobs, meters):
        print(line, file=sys.stderr, flush=True)


def _lines(jobs: Sequence[Job], meters: dict[Job, RateMeter]) -> list[str]:
    now_s = SYSTEM_CLOCK.monotonic_s()
    return [progress_line(job.name, job.status.value, job.progress(), meters[job], now_s) for job in jobs]
