"""Which old segments a topic no longer keeps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yeoul.log.config import TopicConfig

__all__ = ["SegmentFacts", "expired_segments"]


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What retention looks at; a segment without timestamps has `newest_timestamp_ms` -1 and is kept by time."""

    size_bytes: int
    newest_timestamp_ms: int


def expired_segments(segments: Sequence[SegmentFacts], config: TopicConfig, *, now_ms: int) -> int:
    """Returns how many segments may go, from the oldest on; the last one, which is written to, is rolled first.

    By size a segment goes only while what remains still holds `retention_bytes`; by time when its newest record is
    older than `retention_ms`.

    Example:
        >>> config = TopicConfig.from_entries({"retention.bytes": "100", "retention.ms": "-1"})
        >>> expired_segments([SegmentFacts(60, 0), SegmentFacts(60, 0), SegmentFacts(60, 0)], config, now_ms=0)
        1
    """
    total_bytes = sum(segment.size_bytes for segment in segments)
    expired = 0
    for segment in segments:
        by_size = 0 <= config.retention_bytes <= total_bytes - segment.size_bytes
        by_time = 0 <= config.retention_ms < now_ms - segment.newest_timestamp_ms and segment.newest_timestamp_ms >= 0
        if not (by_size or by_time):
            break
        expired += 1
        total_bytes -= segment.size_bytes
    return expired
