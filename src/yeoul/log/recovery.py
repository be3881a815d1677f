"""What the bytes of a segment mean after a start: pure decisions, no file is touched here.

A log that was not closed cleanly is scanned from its recovery point on. `scan` walks whole, valid batches; where it
stops, the rest is a torn tail (an append that the crash cut short, never acknowledged) only if no valid batch follows
it: `find_batch` looks for one. A torn tail is truncated. Anything else means that acknowledged bytes may be damaged,
and the log refuses to start rather than lose them silently.

Callers: `partition` when it opens, `doctor`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from yeoul.wire.errors import ProtocolError
from yeoul.wire.records import HEADER_BYTES, BatchHeader, check_crc, read_header

__all__ = ["LEADER_EPOCH", "ScanEnd", "Scanned", "batch_candidates", "is_valid_batch", "may_follow", "scan"]

LEADER_EPOCH = 0
"""A single node never changes leaders, so every stored batch carries this leader epoch."""

# Leader epoch and magic, bytes 12 to 16 of every stored batch: what a search looks for.
_SIGNATURE = struct.pack(">ib", LEADER_EPOCH, 2)
_SIGNATURE_AT = 12
_BASE_OFFSET = struct.Struct(">q")


class ScanEnd(Enum):
    """Why a scan stopped."""

    END = "the buffer ends with a whole batch"
    CUT = "the buffer ends inside a batch"
    INVALID = "the bytes are no batch that can stand here"


@dataclass(frozen=True, slots=True)
class Scanned:
    """The valid batches at the beginning of a buffer.

    Attributes:
        batches: Position in the buffer and header of each.
        valid_bytes: Where the last of them ends.
        next_offset: The offset that follows them.
        end: Why the scan stopped there.
        reason: What is wrong at `valid_bytes`, empty at the end.
    """

    batches: tuple[tuple[int, BatchHeader], ...]
    valid_bytes: int
    next_offset: int
    end: ScanEnd
    reason: str


def scan(buffer: bytes | bytearray | memoryview, *, next_offset: int, sparse_below: int = 0) -> Scanned:
    """Walks the batches from the beginning of a buffer; the first one must have `next_offset` as its base offset.

    Below `sparse_below` compaction has left gaps: there a batch may begin later than where the one before it ended.

    Example:
        >>> from yeoul.wire.records import Record, encode_batch
        >>> batch = encode_batch([Record(5, 0, None, b"v")])
        >>> seen = scan(batch + batch[:30], next_offset=5)
        >>> seen.valid_bytes == len(batch), seen.next_offset, seen.end.name
        (True, 6, 'CUT')
    """
    batches: list[tuple[int, BatchHeader]] = []
    position, end_position = 0, len(buffer)
    while position < end_position:
        if end_position - position < HEADER_BYTES:
            return Scanned(tuple(batches), position, next_offset, ScanEnd.CUT, "the header is cut off")
        try:
            header = read_header(buffer, position)
        except ProtocolError as error:
            return Scanned(tuple(batches), position, next_offset, ScanEnd.INVALID, error.message)
        reason = _misplaced(header, next_offset, sparse_below)
        if not reason and header.size_bytes > end_position - position:
            return Scanned(tuple(batches), position, next_offset, ScanEnd.CUT, "the batch is cut off")
        if not reason:
            reason = _damaged(buffer, header, position)
        if reason:
            return Scanned(tuple(batches), position, next_offset, ScanEnd.INVALID, reason)
        batches.append((position, header))
        position += header.size_bytes
        next_offset = header.next_offset
    return Scanned(tuple(batches), position, next_offset, ScanEnd.END, "")


def may_follow(base_offset: int, next_offset: int, sparse_below: int) -> bool:
    """Returns whether a batch or segment may begin at an offset, given the one that the log has reached.

    Example:
        >>> may_follow(9, 9, 0), may_follow(9, 7, 0), may_follow(9, 7, 9), may_follow(6, 7, 9)
        (True, False, True, False)
    """
    return base_offset == next_offset or next_offset < base_offset <= sparse_below


def _misplaced(header: BatchHeader, next_offset: int, sparse_below: int) -> str:
    if not may_follow(header.base_offset, next_offset, sparse_below):
        return f"expected base offset {next_offset}, got {header.base_offset}"
    if header.last_offset_delta < 0:
        return f"impossible last offset delta {header.last_offset_delta}"
    return ""


def _damaged(buffer: bytes | bytearray | memoryview, header: BatchHeader, position: int) -> str:
    try:
        check_crc(buffer, header, position)
    except ProtocolError as error:
        return error.message
    return ""


def batch_candidates(buffer: bytes | bytearray, *, next_offset: int, remaining_bytes: int) -> Iterator[int]:
    """Yields the positions where a later batch might begin, judged by its header alone.

    Args:
        buffer: Bytes that follow a damaged place; searched from position 1, as position 0 is the damaged place.
        next_offset: The offset that was expected at the damaged place.
        remaining_bytes: How many bytes the file holds from the buffer's beginning; bounds length and offset.
    """
    found = buffer.find(_SIGNATURE, _SIGNATURE_AT + 1)
    while found >= 0:
        position = found - _SIGNATURE_AT
        if len(buffer) - position >= HEADER_BYTES:
            header = read_header_or_none(buffer, position)
            if (
                header is not None
                and next_offset < header.base_offset <= next_offset + remaining_bytes * 1024
                and header.size_bytes <= remaining_bytes - position
                and header.last_offset_delta >= 0
            ):
                yield position
        found = buffer.find(_SIGNATURE, found + 1)


def read_header_or_none(buffer: bytes | bytearray | memoryview, position: int = 0) -> BatchHeader | None:
    """Returns the header at a position, or None where there can be none."""
    try:
        return read_header(buffer, position)
    except ProtocolError:
        return None


def is_valid_batch(buffer: bytes | bytearray | memoryview) -> bool:
    """Returns whether a buffer begins with one whole batch whose CRC is right."""
    header = read_header_or_none(buffer)
    return header is not None and header.size_bytes <= len(buffer) and not _damaged(buffer, header, 0)
