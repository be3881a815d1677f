"""What the page and the terminal view show: a pure fold over the records of the result topics.

`Board.add` takes one record of one topic; the properties give what is to be drawn, newest last. Everything is bounded:
the board remembers two minutes and no more. The web page and the terminal draw the same board.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import msgspec

from yeoul.demo import reports, topics

__all__ = ["Board", "Latency", "percentile"]

Row = (
    reports.ActionsRow
    | reports.TrafficRow
    | reports.PagesRow
    | reports.SlowRequestRow
    | reports.HostRow
    | reports.JobReport
)

_SECONDS_SHOWN = 120
_ACTION_WINDOWS_SHOWN = 24
_PAGES_SHOWN = 8
_LATENCIES_KEPT = 4_000
_LATENCY_SPAN_MS = 15_000
_SLOW_REQUESTS_SHOWN = 8

_DECODERS: dict[str, msgspec.json.Decoder[Row]] = {
    topics.ACTIONS_BY_WINDOW.name: msgspec.json.Decoder(reports.ActionsRow),
    topics.TRAFFIC.name: msgspec.json.Decoder(reports.TrafficRow),
    topics.TOP_PAGES.name: msgspec.json.Decoder(reports.PagesRow),
    topics.SLOW_REQUESTS.name: msgspec.json.Decoder(reports.SlowRequestRow),
    topics.HOST_BY_WINDOW.name: msgspec.json.Decoder(reports.HostRow),
    topics.JOB_PROGRESS.name: msgspec.json.Decoder(reports.JobReport),
}


@dataclass(frozen=True, slots=True)
class Latency:
    """From `produce()` to the answer in the reader's hand, in milliseconds, over the last 15 seconds."""

    p50_ms: float
    p99_ms: float
    count: int


def percentile(values: list[float], share: float) -> float:
    """Returns the nearest-rank percentile of values that are not empty.

    Example:
        >>> percentile([3.0, 1.0, 2.0], 0.5), percentile([3.0, 1.0, 2.0], 0.99)
        (2.0, 3.0)
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


@dataclass(slots=True)
class Board:
    """The state of the page."""

    traffic: deque[reports.TrafficRow] = field(default_factory=lambda: deque(maxlen=_SECONDS_SHOWN))
    host: deque[reports.HostRow] = field(default_factory=lambda: deque(maxlen=_SECONDS_SHOWN // 2))
    slow_requests: deque[reports.SlowRequestRow] = field(default_factory=lambda: deque(maxlen=_SLOW_REQUESTS_SHOWN))
    jobs: dict[str, reports.JobReport] = field(default_factory=dict)
    unreadable: int = 0
    _earlier: dict[str, reports.JobReport] = field(default_factory=dict)
    _actions: dict[str, dict[str, reports.ActionsRow]] = field(default_factory=dict)
    _pages_at: str = ""
    _pages: dict[str, int] = field(default_factory=dict)
    _latencies: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_LATENCIES_KEPT))

    def add(self, topic: str, value: bytes, arrived_ms: int, *, is_live: bool = True) -> None:
        """Takes one record; what cannot be read is counted.

        Args:
            topic: The topic's name.
            value: The record's value.
            arrived_ms: When the reader had it in hand, ms since 1970.
            is_live: False for records read again from an earlier time: they say nothing about latency.
        """
        try:
            row = _DECODERS[topic].decode(value)
        except (KeyError, msgspec.DecodeError):
            self.unreadable += 1
            return
        match row:
            case reports.TrafficRow():
                self.traffic.append(row)
            case reports.ActionsRow():
                self._add_action(row)
            case reports.PagesRow():
                self._add_page(row)
            case reports.HostRow():
                self.host.append(row)
            case reports.SlowRequestRow():
                self.slow_requests.append(row)
                if is_live:
                    self._latencies.append((arrived_ms, arrived_ms - reports.epoch_ms(row.produced_at)))
            case reports.JobReport():
                self._add_report(row)

    def _add_report(self, row: reports.JobReport) -> None:
        if row.job in self.jobs:
            self._earlier[row.job] = self.jobs[row.job]
        self.jobs[row.job] = row

    def _add_action(self, row: reports.ActionsRow) -> None:
        self._actions.setdefault(row.window_end, {})[row.action] = row
        while len(self._actions) > _ACTION_WINDOWS_SHOWN:
            del self._actions[min(self._actions)]

    def _add_page(self, row: reports.PagesRow) -> None:
        if row.window_end > self._pages_at:
            self._pages_at, self._pages = row.window_end, {}
        if row.window_end == self._pages_at:
            self._pages[row.page] = row.events

    @property
    def action_windows(self) -> list[tuple[str, dict[str, reports.ActionsRow]]]:
        """The last windows with their rows by action, in order of time."""
        return sorted(self._actions.items())

    @property
    def top_pages(self) -> list[tuple[str, int]]:
        """The busiest pages of the newest one-minute window, busiest first."""
        return sorted(self._pages.items(), key=lambda page: (-page[1], page[0]))[:_PAGES_SHOWN]

    def latency(self, now_ms: int) -> Latency | None:
        """Returns the latency of the last 15 seconds, None if nothing was answered in them."""
        recent = [latency for at_ms, latency in self._latencies if at_ms > now_ms - _LATENCY_SPAN_MS]
        return Latency(percentile(recent, 0.5), percentile(recent, 0.99), len(recent)) if recent else None

    def rows_per_second(self, job: str) -> float:
        """Returns a job's input rate between its last two reports, 0 before there are two."""
        now, before = self.jobs.get(job), self._earlier.get(job)
        if now is None or before is None or now.at_ms <= before.at_ms or now.rows_in < before.rows_in:
            return 0.0
        return (now.rows_in - before.rows_in) * 1000 / (now.at_ms - before.at_ms)

    @property
    def late(self) -> int:
        """Late rows of all jobs together."""
        return sum(job.late for job in self.jobs.values())

    @property
    def dead(self) -> int:
        """The most dead rows that one job met: all jobs that read the clicks meet the same ones."""
        return max((job.dead for job in self.jobs.values()), default=0)
