"""How far a mirror is, as values for whoever shows it.

Callers: `session` counts, `mirror` hands snapshots out, the command line renders them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Snapshot", "Tally", "TopicProgress"]


@dataclass(frozen=True, slots=True)
class TopicProgress:
    """One topic.

    Attributes:
        topic: Its name at the source.
        target: Its name at the target.
        partitions: How many are being copied.
        records: Copied since the start of this process.
        size_bytes: The same in bytes, as stored.
        lag: Offsets that are left to copy; None until the source has told.
    """

    topic: str
    target: str
    partitions: int
    records: int
    size_bytes: int
    lag: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A mirror at one moment; counts are of committed transactions only.

    Attributes:
        elapsed_s: Since the start of this process.
        topics: One entry each, by name.
        records: Sum over the topics.
        size_bytes: Sum over the topics.
        lag: Sum over the topics; None while one is not known.
        transactions: How many were committed.
        offsets: How many offsets of groups were committed.
        is_connected: Whether both clusters can be reached.
    """

    elapsed_s: float
    topics: tuple[TopicProgress, ...]
    records: int
    size_bytes: int
    lag: int | None
    transactions: int
    offsets: int
    is_connected: bool


@dataclass(slots=True)
class Tally:
    """The counts behind snapshots; outlives sessions."""

    rename: str = ""
    started_s: float = 0.0
    records: Counter[str] = field(default_factory=Counter)
    size_bytes: Counter[str] = field(default_factory=Counter)
    partitions: dict[str, int] = field(default_factory=dict)
    lags: dict[str, int | None] = field(default_factory=dict)
    transactions: int = 0
    offsets: int = 0
    is_connected: bool = False

    def snapshot(self, now_s: float) -> Snapshot:
        """Returns how things stand."""
        topics = tuple(
            TopicProgress(
                name, self.rename + name, count, self.records[name], self.size_bytes[name], self.lags.get(name)
            )
            for name, count in sorted(self.partitions.items())
        )
        lags = [topic.lag for topic in topics]
        known = [lag for lag in lags if lag is not None]
        return Snapshot(
            now_s - self.started_s,
            topics,
            self.records.total(),
            self.size_bytes.total(),
            sum(known) if len(known) == len(lags) else None,
            self.transactions,
            self.offsets,
            self.is_connected,
        )
