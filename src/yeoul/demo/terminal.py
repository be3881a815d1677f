"""The demo in a terminal: the same board as the page, drawn with Rich, four times a second."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.demo.board import Board
from yeoul.demo.feed import Feed
from yeoul.units import format_count

__all__ = ["render", "show_until"]

_REFRESH_S = 0.25
_BLOCKS = " ▁▂▃▄▅▆▇█"


def show_until(stop: threading.Event, feed: Feed, console: Console, clock: Clock = SYSTEM_CLOCK) -> None:
    """Draws the feed's board until `stop` is set.

    Without a terminal (output to a file or a pipe) one line every five seconds is printed instead.
    """
    if not console.is_terminal:
        while not stop.wait(5):
            with feed.lock:
                console.print(_line(feed.board, clock.now_ms()), highlight=False)
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not stop.wait(_REFRESH_S):
            with feed.lock:
                picture = render(feed.board, clock.now_ms(), console.width)
            live.update(picture, refresh=True)


def render(board: Board, now_ms: int, width: int) -> RenderableType:
    """Returns the whole screen for a board as it stands; `width` in characters."""
    return Group(
        _numbers(board, now_ms),
        Panel(
            _sparkline([row.events for row in board.traffic], width - 4), title="events a second", title_align="left"
        ),
        Columns([_actions(board), _pages(board), _slow_requests(board)], padding=(0, 3)),
        _jobs(board, now_ms),
        _dead_rows(board),
    )


def _numbers(board: Board, now_ms: int) -> Text:
    last = board.traffic[-1] if board.traffic else None
    latency = board.latency(now_ms)
    parts = [
        ("events/s", f"{last.events:,}" if last else "-"),
        ("unique users", f"{last.users:,}" if last else "-"),
        ("produce to answer p50", f"{latency.p50_ms:,.0f} ms" if latency else "-"),
        ("p99", f"{latency.p99_ms:,.0f} ms" if latency else "-"),
        ("late", f"{board.late:,}"),
        ("dead", f"{board.dead:,}"),
    ]
    text = Text("yeoul  ", style="bold cyan")
    for label, value in parts:
        text.append(f"{label} ", style="dim").append(f"{value}   ", style="bold")
    return text


def _line(board: Board, now_ms: int) -> str:
    return _numbers(board, now_ms).plain.rstrip()


def _sparkline(values: list[int], width: int) -> str:
    """Returns the newest values as bars, the highest filling its cell.

    Example:
        >>> _sparkline([0, 5, 10], 80)
        ' ▄█'
    """
    shown = values[-max(width, 1) :]
    top = max(shown, default=0) or 1
    return "".join(_BLOCKS[value * (len(_BLOCKS) - 1) // top] for value in shown)


def _actions(board: Board) -> Table:
    windows = board.action_windows
    end, rows = windows[-1] if windows else ("", {})
    table = Table(title=f"actions until {end[11:19]}", box=None, title_justify="left", padding=(0, 1))
    table.add_column("action")
    table.add_column("events", justify="right")
    table.add_column("avg ms", justify="right")
    for row in sorted(rows.values(), key=lambda row: -row.events):
        average = "-" if row.avg_latency_ms is None else f"{row.avg_latency_ms:.1f}"
        table.add_row(row.action, f"{row.events:,}", average)
    return table


def _pages(board: Board) -> Table:
    table = Table(title="busiest pages, last minute", box=None, title_justify="left", padding=(0, 1))
    table.add_column("page")
    table.add_column("events", justify="right")
    for page, events in board.top_pages:
        table.add_row(page, f"{events:,}")
    return table


def _slow_requests(board: Board) -> Table:
    table = Table(title="slow requests", box=None, title_justify="left", padding=(0, 1))
    for name in ("user", "action", "page"):
        table.add_column(name)
    table.add_column("ms", justify="right")
    for row in reversed(board.slow_requests):
        table.add_row(row.user_id or "-", row.action or "-", row.page or "-", f"{row.latency_ms:,.0f}")
    return table


def _jobs(board: Board, now_ms: int) -> Table:
    table = Table(title="jobs", box=None, title_justify="left", padding=(0, 1))
    for name in ("job", "partition", "watermark (UTC)"):
        table.add_column(name)
    for name in ("behind now", "lag", "rows/s", "rows in", "rows out"):
        table.add_column(name, justify="right")
    for job in sorted(board.jobs.values(), key=lambda job: job.job):
        for split in job.splits:
            at = split.watermark_ms
            table.add_row(
                job.job,
                split.name,
                "-" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S.%f")[:-3],
                "-" if at is None else f"{(now_ms - at) / 1000:.1f} s",
                "-" if split.lag is None else f"{split.lag:,}",
                format_count(board.rows_per_second(job.job)),
                format_count(job.rows_in),
                format_count(job.rows_out),
            )
    return table


def _dead_rows(board: Board) -> Table:
    table = Table(title="dead rows", box=None, title_justify="left", padding=(0, 1))
    table.add_column("reason")
    table.add_column("record", no_wrap=True, overflow="ellipsis", max_width=80)
    for sample in next((job.dead_samples for job in board.jobs.values() if job.dead_samples), []):
        table.add_row(Text(sample.reason), Text(sample.text))
    return table
