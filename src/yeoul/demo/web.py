"""The demo's page: one look at everything that happens between `produce()` and the answers.

`python -m yeoul.demo.web --bootstrap HOST:PORT --port 8080 [--ready-file F]`
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from nicegui import ui

from yeoul.clock import SYSTEM_CLOCK
from yeoul.console import charts, theme
from yeoul.console.server import serve
from yeoul.demo.board import Board
from yeoul.demo.clickstream import ACTIONS
from yeoul.demo.feed import Feed
from yeoul.units import format_count

__all__ = ["Page"]

_REFRESH_S = 0.5


class Page:
    """The elements of one visitor's page; `show` draws a board on them."""

    def __init__(self) -> None:
        theme.apply()
        self._live = theme.header("clicks through a Kafka-protocol log, windowed SQL over them, answers as they come")
        with ui.element("div").classes("y-tiles"):
            self._rate = theme.Tile("events a second")
            self._users = theme.Tile("unique users")
            self._latency = theme.Tile("produce to answer, p50")
            self._tail = theme.Tile("p99")
            self._late = theme.Tile("late rows")
            self._dead = theme.Tile("dead rows")
        with ui.element("div").classes("y-grid"):
            self._build_charts()
            self._build_tables()

    def _build_charts(self) -> None:
        with theme.panel("Events and unique users, one-second windows", 6):
            self._traffic = charts.Lines(("events", "users"))
        with theme.panel("Actions, five-second windows", 6):
            self._actions = charts.StackedBars()
        with theme.panel("Busiest pages of the last minute", 4):
            self._pages = charts.Bars()
        with theme.panel("This machine: processor and memory, percent", 4):
            self._host = charts.Lines(("processor", "memory"), maximum=100)
        with theme.panel("This machine: disk and network, MB/s", 4):
            self._flow = charts.Lines(("disk", "network"))

    def _build_tables(self) -> None:
        with theme.panel("Jobs, their partitions, watermarks and lag", 6):
            columns = ("job", "partition", "watermark (UTC)", "#behind now", "#lag", "#rows/s", "#rows in", "#rows out")
            self._jobs = theme.Table(columns, "The jobs have not reported yet")
        with theme.panel("Slow requests, each answered as it arrives", 6):
            self._slow = theme.Table(("user", "action", "page", "#latency ms"), "None yet")
        with theme.panel("Late rows: they came after their window had fired", 6):
            self._late_rows = theme.Table(("row",), "None yet")
        with theme.panel("Dead rows: they are not what the table declares", 6):
            self._dead_rows = theme.Table(("reason", "record"), "None yet")

    def show(self, board: Board, now_ms: int) -> None:
        """Draws the board as it stands."""
        self._live.set_text(datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%H:%M:%S UTC"))
        self._show_tiles(board, now_ms)
        self._show_charts(board)
        self._show_tables(board, now_ms)

    def _show_tiles(self, board: Board, now_ms: int) -> None:
        if board.traffic:
            last = board.traffic[-1]
            self._rate.show(f"{last.events:,}", f"{last.purchases:,} purchases in that second")
            self._users.show(f"{last.users:,}", "within one second")
        latency = board.latency(now_ms)
        if latency is not None:
            self._latency.show(f"{latency.p50_ms:,.0f} ms", f"{latency.count:,} answers in 15 s")
            self._tail.show(f"{latency.p99_ms:,.0f} ms", "in the reader's hand")
        else:
            self._latency.show("-", "no answer in 15 s")
            self._tail.show("-")
        self._late.show(f"{board.late:,}", "once per window missed")
        self._dead.show(f"{board.dead:,}", "kept in clicks$dead")

    def _show_charts(self, board: Board) -> None:
        self._traffic.show(
            [row.window_end[11:19] for row in board.traffic],
            ([row.events for row in board.traffic], [row.users for row in board.traffic]),
        )
        windows = board.action_windows
        self._actions.show(
            [end[11:19] for end, _ in windows],
            {name: [rows[name].events if name in rows else 0 for _, rows in windows] for name in ACTIONS},
        )
        pages = board.top_pages
        self._pages.show([page for page, _ in pages], [events for _, events in pages])
        times = [row.window_end[11:19] for row in board.host]
        self._host.show(
            times, ([_round(r.cpu_percent) for r in board.host], [_round(r.memory_percent) for r in board.host])
        )
        self._flow.show(times, ([_round(r.disk_mb_s) for r in board.host], [_round(r.net_mb_s) for r in board.host]))

    def _show_tables(self, board: Board, now_ms: int) -> None:
        self._jobs.show(
            [
                (
                    job.job,
                    split.name,
                    _clock(split.watermark_ms),
                    "-" if split.watermark_ms is None else f"{(now_ms - split.watermark_ms) / 1000:.1f} s",
                    "-" if split.lag is None else f"{split.lag:,}",
                    format_count(board.rows_per_second(job.job)),
                    format_count(job.rows_in),
                    format_count(job.rows_out),
                )
                for job in sorted(board.jobs.values(), key=lambda job: job.job)
                for split in job.splits
            ]
        )
        self._slow.show(
            [(r.user_id or "-", r.action or "-", r.page or "-", f"{r.latency_ms:,.0f}") for r in board.slow_requests][
                ::-1
            ]
        )
        jobs = board.jobs.values()
        self._late_rows.show([(row,) for job in jobs for row in job.late_samples][:5])
        self._dead_rows.show(
            [
                (sample.reason, sample.text)
                for sample in next((job.dead_samples for job in jobs if job.dead_samples), [])
            ]
        )


def _round(value: float) -> float:
    return round(value, 2)


def _clock(at_ms: int | None) -> str:
    return "-" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def main() -> None:
    """Serves the page until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Serves the demo's page.")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready-file", type=Path)
    options = parser.parse_args()
    feed = Feed(options.bootstrap)
    feed.start()

    def page() -> None:
        view = Page()

        def refresh() -> None:
            with feed.lock:
                view.show(feed.board, SYSTEM_CLOCK.now_ms())

        refresh()
        ui.timer(_REFRESH_S, refresh)

    serve(
        page,
        title="yeoul demo",
        host=options.host,
        port=options.port,
        ready_file=options.ready_file,
        on_stop=feed.close,
    )


if __name__ == "__main__":
    main()
