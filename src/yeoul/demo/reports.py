"""The records on the demo's topics, as the page reads them: the jobs' answers, and what they say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

__all__ = [
    "ActionsRow",
    "DeadSample",
    "HostRow",
    "JobReport",
    "PagesRow",
    "SlowRequestRow",
    "SplitReport",
    "TrafficRow",
    "epoch_ms",
]


class ActionsRow(msgspec.Struct, frozen=True):
    """`actions-by-window`: how often an action happened within five seconds."""

    window_end: str
    action: str
    events: int
    avg_latency_ms: float | None


class TrafficRow(msgspec.Struct, frozen=True):
    """`traffic`: one second of the shop."""

    window_end: str
    events: int
    users: int
    purchases: int


class PagesRow(msgspec.Struct, frozen=True):
    """`pages-by-window`: a page's views within the last minute, every five seconds."""

    window_end: str
    page: str
    events: int


class SlowRequestRow(msgspec.Struct, frozen=True):
    """`slow-requests`: one request over the limit, with the moment it was produced."""

    user_id: str | None
    action: str | None
    page: str | None
    latency_ms: float
    produced_at: str


class HostRow(msgspec.Struct, frozen=True):
    """`host-by-window`: two seconds of the machine."""

    window_end: str
    host: str
    cpu_percent: float
    memory_percent: float
    disk_mb_s: float
    net_mb_s: float


class SplitReport(msgspec.Struct, frozen=True):
    """One partition as a job sees it; `lag` in records, unknown before the first fetch."""

    name: str
    watermark_ms: int | None
    lag: int | None


class DeadSample(msgspec.Struct, frozen=True):
    """A record that did not decode."""

    reason: str
    text: str


class JobReport(msgspec.Struct, frozen=True):
    """What a job said of itself at `at_ms`; counts are since the job began."""

    job: str
    at_ms: int
    rows_in: int
    rows_out: int
    late: int
    dead: int
    watermark_ms: int | None
    splits: list[SplitReport]
    late_samples: list[str] = []
    dead_samples: list[DeadSample] = []


def epoch_ms(timestamp: str) -> int:
    """Returns a timestamp of the jobs' JSON, UTC with or without `Z`, as milliseconds since 1970.

    Example:
        >>> epoch_ms("1970-01-01 00:00:01.5"), epoch_ms("1970-01-01 00:01:00Z")
        (1500, 60000)
    """
    return round(datetime.fromisoformat(timestamp.removesuffix("Z")).replace(tzinfo=UTC).timestamp() * 1000)
