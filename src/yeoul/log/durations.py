"""How long things took: a histogram of plain integers, cheap enough for every flush and every request.

Callers: `flusher`; the broker's metrics.
"""

from __future__ import annotations

from bisect import bisect_left

__all__ = ["BOUNDS_MS", "Durations"]

BOUNDS_MS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 5_000.0)
"""Upper bounds of the buckets, in milliseconds; above the last there is one more."""


class Durations:
    """Counts by how long something took.

    Attributes:
        counts: By bucket of `BOUNDS_MS`, not cumulated; the last is of what took longer.
        total_ms: All durations together.

    Example:
        >>> took = Durations()
        >>> took.add(0.2); took.add(7_000)
        >>> took.count, took.total_ms, took.counts[1], took.counts[-1]
        (2, 7000.2, 1, 1)
    """

    __slots__ = ("counts", "total_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.total_ms = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def add(self, duration_ms: float) -> None:
        self.counts[bisect_left(BOUNDS_MS, duration_ms)] += 1
        self.total_ms += duration_ms
