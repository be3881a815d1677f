"""Reading one segment: from the page cache on the loop, from the disk in a thread, and by time.

A read begins at the batch that holds an offset and ends at a batch boundary: at the end of what is committed, or at the
last indexed batch that fits. Consumers go on where their last read ended, so `RecentReads` keeps those places and the
usual read neither searches the index nor walks headers: it is one `preadv`.

Called by `partition`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yeoul.log.disk import Buffer
from yeoul.log.segment import Segment
from yeoul.wire.records import HEADER_BYTES, decode_records, iter_batches, read_header

__all__ = ["ColdRead", "Fetched", "Place", "RecentReads", "TimestampOffset", "first_record_since", "read_cached"]

_REMEMBERED = 64
# Walked in one look when an offset is searched: an index interval and then some headers.
_SEARCH_SLACK_BYTES = 64 * HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a read returned.

    Attributes:
        data: Whole batches; the first one holds the offset asked for. Empty when there is nothing to read yet.
        high_watermark: As it stood when the read was made.
        start_offset: As it stood when the read was made.
        last_stable_offset: As it stood when the read was made.
        aborted: Producer id and first offset of the aborted transactions in `data`, for a read that leaves them out.
    """

    data: Buffer
    high_watermark: int
    start_offset: int
    last_stable_offset: int
    aborted: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class TimestampOffset:
    """A record found by time."""

    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a segment where a batch begins, or the log ends."""

    segment: Segment
    position: int


@dataclass(frozen=True, slots=True)
class ColdRead:
    """A read whose bytes are not in memory: call `load` in a thread.

    `bound_offset` is where it ends, if that is below `limit_position`; `aborted` has what there is up to there; `later`
    are the segments, with their limits, to go on in when compaction has left nothing from `offset` on in this one.
    """

    segment: Segment
    offset: int
    limit_position: int
    max_bytes: int
    whole_first_batch: bool
    high_watermark: int
    start_offset: int
    last_stable_offset: int
    bound_offset: int | None = None
    aborted: Sequence[tuple[int, int]] = ()
    later: Sequence[tuple[Segment, int]] = ()

    def load(self) -> Fetched:
        """Reads from the disk, waiting for it.

        Raises:
            OSError: The disk cannot be read.
            LogCorrupt: There is no batch where one must be.
        """
        data: Buffer | None = None
        for segment, limit_position in ((self.segment, self.limit_position), *self.later):
            data = self._load_from(segment, limit_position)
            if data is not None:
                break
        data = data or b""
        aborted = self.aborted
        if aborted and data:
            *_, (_, last) = iter_batches(data)
            aborted = [each for each in aborted if each[1] < last.next_offset]
        return Fetched(data, self.high_watermark, self.start_offset, self.last_stable_offset, aborted)

    def _load_from(self, segment: Segment, limit_position: int) -> Buffer | None:
        """Returns what there is to read in a segment, None when no batch of it reaches the offset."""
        if limit_position and self.bound_offset is not None:
            limit_position = segment.find_offset(self.bound_offset, limit_position)
        position = segment.find_offset(self.offset, limit_position)
        if position >= limit_position:
            return None
        end = read_end(segment, position, limit_position, self.max_bytes)
        if end is None:
            header = read_header(segment.file.read_at(HEADER_BYTES, position))
            fits = self.whole_first_batch or header.size_bytes <= self.max_bytes
            end = position + header.size_bytes if fits else position
        return segment.file.read_at(end - position, position)


class RecentReads:
    """Where recent reads ended: the places at which their consumers will go on."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}

    def at(self, offset: int) -> Place | None:
        return self._places.get(offset)

    def remember(self, offset: int, place: Place) -> None:
        if len(self._places) >= _REMEMBERED:
            del self._places[next(iter(self._places))]
        self._places[offset] = place

    def forget(self, segments: set[Segment]) -> None:
        """Drops the places in segments that are going away."""
        self._places = {at: place for at, place in self._places.items() if place.segment not in segments}


def read_end(segment: Segment, position: int, limit: int, max_bytes: int) -> int | None:
    """Returns where a read from `position` ends at a batch boundary, None when only the first batch can tell."""
    if limit - position <= max_bytes:
        return limit
    end = segment.index.at_position(position + max_bytes).position
    return end if end > position else None


def offset_at(segment: Segment, position: int) -> int | None:
    """Returns the offset of the batch at a position, if the index knows it."""
    entry = segment.index.at_position(position)
    return segment.base_offset + entry.relative_offset if entry.position == position else None


def only_batch_end(data: Buffer) -> int | None:
    """Returns the offset after a read's only batch; None when there are more, or none."""
    if len(data) < HEADER_BYTES:
        return None
    header = read_header(data)
    return header.next_offset if header.size_bytes == len(data) else None


def find_cached(segment: Segment, offset: int, limit: int) -> int | None:
    """Like `Segment.find_offset`, but None instead of waiting for the disk."""
    if offset == segment.base_offset:
        return 0
    position = segment.index.at_offset(offset - segment.base_offset).position
    search_bytes = min(segment.index_interval_bytes + _SEARCH_SLACK_BYTES, limit - position)
    window = segment.file.read_cached_at(search_bytes, position)
    if window is None:
        return None
    at = 0
    while at + HEADER_BYTES <= len(window):
        header = read_header(window, at)
        if header.next_offset > offset:
            return position + at
        at += header.size_bytes
    return None


def read_cached(
    segment: Segment, position: int, limit: int, max_bytes: int, whole_first_batch: bool
) -> tuple[Buffer, int] | None:
    """Returns the bytes from a batch's position on and where they end; None when the page cache lacks some."""
    end = read_end(segment, position, limit, max_bytes)
    if end is None:
        window = segment.file.read_cached_at(HEADER_BYTES, position)
        if window is None:
            return None
        first_bytes = read_header(window).size_bytes
        if first_bytes > max_bytes and not whole_first_batch:
            return b"", position
        end = position + first_bytes
    data = segment.file.read_cached_at(end - position, position)
    return None if data is None else (data, end)


def first_record_since(segment: Segment, timestamp_ms: int, *, limit: int, start_offset: int) -> TimestampOffset | None:
    """Returns the first record at or after a time, at or above `start_offset`; waits for the disk."""
    for position, size_bytes in _batches_since(segment, timestamp_ms, limit):
        batch = segment.file.read_at(size_bytes, position)
        for record in decode_records(batch, verify_crc=False):
            if record.timestamp_ms >= timestamp_ms and record.offset >= start_offset:
                return TimestampOffset(record.offset, record.timestamp_ms)
    return None


def _batches_since(segment: Segment, timestamp_ms: int, limit: int) -> Iterator[tuple[int, int]]:
    """Yields position and size of the batches that hold a record at or after a time."""
    entry = segment.index.before_timestamp(timestamp_ms)
    for position, header in segment.walk(entry.position, limit):
        if header.max_timestamp_ms >= timestamp_ms:
            yield position, header.size_bytes
