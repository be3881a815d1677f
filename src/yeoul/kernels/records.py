"""Kafka record batches (magic 2) in a fetch buffer: where every record's key, value and headers lie.

A fetch response holds batches one behind the other, the last one often cut short. `decode_batches` walks them and
writes one row a record: offset, timestamp, places of key, value and headers. Nothing is copied: places are relative to
the buffer. Control batches (transaction markers) give no rows; a compressed batch, or one of another magic, gives none
either and is named, so that the caller can decompress it and read its records section with `decode_section`.
`encode_section` goes the other way, for sinks.

Hostile bytes: every varint is bounded, every length is checked against its record, every record against its batch and
every batch against the buffer before anything is read or noted. A batch with a fault ends the walk and is named. CRCs
are the caller's business.

Source: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import (
    byte_swap,
    compiled,
    copy_bytes,
    inlined,
    load_u8,
    load_u32,
    load_u64,
    store_u8,
    store_u64,
)

__all__ = ["BatchTable", "RecordColumns", "RecordFault", "decode_batches", "decode_section", "encode_section"]

HEADER_BYTES: Final = 61
_LEAST_RECORD_BYTES: Final = 7
_ROW_WORDS: Final = 8
_BATCH_WORDS: Final = 8
DECODED, CONTROL, COMPRESSED, OTHER_MAGIC = range(4)
_WHOLE, _BROKEN = 0, 1
_COMPRESSION_BITS, _LOG_APPEND_BIT, _CONTROL_BIT = 7, 8, 32


class RecordFault(Exception):
    """A batch, or a records section, contradicts itself.

    Attributes:
        position: Where in the buffer the batch begins.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        super().__init__(f"malformed record batch at byte {position} of the buffer")


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """One entry a record, int64 throughout; places are byte positions in the buffer that was decoded.

    Attributes:
        offsets: Offsets in the partition.
        timestamps_ms: Timestamps since 1970; the batch's append time where the topic says so.
        key_starts: Where keys begin.
        key_lengths: Bytes of keys, -1 for none.
        value_starts: Where values begin.
        value_lengths: Bytes of values, -1 for none (a tombstone).
        header_starts: Where the first header begins, behind the count.
        header_counts: How many headers there are.
    """

    offsets: NDArray[np.int64]
    timestamps_ms: NDArray[np.int64]
    key_starts: NDArray[np.int64]
    key_lengths: NDArray[np.int64]
    value_starts: NDArray[np.int64]
    value_lengths: NDArray[np.int64]
    header_starts: NDArray[np.int64]
    header_counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class BatchTable:
    """One entry a whole batch, int64 throughout.

    Attributes:
        positions: Where batches begin in the buffer.
        sizes: Their bytes, header included.
        kinds: DECODED, CONTROL, COMPRESSED or OTHER_MAGIC.
        attributes: Their attribute bits.
        base_offsets: Offset of the first record.
        next_offsets: Offset behind the last record.
        producer_ids: Of the idempotent producer, else -1.
        first_rows: The row of the batch's first record; for batches without rows, where they would be.
        end: Where the last whole batch ends; what follows was cut short.
        fault: Where a malformed batch begins that ended the walk; -1 for none.
    """

    positions: NDArray[np.int64]
    sizes: NDArray[np.int64]
    kinds: NDArray[np.int64]
    attributes: NDArray[np.int64]
    base_offsets: NDArray[np.int64]
    next_offsets: NDArray[np.int64]
    producer_ids: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    end: int
    fault: int

    def __len__(self) -> int:
        return len(self.positions)


@inlined
def _read_varint(p, end):
    """Reads a zigzag varint of up to 10 bytes; returns (address after it or 0, value)."""
    byte = load_u8(p) if p < end else 0x80
    if byte < 0x80:
        return p + 1, (byte >> 1) ^ -(byte & 1)
    return _read_long_varint(p, end)


