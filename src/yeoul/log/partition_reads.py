"""Reading one partition: by offset, from the page cache where it can be, and by time.

Owns where recent reads ended and where the last stable offset lies. A read ends with its segment; where compaction has
left gaps it begins in the first later segment that has a batch. Called by `partition`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from yeoul.log.reading import (
    ColdRead,
    Fetched,
    Place,
    RecentReads,
    TimestampOffset,
    find_cached,
    first_record_since,
    offset_at,
    only_batch_end,
    read_cached,
)
from yeoul.log.segment import Segment
from yeoul.log.segments import Segments
from yeoul.log.transactions import PartitionTransactions

__all__ = ["Bounds", "PartitionReads"]


class Bounds(NamedTuple):
    """Where a partition stands when a read is made."""

    high_watermark: int
    start_offset: int
    stable_offset: int


class PartitionReads:
    """The reads of one partition."""

    __slots__ = ("_recent", "_segments", "_stable_limit", "_transactions")

    def __init__(self, segments: Segments, transactions: PartitionTransactions) -> None:
        self._segments = segments
        self._transactions = transactions
        self._recent = RecentReads()
        self._stable_limit: tuple[int, Place] | None = None

    def forget(self, segments: set[Segment]) -> None:
        """Drops what is remembered of segments that are going away."""
        if segments:
            self._recent.forget(segments)
            self._stable_limit = None

    def read(
        self, offset: int, max_bytes: int, bounds: Bounds, *, whole_first_batch: bool, stable_only: bool
    ) -> Fetched | ColdRead:
        """As `PartitionLog.read`, the offset known to be within the bounds."""
        high_watermark, start_offset, stable_offset = bounds
        bound = stable_offset if stable_only else high_watermark
        if offset >= bound or max_bytes <= 0:
            return Fetched(b"", high_watermark, start_offset, stable_offset)
        segments = self._segments
        place = self._recent.at(offset)
        segment = place.segment if place is not None else segments.of(offset)
        limit = segments.limit_position(segment)
        if place is not None and place.position >= limit:
            # The last read ended with a segment that was rolled since.
            place, segment = None, segments.of(offset)
            limit = segments.limit_position(segment)
        bound_offset = None
        if bound < high_watermark and segment is segments.of(bound):
            stable_limit = self._stable_position(segment, bound, limit)
            if stable_limit is None:
                bound_offset = bound
            else:
                limit = stable_limit
        if segment.index_in_memory and bound_offset is None:
            position = place.position if place is not None else find_cached(segment, offset, limit)
            if position is not None and position < limit:
                found = read_cached(segment, position, limit, max_bytes, whole_first_batch)
                if found is not None:
                    next_offset = self._remember(segment, found[1], limit, bound)
                    aborted: Sequence[tuple[int, int]] = ()
                    if stable_only and self._transactions.has_aborted:
                        end_offset = next_offset or only_batch_end(found[0]) or bound
                        aborted = self._transactions.aborted_between(offset, end_offset)
                    return Fetched(found[0], high_watermark, start_offset, stable_offset, aborted)
        later = segments.after(segment)
        if later and bound < high_watermark:
            bound_offset = bound
        return ColdRead(
            segment,
            offset,
            limit,
            max_bytes,
            whole_first_batch,
            high_watermark,
            start_offset,
            stable_offset,
            bound_offset,
            self._transactions.aborted_between(offset, bound) if stable_only else (),
            later,
        )

    def _stable_position(self, segment: Segment, stable_offset: int, limit: int) -> int | None:
        """Returns where the last stable offset's batch begins; None when only the disk can tell."""
        known = self._stable_limit
        if known is not None and known[0] == stable_offset and known[1].segment is segment:
            return known[1].position
        position = find_cached(segment, stable_offset, limit) if segment.index_in_memory else None
        if position is not None:
            self._stable_limit = (stable_offset, Place(segment, position))
        return position

    def _remember(self, segment: Segment, end: int, limit: int, bound: int) -> int | None:
        """Notes where a read ended, for the next one to go on; returns the offset there, if it is known."""
        if end < limit:
            next_offset = offset_at(segment, end)
        elif segment is self._segments.active or end < segment.size_bytes:
            next_offset = bound
        else:
            next_offset = None
        if next_offset is not None:
            self._recent.remember(next_offset, Place(segment, end))
        return next_offset

    # -- by time ------------------------------------------------------------------------------------------------

    def find_timestamp(self, timestamp_ms: int, start_offset: int) -> TimestampOffset | None:
        """As `PartitionLog.find_timestamp`."""
        segments = self._segments
        for segment in tuple(segments):
            limit = segments.limit_position(segment)
            if limit == 0 or (segment is not segments.active and segment.newest_timestamp_ms() < timestamp_ms):
                continue
            found = first_record_since(segment, timestamp_ms, limit=limit, start_offset=start_offset)
            if found is not None:
                return found
        return None

    def newest_timestamp(self, start_offset: int) -> TimestampOffset | None:
        """As `PartitionLog.newest_timestamp`."""
        newest_ms = max(segment.newest_timestamp_ms() for segment in tuple(self._segments))
        return None if newest_ms < 0 else self.find_timestamp(newest_ms, start_offset)
