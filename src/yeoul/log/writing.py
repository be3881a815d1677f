"""The end of a partition's files: where appends are written, when a segment is begun, and what is not durable yet.

Invariants: an append is written whole or cut off again; a flush round covers every file that was written to since the
one before it, and names the segments that were begun. Called by `partition`, on the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from yeoul.errors import YeoulError
from yeoul.log.config import TopicConfig
from yeoul.log.disk import Disk, DiskFile
from yeoul.log.errors import NO_SPACE, InvalidBatch, refused
from yeoul.log.flusher import Flusher
from yeoul.log.recovery import LEADER_EPOCH
from yeoul.log.rounds import RoundWork
from yeoul.log.segment import Segment
from yeoul.log.segments import Segments
from yeoul.wire.records import BatchHeader, patch_offsets

__all__ = ["PartitionWriter", "assign_offsets"]

_RELATIVE_OFFSET_LIMIT = 2**31 - 1


def assign_offsets(records: bytearray | memoryview, headers: Sequence[BatchHeader], base_offset: int) -> int:
    """Patches base offsets and leader epochs into batches; returns the offset after the last record.

    Raises:
        InvalidBatch: There are bytes beyond the batches, or more records than a segment can count.
    """
    position, offset = 0, base_offset
    for header in headers:
        patch_offsets(records, position, offset, LEADER_EPOCH)
        position += header.size_bytes
        offset += header.last_offset_delta + 1
    if position != len(records):
        raise InvalidBatch(f"Expected {position} bytes of batches, got {len(records)}")
    if offset - base_offset > _RELATIVE_OFFSET_LIMIT:
        raise InvalidBatch(f"Expected fewer than 2**31 records at once, got {offset - base_offset}")
    return offset


class PartitionWriter:
    """Args:
    directory: Of the partition.
    disk: The file system.
    flusher: Told of a device that fails.
    segments: The partition's.
    rolled: Called when a segment was begun.

    Attributes:
        directory_dirty: Names in the directory are not durable.
    """

    __slots__ = ("_directory", "_disk", "_flusher", "_rolled", "_segments", "_unsynced", "directory_dirty")

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        flusher: Flusher,
        segments: Segments,
        rolled: Callable[[], None],
        *,
        directory_dirty: bool,
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._flusher = flusher
        self._segments = segments
        self._rolled = rolled
        self._unsynced: dict[DiskFile, None] = {}
        self.directory_dirty = directory_dirty

    def write(
        self, records: bytearray | memoryview, headers: Sequence[BatchHeader], base_offset: int, config: TopicConfig
    ) -> Segment:
        """Writes batches at the end, in a new segment if it is time for one.

        Returns:
            The segment, its `size_bytes` still where the batches begin: the caller takes note of them first.

        Raises:
            LogFull, DiskRefused: There is no space, or no new segment could be made; nothing was kept.
            LogStopped: The device failed.
        """
        if self._must_roll(len(records), headers, base_offset, config):
            self.roll(base_offset, config)
        segment = self._segments.active
        try:
            segment.write((records,))
        except OSError as error:
            self._cut_off(segment)
            raise self._write_error(error) from error
        self._unsynced[segment.file] = None
        return segment

    def _must_roll(
        self, size_bytes: int, headers: Sequence[BatchHeader], base_offset: int, config: TopicConfig
    ) -> bool:
        segment = self._segments.active
        if segment.size_bytes == 0:
            return False
        if segment.size_bytes + size_bytes > config.segment_bytes:
            return True
        if base_offset - segment.base_offset > _RELATIVE_OFFSET_LIMIT:
            return True
        first_ms = segment.first_timestamp_ms
        return first_ms is not None and headers[0].max_timestamp_ms - first_ms > config.roll_ms

    def roll(self, base_offset: int, config: TopicConfig) -> None:
        """Begins a segment.

        Raises:
            LogFull, DiskRefused: It could not be made.
        """
        segment = Segment(
            self._disk,
            self._directory,
            base_offset,
            0,
            index_interval_bytes=config.index_interval_bytes,
            is_provisional=True,
        )
        try:
            segment.create()
        except OSError as error:
            raise refused(f"begin a segment in {self._directory}", error) from error
        self._segments.add(segment)
        self.directory_dirty = True
        self._rolled()

    def _cut_off(self, segment: Segment) -> None:
        """Takes back what a failed write has left."""
        try:
            segment.file.truncate(segment.size_bytes)
        except OSError as worse:
            self._flusher.fail(worse)

    def _write_error(self, error: OSError) -> YeoulError:
        """Returns what to raise; a device that fails to write is as fatal as one that fails to sync."""
        if error.errno in NO_SPACE:
            return refused(f"append to {self._directory}", error)
        self._flusher.fail(error)
        assert self._flusher.failure is not None
        return self._flusher.failure

    def start_round(self, end_offset: int) -> RoundWork | None:
        """Returns what has to be synced for everything below the end to be durable, None when all is."""
        if not (self._unsynced or self.directory_dirty):
            return None
        directory, begun = (self._directory, self._segments.provisional) if self.directory_dirty else (None, ())
        work = RoundWork(tuple(self._unsynced), directory, begun, end_offset, self._segments.end_place)
        self._unsynced.clear()
        self.directory_dirty = False
        return work
