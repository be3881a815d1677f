"""Stored batches as columns: a segment in pieces of whole batches, decompressed, with a row for every record.

Memory is bounded: a piece is a few megabytes, or one batch. Caller: `cleaning`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import crc32c
import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.records import COMPRESSED, OTHER_MAGIC, BatchTable, RecordColumns, decode_batches
from yeoul.log.disk import DiskFile
from yeoul.log.errors import LogCorrupt
from yeoul.wire.compression import Codec, decompress
from yeoul.wire.errors import ProtocolError
from yeoul.wire.records import HEADER_BYTES, read_header

__all__ = ["HEADER", "Piece", "pieces"]

_CHUNK_BYTES = 4 << 20
_EXPANDED_BYTES = 32 << 20
_CRC_START = 21

HEADER = np.dtype(
    [
        ("base_offset", ">i8"),
        ("batch_length", ">i4"),
        ("leader_epoch", ">i4"),
        ("magic", "i1"),
        ("crc", ">u4"),
        ("attributes", ">i2"),
        ("last_offset_delta", ">i4"),
        ("base_timestamp_ms", ">i8"),
        ("max_timestamp_ms", ">i8"),
        ("producer_id", ">i8"),
        ("producer_epoch", ">i2"),
        ("base_sequence", ">i4"),
        ("record_count", ">i4"),
    ]
)
"""A batch's header as it is stored."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole batches, one entry a batch or a record.

    Attributes:
        stored: The bytes as they are in the file.
        starts: Where each batch begins in `stored`.
        sizes: Its bytes there.
        headers: The batches' headers, of type `HEADER`.
        data: The same batches without compression.
        sections: Where each batch's records begin in `data`.
        section_ends: Where they end.
        first_rows: The row of its first record; control batches have no rows.
        row_counts: How many rows it has.
        records: The rows.
    """

    stored: memoryview
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    headers: NDArray[np.void]
    data: NDArray[np.uint8]
    sections: NDArray[np.int64]
    section_ends: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    row_counts: NDArray[np.int64]
    records: RecordColumns

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def last_offsets(self) -> NDArray[np.int64]:
        """The offset of each batch's last record, as it was produced."""
        deltas = self.headers["last_offset_delta"].astype(np.int64)
        last: NDArray[np.int64] = self.headers["base_offset"].astype(np.int64) + deltas
        return last

    def rows(self, start: int, end: int) -> RecordColumns:
        """Returns the rows from number `start` up to `end`."""
        held = self.records
        return RecordColumns(
            held.offsets[start:end],
            held.timestamps_ms[start:end],
            held.key_starts[start:end],
            held.key_lengths[start:end],
            held.value_starts[start:end],
            held.value_lengths[start:end],
            held.header_starts[start:end],
            held.header_counts[start:end],
        )


def pieces(file: DiskFile, size_bytes: int, path: Path) -> Iterator[Piece]:
    """Yields a segment's batches in order.

    Raises:
        LogCorrupt: A batch is damaged.
    """
    position, chunk_bytes = 0, _CHUNK_BYTES
    while position < size_bytes:
        stored = bytes(file.read_at(min(chunk_bytes, size_bytes - position), position))
        columns, table = decode_batches(np.frombuffer(stored, np.uint8))
        if table.fault >= 0 or (table.kinds == OTHER_MAGIC).any():
            raise _corrupt(path, position + max(0, table.fault), "its records contradict its header")
        if not len(table):
            if len(stored) < HEADER_BYTES or position + len(stored) >= size_bytes:
                raise _corrupt(path, position, "it is cut short")
            chunk_bytes = read_header(stored).size_bytes
            continue
        chunk_bytes = _CHUNK_BYTES
        _check_crcs(stored, table, path, position)
        compressed = (table.kinds == COMPRESSED).any()
        piece = _expanded(stored, table, path, position) if compressed else _plain(stored, columns, table)
        yield piece
        position += int(piece.starts[-1] + piece.sizes[-1])


def _corrupt(path: Path, position: int, reason: str) -> LogCorrupt:
    return LogCorrupt(
        f"{path} is damaged: the batch at position {position}: {reason}",
        hint="It is not compacted. Run `yeoul doctor` on the data directory.",
    )


def _check_crcs(stored: bytes, table: BatchTable, path: Path, at: int) -> None:
    view = memoryview(stored)
    checksum = crc32c.crc32c
    for start, size in zip(table.positions.tolist(), table.sizes.tolist(), strict=True):
        if checksum(view[start + _CRC_START : start + size]) != int.from_bytes(view[start + 17 : start + 21], "big"):
            raise _corrupt(path, at + start, "its CRC-32C does not match")


def _headers(data: NDArray[np.uint8], positions: NDArray[np.int64]) -> NDArray[np.void]:
    gathered = data[positions[:, None] + np.arange(HEADER_BYTES)]
    headers: NDArray[np.void] = gathered.view(HEADER).reshape(-1)
    return headers


def _plain(stored: bytes, records: RecordColumns, table: BatchTable) -> Piece:
    data = np.frombuffer(stored, np.uint8)
    return _piece(stored, table.positions, table.sizes, data, records, table)


def _piece(
    stored: bytes,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    data: NDArray[np.uint8],
    records: RecordColumns,
    table: BatchTable,
) -> Piece:
    headers = _headers(np.frombuffer(stored, np.uint8), starts)
    ends = table.positions + table.sizes
    row_counts = np.diff(table.first_rows, append=len(records))
    sections = table.positions + HEADER_BYTES
    return Piece(
        memoryview(stored), starts, sizes, headers, data, sections, ends, table.first_rows, row_counts, records
    )


def _expanded(stored: bytes, table: BatchTable, path: Path, at: int) -> Piece:
    """Reads batches of which some are compressed, as many as do not become too many bytes."""
    parts: list[bytes | bytearray | memoryview] = []
    view, held_bytes, taken = memoryview(stored), 0, 0
    for start, size in zip(table.positions.tolist(), table.sizes.tolist(), strict=True):
        if held_bytes >= _EXPANDED_BYTES:
            break
        try:
            header = read_header(view, start)
            body = view[start + HEADER_BYTES : start + size]
            section = body if header.codec is Codec.NONE else decompress(header.codec, body)
        except ProtocolError as error:
            raise _corrupt(path, at + start, error.message) from error
        plain = bytearray(view[start : start + HEADER_BYTES])
        plain[8:12] = (len(section) + HEADER_BYTES - 12).to_bytes(4, "big")
        plain[22] &= 0xF8
        parts += (plain, section)
        held_bytes += HEADER_BYTES + len(section)
        taken += 1
    data = np.frombuffer(b"".join(parts), np.uint8)
    records, plain_table = decode_batches(data)
    if plain_table.fault >= 0 or len(plain_table) != taken:
        raise _corrupt(path, at, "its decompressed records contradict its header")
    return _piece(stored, table.positions[:taken], table.sizes[:taken], data, records, plain_table)
