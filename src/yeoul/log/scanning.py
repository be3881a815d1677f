"""Runs recovery's decisions over whole files, a piece at a time, so that memory stays bounded.

Called by `opening` and `doctor`.
"""

from __future__ import annotations

from collections.abc import Iterator

from yeoul.log.disk import DiskFile
from yeoul.log.recovery import ScanEnd, Scanned, batch_candidates, is_valid_batch, read_header_or_none, scan
from yeoul.wire.records import HEADER_BYTES

__all__ = ["find_batch", "scan_file"]

_CHUNK_BYTES = 8 << 20


def scan_file(file: DiskFile, position: int, next_offset: int, sparse_below: int = 0) -> Iterator[tuple[int, Scanned]]:
    """Yields what `scan` finds from `position` on, each with the place in the file where its buffer began.

    Every piece but the last one ends with a whole batch; the last one says how the file ends.
    """
    size_bytes = file.size_bytes()
    chunk_bytes = _CHUNK_BYTES
    while position < size_bytes:
        data = file.read_at(min(chunk_bytes, size_bytes - position), position)
        seen = scan(data, next_offset=next_offset, sparse_below=sparse_below)
        reaches_end = position + len(data) >= size_bytes
        if seen.end is ScanEnd.CUT and not reaches_end:
            header = read_header_or_none(data, seen.valid_bytes)
            wanted_bytes = header.size_bytes if header is not None else HEADER_BYTES
            if wanted_bytes <= size_bytes - position - seen.valid_bytes:
                # The batch goes on beyond this piece: begin the next one with it.
                seen = Scanned(seen.batches, seen.valid_bytes, seen.next_offset, ScanEnd.END, "")
                chunk_bytes = max(_CHUNK_BYTES, wanted_bytes)
        yield position, seen
        if seen.end is not ScanEnd.END:
            return
        position += seen.valid_bytes
        next_offset = seen.next_offset


def find_batch(file: DiskFile, start: int, next_offset: int) -> int | None:
    """Returns the position of a whole valid batch after the damaged place `start`, None when there is none."""
    size_bytes = file.size_bytes()
    position = start
    while position < size_bytes:
        data = bytes(file.read_at(min(_CHUNK_BYTES, size_bytes - position), position))
        remaining_bytes = size_bytes - position
        for found in batch_candidates(data, next_offset=next_offset, remaining_bytes=remaining_bytes):
            header = read_header_or_none(data, found)
            if header is not None and is_valid_batch(file.read_at(header.size_bytes, position + found)):
                return position + found
        if position + len(data) >= size_bytes:
            return None
        position += len(data) - HEADER_BYTES
    return None