@compiled
def _read_long_varint(p, end):
    value = 0
    shift = 0
    while p < end and shift < 70:
        byte = load_u8(p)
        p += 1
        if shift == 63 and byte > 1:
            return 0, 0
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return p, ((value >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(value & 1)
        shift += 7
    return 0, 0


@compiled
def _headers_end(p, end, count):
    """Passes over the headers of a record; returns the address after them, 0 for a fault."""
    for _ in range(count):
        p, length = _read_varint(p, end)
        if p == 0 or length < 0 or length > end - p:
            return 0
        p, length = _read_varint(p + length, end)
        if p == 0 or length < -1 or length > end - p:
            return 0
        p += max(length, 0)
    return p


@compiled
def _read_records(p, end, count, data, rows, stride, base_offset, base_timestamp, append_time):
    """Reads `count` records that fill the bytes from p to end; returns whether they did."""
    for index in range(count):
        row = rows + index * 8
        p, length = _read_varint(p, end)
        if p == 0 or length < 1 or length > end - p:
            return False
        stop = p + length
        p, timestamp = _read_varint(p + 1, stop)
        if p == 0:
            return False
        p, offset = _read_varint(p, stop)
        if p == 0:
            return False
        store_u64(row, base_offset + offset)
        store_u64(row + stride, append_time if append_time >= 0 else base_timestamp + timestamp)
        p, length = _read_varint(p, stop)
        if p == 0 or length < -1 or length > stop - p:
            return False
        store_u64(row + 2 * stride, p - data)
        store_u64(row + 3 * stride, length)
        p, length = _read_varint(p + max(length, 0), stop)
        if p == 0 or length < -1 or length > stop - p:
            return False
        store_u64(row + 4 * stride, p - data)
        store_u64(row + 5 * stride, length)
        p, headers = _read_varint(p + max(length, 0), stop)
        if p == 0 or headers < 0 or headers > stop - p:
            return False
        store_u64(row + 6 * stride, p - data)
        store_u64(row + 7 * stride, headers)
        if headers != 0:
            p = _headers_end(p, stop, headers)
        if p != stop:
            return False
    return p == end


@inlined
def _big_endian_32(p):
    return byte_swap(load_u32(p) << 32)


@compiled
def _batch_kind(p):
    attributes = _big_endian_32(p + 19) & 0xFFFF
    if load_u8(p + 16) != 2:
        return OTHER_MAGIC
    if attributes & _CONTROL_BIT:
        return CONTROL
    return COMPRESSED if attributes & _COMPRESSION_BITS else DECODED


@compiled
def _batch_size(p, left):
    """Returns the bytes of the batch at p; 0 if it is cut short, -1 if its length is absurd."""
    if left < HEADER_BYTES:
        return 0
    body = _big_endian_32(p + 8)
    if body > 0x7FFFFFFF or body < HEADER_BYTES - 12:
        return -1
    return body + 12 if body + 12 <= left else 0


@kernel("UniTuple(int64, 2)(int64, int64)")
def _count(data, size):
    """Returns (batches, records) that a buffer claims to hold; a claim beyond what fits ends the count."""
    position, batches, records = 0, 0, 0
    while position < size:
        p = data + position
        length = _batch_size(p, size - position)
        if length <= 0:
            break
        if _batch_kind(p) == DECODED:
            claimed = _big_endian_32(p + 57)
            if claimed > (length - HEADER_BYTES) // _LEAST_RECORD_BYTES:
                break
            records += claimed
        batches += 1
        position += length
    return batches, records


@kernel("UniTuple(int64, 4)(int64, int64, int64, int64, int64, int64)")
def _walk(data, size, rows, room, table, table_room):
    """Fills both tables; returns (batches, records, end of the last whole batch, place of a fault or -1)."""
    position, batches, records = 0, 0, 0
    stride = room * 8
    while position < size:
        p = data + position
        length = _batch_size(p, size - position)
        if length < 0:
            return batches, records, position, position
        if length == 0:
            break
        kind = _batch_kind(p)
        attributes = _big_endian_32(p + 19) & 0xFFFF
        base_offset = byte_swap(load_u64(p))
        count = 0
        if kind == DECODED:
            count = _big_endian_32(p + 57)
            if count > room - records or batches == table_room:
                return batches, records, position, position
            append_time = byte_swap(load_u64(p + 35)) if attributes & _LOG_APPEND_BIT else -1
            base_timestamp = byte_swap(load_u64(p + 27))
            start, end, row = p + HEADER_BYTES, p + length, rows + records * 8
            if not _read_records(start, end, count, data, row, stride, base_offset, base_timestamp, append_time):
                return batches, records, position, position
        elif batches == table_room:
            return batches, records, position, position
        entry = table + batches * 8
        last = table_room * 8
        store_u64(entry, position)
        store_u64(entry + last, length)
        store_u64(entry + 2 * last, kind)
        store_u64(entry + 3 * last, attributes)
        store_u64(entry + 4 * last, base_offset)
        store_u64(entry + 5 * last, base_offset + _big_endian_32(p + 23) + 1)
        store_u64(entry + 6 * last, byte_swap(load_u64(p + 43)))
        store_u64(entry + 7 * last, records)
        records += count
        batches += 1
        position += length
    return batches, records, position, -1


@kernel("boolean(int64, int64, int64, int64, int64, int64, int64)")
def _read_section(data, size, rows, count, base_offset, base_timestamp, append_time):
    end = data + size
    return _read_records(data, end, count, data, rows, count * 8, base_offset, base_timestamp, append_time)


def decode_batches(data: NDArray[np.uint8]) -> tuple[RecordColumns, BatchTable]:
    """Decodes all whole, uncompressed batches of a buffer; holds no lock while it works.

    Nothing is raised for malformed input: see `BatchTable.fault`. The arrays do not refer to `data`.
    """
    data = np.ascontiguousarray(data)
    batches, records = _count(address_of(data), len(data))
    # A batch that ended the count is met again by the walk, which names it; it needs no room.
    rows = np.empty((_ROW_WORDS, records), np.int64)
    table = np.empty((_BATCH_WORDS, batches), np.int64)
    batches, records, end, fault = _walk(
        address_of(data), len(data), address_of(rows), rows.shape[1], address_of(table), table.shape[1]
    )
    return RecordColumns(*rows[:, :records]), BatchTable(*table[:_BATCH_WORDS, :batches], end, fault)  # type: ignore[call-arg]


def decode_section(
    data: NDArray[np.uint8], count: int, base_offset: int, base_timestamp_ms: int, append_time_ms: int = -1
) -> RecordColumns:
    """Decodes a records section: what stands behind a batch's header, decompressed.

    Args:
        data: The section; places are relative to it.
        count: Records, as the header says.
        base_offset: Of the batch.
        base_timestamp_ms: Of the batch.
        append_time_ms: The batch's greatest timestamp if it carries append times, else -1.

    Raises:
        RecordFault: The section does not hold exactly that many records.
    """
    data = np.ascontiguousarray(data)
    if not 0 <= count <= len(data) // _LEAST_RECORD_BYTES:
        raise RecordFault(0)
    rows = np.empty((_ROW_WORDS, count), np.int64)
    args = (count, base_offset, base_timestamp_ms, append_time_ms)
    if not _read_section(address_of(data), len(data), address_of(rows), *args):
        raise RecordFault(0)
    return RecordColumns(*rows)


@inlined
def _varint_bytes(value):
    """Returns how many bytes a non-negative length takes, zigzag."""
    value <<= 1
    count = 1
    while value >= 128:
        value >>= 7
        count += 1
    return count


@inlined
def _write_varint(p, value):
    value = (value << 1) ^ (value >> 63)
    while value >= 128 or value < 0:
        store_u8(p, (value & 0x7F) | 0x80)
        value = (value >> 7) & 0x01FFFFFFFFFFFFFF
        p += 1
    store_u8(p, value)
    return p + 1


@inlined
def _write_field(p, data, start, length):
    p = _write_varint(p, length)
    if length > 0:
        copy_bytes(p, data + start, length)
        p += length
    return p


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _write_section(keys, key_starts, key_lengths, values, value_starts, value_lengths, deltas, count, out):
    """Writes the records section; a key_lengths of 0 means no keys, deltas of 0 none either. Returns its bytes."""
    p = out
    for index in range(count):
        key_length = load_u64(key_lengths + index * 8) if key_lengths else -1
        value_length = load_u64(value_lengths + index * 8)
        delta = load_u64(deltas + index * 8) if deltas else 0
        key_start = load_u64(key_starts + index * 8) if key_lengths else 0
        body = p + 5
        q = body
        store_u8(q, 0)
        q = _write_varint(q + 1, delta)
        q = _write_varint(q, index)
        q = _write_field(q, keys, key_start, key_length)
        # The value is written behind the length of the record, once that is known: only its head is moved.
        head = q - body
        length = head + (1 if value_length < 0 else _varint_bytes(value_length)) + max(value_length, 0) + 1
        prefix = _varint_bytes(length)
        if prefix < 5:
            for byte in range(head):
                store_u8(p + prefix + byte, load_u8(body + byte))
        _write_varint(p, length)
        q = _write_field(p + prefix + head, values, load_u64(value_starts + index * 8), value_length)
        store_u8(q, 0)
        p = q + 1
    return p - out


@kernel("int64(int64, int64, int64, int64)")
def _bytes_within(starts, lengths, count, size):
    """Returns the bytes of all fields, or -1 if one lies outside a buffer of `size` bytes."""
    total = 0
    for index in range(count):
        length = load_u64(lengths + index * 8)
        if length <= 0:
            continue
        start = load_u64(starts + index * 8)
        if start < 0 or length > size or start > size - length:
            return -1
        total += length
    return total


def encode_section(
    values: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]],
    keys: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]] | None = None,
    timestamp_deltas_ms: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """Encodes a records section: offset deltas count from 0, there are no headers.

    Args:
        values: Buffer, starts and lengths of the values; a length of -1 is a null value.
        keys: The same of the keys; None if no record has one.
        timestamp_deltas_ms: To the batch's base timestamp; None for all zero.

    Raises:
        ValueError: A field lies outside its buffer, or the arrays differ in length.
    """
    count = len(values[1])
    size = count * 32
    addresses = [0, 0, 0] if keys is None else []
    for data, starts, lengths in (values,) if keys is None else (keys, values):
        if not len(starts) == len(lengths) == count:
            raise ValueError("the arrays differ in length")
        addresses += [address_of(data), address_of(starts), address_of(lengths)]
        bytes_within = _bytes_within(*addresses[-2:], count, len(data))
        if bytes_within < 0:
            raise ValueError("a field lies outside its buffer")
        size += bytes_within
    out = np.empty(size, np.uint8)
    deltas = None if timestamp_deltas_ms is None else np.ascontiguousarray(timestamp_deltas_ms, np.int64)
    if deltas is not None and len(deltas) != count:
        raise ValueError("the arrays differ in length")
    written = _write_section(*addresses, 0 if deltas is None else address_of(deltas), count, address_of(out))
    return out[:written]
