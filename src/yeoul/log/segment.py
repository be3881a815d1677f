"""One segment: a file of record batches, with its sparse index.

The file is named after its first offset and holds whole batches, one after the other, nothing else. The index lives
in memory for a segment that is being written; its entries reach the index file with the partition's checkpoints, so
an append writes to one file only. For an older segment the index is loaded when it is first needed, and rebuilt from
the batches if its file is missing or makes no sense.

Appends come from the loop alone; look-ups and reads may come from any thread at the same time. A segment that
compaction has replaced is retired first: it stays readable through its open file and never touches the files of its
name again.

A segment that follows another one begins under a provisional name (`segment_names`) and stays open at least until it is
confirmed; only then does it have an index file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from yeoul.log.disk import Buffer, Disk, DiskFile
from yeoul.log.errors import NO_SPACE, LogCorrupt
from yeoul.log.index import NO_TIMESTAMP_MS, IndexEntry, SparseIndex
from yeoul.log.recovery import read_header_or_none
from yeoul.log.segment_names import SegmentName, index_path
from yeoul.wire.records import HEADER_BYTES, BatchHeader

__all__ = ["Segment"]

_WALK_BYTES = 64 << 10


class Segment:
    """A segment from `base_offset` on; `size_bytes` counts whole batches only.

    Attributes:
        is_provisional: What lies before it may not be durable yet.
    """

    __slots__ = (
        "_disk",
        "_file",
        "_index",
        "_last_indexed_position",
        "_named",
        "_retired",
        "base_offset",
        "directory",
        "first_timestamp_ms",
        "index_interval_bytes",
        "is_provisional",
        "max_timestamp_ms",
        "persisted_entries",
        "size_bytes",
    )

    def __init__(
        self,
        disk: Disk,
        directory: Path,
        base_offset: int,
        size_bytes: int,
        *,
        index_interval_bytes: int,
        is_provisional: bool = False,
    ) -> None:
        self.directory = directory
        self.base_offset = base_offset
        self.size_bytes = size_bytes
        self.persisted_entries = 0
        self.max_timestamp_ms: int | None = NO_TIMESTAMP_MS if size_bytes == 0 else None
        self.first_timestamp_ms: int | None = None
        self._disk = disk
        self._file: DiskFile | None = None
        self.is_provisional = is_provisional
        # Held by whoever uses the files by their names for longer than a moment.
        self._named = threading.Lock()
        self._retired = False
        self._index: SparseIndex | None = SparseIndex() if size_bytes == 0 else None
        self.index_interval_bytes = index_interval_bytes
        self._last_indexed_position = -index_interval_bytes - 1

    def create(self) -> DiskFile:
        """Makes the file, empty; its name is durable once the directory is synced."""
        self._file = self._disk.open(self.path, create=True)
        return self._file

    def confirm(self) -> None:
        """Gives a provisional segment its final name, which is durable once the directory is synced. In any thread.

        Call it when all that lies before the segment is durable. On a disk too full for a name it stays provisional
        until the next time; a start takes it all the same.
        """
        with self._named:
            if not self.is_provisional or self._retired:
                return
            confirmed = SegmentName(self.base_offset, is_provisional=False)
            try:
                self._disk.rename(self.path, confirmed.path_in(self.directory))
            except OSError as error:
                if error.errno not in NO_SPACE:
                    raise
            else:
                self.is_provisional = False

    @property
    def path(self) -> Path:
        """Where its records are."""
        return SegmentName(self.base_offset, self.is_provisional).path_in(self.directory)

    @property
    def file(self) -> DiskFile:
        if self._file is None:
            self._file = self._disk.open(self.path)
        return self._file

    @property
    def index(self) -> SparseIndex:
        """The index, loaded or rebuilt when it is not in memory; that may wait for the disk."""
        index = self._index
        if index is None:
            with self._named:
                if self._index is None:
                    self._index = self._load_index()
                index = self._index
        return index

    @property
    def index_in_memory(self) -> bool:
        return self._index is not None

    def note(self, base_offset: int, max_timestamp_ms: int, position: int) -> None:
        """Takes the batch at a position into index and timestamps."""
        before = self.max_timestamp_ms
        assert before is not None, "a segment is written to only once its end is known"
        if position - self._last_indexed_position > self.index_interval_bytes:
            self.index.add(base_offset - self.base_offset, position, before)
            self._last_indexed_position = position
        if max_timestamp_ms > before:
            self.max_timestamp_ms = max_timestamp_ms
        if position == 0:
            self.first_timestamp_ms = max_timestamp_ms

    def resume(self, index: SparseIndex, position: int) -> None:
        """Readies the segment for appends at `position`, given the index of what lies before it."""
        self._index = index
        self.size_bytes = position
        self.persisted_entries = len(index)
        self.max_timestamp_ms = NO_TIMESTAMP_MS
        if len(index):
            last = index[len(index) - 1]
            self._last_indexed_position = last.position
            self.max_timestamp_ms = last.max_timestamp_before_ms
            for _, header in self.walk(last.position, position):
                self.max_timestamp_ms = max(self.max_timestamp_ms, header.max_timestamp_ms)
        first = next(self.walk(0, position), None)
        self.first_timestamp_ms = first[1].max_timestamp_ms if first else None

    def newest_timestamp_ms(self) -> int:
        """Returns the largest timestamp in the segment, -1 when it is empty; may read."""
        if self.max_timestamp_ms is None:
            entry = self.index[len(self.index) - 1] if len(self.index) else IndexEntry(0, 0, NO_TIMESTAMP_MS)
            newest = entry.max_timestamp_before_ms
            for _, header in self.walk(entry.position, self.size_bytes):
                newest = max(newest, header.max_timestamp_ms)
            self.max_timestamp_ms = newest
        return self.max_timestamp_ms

    def oldest_timestamp_ms(self) -> int:
        """Returns the newest timestamp of the segment's first batch, -1 when it is empty; may read."""
        if self.first_timestamp_ms is None:
            first = next(self.walk(0, self.size_bytes), None)
            self.first_timestamp_ms = NO_TIMESTAMP_MS if first is None else first[1].max_timestamp_ms
        return self.first_timestamp_ms

    def walk(self, position: int, limit_position: int) -> Iterator[tuple[int, BatchHeader]]:
        """Yields position and header of each batch from `position`, where one must begin; headers only are read.

        Raises:
            LogCorrupt: There is no batch where one must be.
        """
        chunk: Buffer = b""
        chunk_start = position
        while position < limit_position:
            if position + HEADER_BYTES > chunk_start + len(chunk):
                chunk_start = position
                chunk = self.file.read_at(min(_WALK_BYTES, limit_position - position), position)
            header = read_header_or_none(chunk, position - chunk_start)
            if header is None or header.base_offset < self.base_offset:
                raise self._corrupt(position, "expected a batch header")
            yield position, header
            position += header.size_bytes

    def find_offset(self, offset: int, limit_position: int) -> int:
        """Returns the position of the batch that holds `offset`, or `limit_position` when it lies beyond."""
        entry = self.index.at_offset(offset - self.base_offset)
        for position, header in self.walk(entry.position, limit_position):
            if header.next_offset > offset:
                return position
        return limit_position

    def pending_entries(self) -> bytes:
        """Returns the index entries that the index file lacks."""
        return b"" if self._index is None else self._index.encode(self.persisted_entries)

    def entry_count(self) -> int:
        return 0 if self._index is None else len(self._index)

    def release(self) -> None:
        """Drops index and file of a segment that is no longer written to; they come back when needed."""
        if self._named.acquire(blocking=False):
            try:
                if not self._retired and not self.is_provisional:
                    self._index = None
                    self._file = None
            finally:
                self._named.release()

    def retire(self) -> None:
        """Cuts the segment off from the files of its name, before others take their places; waits for the disk."""
        with self._named:
            self._retired = True
            self._file = self.file

    def _load_index(self) -> SparseIndex:
        if self._retired:
            return self._rebuild_index()
        content = self._disk.read_file(index_path(self.directory, self.base_offset))
        index = None
        if content is not None:
            index = SparseIndex.decode(content, limit_position=self.size_bytes)
        if index is None or (self.size_bytes and not len(index)) or not self._agrees(index):
            index = self._rebuild_index()
        self.persisted_entries = len(index)
        return index

    def _agrees(self, index: SparseIndex) -> bool:
        """Whether the last entry of an index points at the batch it names."""
        if not len(index):
            return True
        last = index[len(index) - 1]
        header = read_header_or_none(self.file.read_at(HEADER_BYTES, last.position))
        return header is not None and header.base_offset == self.base_offset + last.relative_offset

    def _rebuild_index(self) -> SparseIndex:
        index = SparseIndex()
        newest, last_position = NO_TIMESTAMP_MS, -self.index_interval_bytes - 1
        for position, header in self.walk(0, self.size_bytes):
            if position - last_position > self.index_interval_bytes:
                index.add(header.base_offset - self.base_offset, position, newest)
                last_position = position
            newest = max(newest, header.max_timestamp_ms)
        if not self._retired:
            self._keep_index(index)
        return index

    def _keep_index(self, index: SparseIndex) -> None:
        """Writes a rebuilt index; on a full disk it is rebuilt again next time."""
        try:
            self._disk.replace_file(index_path(self.directory, self.base_offset), index.encode())
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise

    def _corrupt(self, position: int, what: str) -> LogCorrupt:
        return LogCorrupt(
            f"{self.path} is damaged at position {position}: {what}",
            hint="Run `yeoul doctor` on the data directory: it shows what can be read and what cannot.",
        )

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Writes at the end; the caller notes the batches and moves `size_bytes` once it has succeeded."""
        self.file.write_at(buffers, self.size_bytes)
