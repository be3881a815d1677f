"""The file that a cleaning writes: a segment with its index, beside the ones that it will replace.

Caller: `cleaning`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yeoul.log.compaction.pieces import Piece
from yeoul.log.compaction.plan import cleaned_path
from yeoul.log.disk import Buffer, Disk
from yeoul.log.index import NO_TIMESTAMP_MS
from yeoul.log.segment_names import index_path, segment_path
from yeoul.wire.records import read_header

__all__ = ["CleanedSegment"]

_WRITE_BYTES = 4 << 20
_INDEX_ENTRY = np.dtype([("relative_offset", "<u4"), ("position", "<u4"), ("max_timestamp_before_ms", "<i8")])

_Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class CleanedSegment:
    """A segment in the making: batches are added in order, `finish` makes file and index durable.

    Attributes:
        size_bytes: What was added.
        max_timestamp_ms: The newest timestamp in it, -1 for none.
    """

    def __init__(
        self, disk: Disk, directory: Path, base_offset: int, index_interval_bytes: int, pace: Callable[[int], None]
    ) -> None:
        self.size_bytes = 0
        self.max_timestamp_ms = NO_TIMESTAMP_MS
        self._disk = disk
        self._base_offset = base_offset
        self._interval_bytes = index_interval_bytes
        self._pace = pace
        path = cleaned_path(segment_path(directory, base_offset))
        self._index_path = cleaned_path(index_path(directory, base_offset))
        self._file = disk.open(path, create=True)
        self._file.truncate(0)
        self._written_bytes = 0
        self._waiting: list[Buffer] = []
        # Base offset, position and newest timestamp of every batch.
        self._batches: list[_Columns] = []

    def copy(self, piece: Piece, start: int, end: int) -> None:
        """Adds the batches of a piece from number `start` up to `end` as they are."""
        if start >= end:
            return
        first = int(piece.starts[start])
        headers = piece.headers[start:end]
        columns = (
            headers["base_offset"].astype(np.int64),
            piece.starts[start:end] - first + self.size_bytes,
            headers["max_timestamp_ms"].astype(np.int64),
        )
        self._put(piece.stored[first : int(piece.starts[end - 1] + piece.sizes[end - 1])], columns)

    def add(self, batch: bytearray) -> None:
        header = read_header(batch)
        fields = (header.base_offset, self.size_bytes, header.max_timestamp_ms)
        self._put(batch, (np.array(fields[:1]), np.array(fields[1:2]), np.array(fields[2:])))

    def _put(self, content: Buffer, columns: _Columns) -> None:
        self._waiting.append(content)
        self._batches.append(columns)
        self.size_bytes += len(content)
        if self.size_bytes - self._written_bytes >= _WRITE_BYTES:
            self._write()

    def _write(self) -> None:
        content = b"".join(self._waiting)
        self._waiting.clear()
        if content:
            self._file.write_at((content,), self._written_bytes)
        self._written_bytes += len(content)
        self._pace(len(content))

    def finish(self) -> None:
        """Makes all that was added durable, with its index."""
        self._write()
        self._file.sync()
        index = self._disk.open(self._index_path, create=True)
        index.truncate(0)
        entries = self._index()
        if entries:
            index.write_at((entries,), 0)
        index.sync()

    def _index(self) -> bytes:
        if not self._batches:
            return b""
        offsets, positions, newest_ms = (np.concatenate(column) for column in zip(*self._batches, strict=True))
        before_ms = np.maximum.accumulate(np.concatenate(([NO_TIMESTAMP_MS], newest_ms)))
        self.max_timestamp_ms = int(before_ms[-1])
        chosen = [0]
        while (at := int(np.searchsorted(positions, positions[chosen[-1]] + self._interval_bytes, side="right"))) < len(
            positions
        ):
            chosen.append(at)
        entries = np.empty(len(chosen), _INDEX_ENTRY)
        entries["relative_offset"] = offsets[chosen] - self._base_offset
        entries["position"] = positions[chosen]
        entries["max_timestamp_before_ms"] = before_ms[:-1][chosen]
        return entries.tobytes()
