"""A job's progress as one line: rows in, rate, rows out, watermark, lag, and what was set aside."""

from __future__ import annotations

import datetime
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yeoul.units import format_count, format_size

if TYPE_CHECKING:
    from yeoul.engine.runtime.progress import Progress

__all__ = ["RateMeter", "progress_line", "set_aside_line", "watermark_text"]

_SPAN_S = 5.0


@dataclass(slots=True)
class RateMeter:
    """The rate of a growing count over the last seconds.

    Example:
        >>> meter = RateMeter()
        >>> meter.rate(0, 10.0), meter.rate(500, 10.5), meter.rate(1_000, 11.0)
        (0.0, 1000.0, 1000.0)
    """

    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    def rate(self, count: int, now_s: float) -> float:
        """Returns what was added a second, as of the sample `count` at `now_s`."""
        self._samples.append((now_s, count))
        while len(self._samples) > 2 and now_s - self._samples[0][0] > _SPAN_S:
            self._samples.popleft()
        first_s, first = self._samples[0]
        return (count - first) / (now_s - first_s) if now_s > first_s else 0.0


def progress_line(name: str, status: str, progress: Progress, meter: RateMeter, now_s: float) -> str:
    """Returns one line about a job."""
    rate = meter.rate(progress.rows_in, now_s)
    if status != "RUNNING" and progress.elapsed_s:
        rate = progress.rows_in / progress.elapsed_s
    parts = [
        f"INSERT INTO {name}: {status.lower()}",
        f"rows in {format_count(progress.rows_in)} ({format_count(rate)}/s)",
        f"out {format_count(progress.rows_out)}",
        f"watermark {watermark_text(progress.watermark_ms)}",
        f"lag {format_count(progress.lag) if progress.lag is not None else '-'}",
        f"late {format_count(progress.late)}",
        f"dead {format_count(progress.dead)}",
    ]
    if progress.operators:
        on_disk = f" + {format_size(progress.spilled_bytes)} on disk" if progress.spilled_bytes else ""
        parts.append(f"state {format_size(progress.state_bytes)}{on_disk}")
    return " | ".join(parts)


def set_aside_line(progress: Progress) -> str | None:
    """Returns what a query left out of its rows and where that can be read; None if it left out nothing."""
    tables = list(dict.fromkeys(one.table for one in progress.splits))
    parts = [
        f"{format_count(count)} {what} in {' or '.join(f'{name}${kind}' for name in tables)}"
        for count, what, kind in ((progress.dead, "unreadable", "dead"), (progress.late, "late", "late"))
        if count
    ]
    return f"Left out: {', '.join(parts)}" if parts else None


def watermark_text(watermark_ms: int | None) -> str:
    """Returns a watermark for people.

    Example:
        >>> watermark_text(None), watermark_text(1_704_103_200_123), watermark_text(2**63 - 1)
        ('-', '2024-01-01 10:00:00.123', 'end')
    """
    if watermark_ms is None or watermark_ms <= -(2**62):
        return "-"
    if watermark_ms >= 2**62:
        return "end"
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=watermark_ms)
    return moment.isoformat(sep=" ", timespec="milliseconds")
