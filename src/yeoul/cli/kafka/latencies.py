"""Rates and latency percentiles of a run, told while it goes on and at its end. Pure but for the printing.

Latencies are counted in buckets that grow by 2 % each, so a run of any length takes a few hundred counters.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from yeoul.units import format_count, format_size

__all__ = ["Latencies", "Tally"]

_GROWTH = math.log(1.02)
_LEAST_MS = 0.01


@dataclass(slots=True)
class Latencies:
    """Latencies in milliseconds.

    Example:
        >>> held = Latencies()
        >>> for value in range(1, 101):
        ...     held.add(float(value))
        >>> 49 <= held.percentile(0.5) <= 51, held.highest
        (True, 100.0)
    """

    buckets: Counter[int] = field(default_factory=Counter)
    count: int = 0
    total_ms: float = 0.0
    highest: float = 0.0

    def add(self, latency_ms: float) -> None:
        self.buckets[int(math.log(max(latency_ms, _LEAST_MS) / _LEAST_MS) / _GROWTH)] += 1
        self.count += 1
        self.total_ms += latency_ms
        if latency_ms > self.highest:
            self.highest = latency_ms

    @property
    def mean(self) -> float:
        return self.total_ms / self.count if self.count else 0.0

    def percentile(self, share: float) -> float:
        """Returns what `share` of the latencies are at most, within 2 %."""
        left = share * self.count
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return min(_LEAST_MS * math.exp((bucket + 1) * _GROWTH), self.highest)
        return self.highest

    def facts(self) -> dict[str, float]:
        """Returns the figures that are told, rounded to hundredths of a millisecond."""
        shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
        found = {"mean_ms": self.mean, **{name: self.percentile(share) for name, share in shares.items()}}
        return {name: round(value, 2) for name, value in {**found, "max_ms": self.highest}.items()}


@dataclass(slots=True)
class Tally:
    """Records and bytes, in all and since it was last told."""

    started_s: float
    records: int = 0
    size_bytes: int = 0
    told_s: float = 0.0
    told_records: int = 0
    told_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        self.records += 1
        self.size_bytes += size_bytes

    def line(self, now_s: float) -> str:
        """Returns the rate since the last line, and takes note of it."""
        since_s = max(1e-9, now_s - (self.told_s or self.started_s))
        records, size_bytes = self.records - self.told_records, self.size_bytes - self.told_bytes
        self.told_s, self.told_records, self.told_bytes = now_s, self.records, self.size_bytes
        rates = f"{format_count(records / since_s)} records/s, {format_size(size_bytes / since_s)}/s"
        return f"{self.records} records, {rates}"

    def facts(self, now_s: float) -> dict[str, float]:
        """Returns the figures over the whole run."""
        elapsed_s = max(1e-9, now_s - self.started_s)
        return {
            "records": self.records,
            "bytes": self.size_bytes,
            "seconds": round(elapsed_s, 3),
            "records_per_s": round(self.records / elapsed_s, 1),
            "mb_per_s": round(self.size_bytes / elapsed_s / (1 << 20), 3),
        }
