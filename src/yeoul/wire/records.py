"""Record batches, version 2: the unit that producers send, the log stores and consumers receive.

Owns the 61-byte header, what makes a batch acceptable, patching it in place, and a plain-Python reading and writing of
single records for the places where there are few of them (tests, internal topics, tools). Invariants: no function here
copies record data except `encode_batch` and `decode_records`; whatever the bytes, only `ProtocolError` is raised.
Callers: `log` (append, recovery), `broker` (produce), `connectors/kafka` (fetch).

Source: https://kafka.apache.org/documentation/#recordbatch. The CRC covers everything from the attributes on, so base
offset and leader epoch can be patched without touching it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import crc32c

from yeoul.wire.compression import MAX_DECOMPRESSED_BYTES, Buffer, Codec, compress, decompress
from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = [
    "CREATE_TIME",
    "DELETE_HORIZON_BIT",
    "HEADER_BYTES",
    "LOG_APPEND_TIME",
    "LOG_OVERHEAD_BYTES",
    "TRANSACTIONAL_BIT",
    "BatchHeader",
    "Record",
    "check_crc",
    "decode_records",
    "empty_batch",
    "encode_batch",
    "iter_batches",
    "patch_append_time",
    "patch_offsets",
    "read_header",
    "rewritten_batch",
    "transcode",
    "validate_produced",
]

HEADER_BYTES = 61
LOG_OVERHEAD_BYTES = 12
"""Base offset and length: what stands before the bytes that `batch_length` counts."""

CREATE_TIME = 0
LOG_APPEND_TIME = 1

_HEADER = struct.Struct(">qiibIhiqqqhii")
_OFFSETS = struct.Struct(">qii")
_CRC_START = 21
_CODEC_MASK = 0x07
_CODECS = tuple(Codec)
_APPEND_TIME_BIT = 0x08
TRANSACTIONAL_BIT = 0x10
"""In the attributes of a batch that belongs to a transaction."""
_CONTROL_BIT = 0x20
DELETE_HORIZON_BIT = 0x40
"""In the attributes of a batch whose base timestamp is a delete horizon: compaction sets it (KIP-534)."""
_SMALLEST_RECORD_BYTES = 7
_MAX_RECORD_HEADERS = 100_000


class BatchHeader(NamedTuple):
    """The fixed fields of a batch, in their order on the wire; times are milliseconds since 1970."""

    base_offset: int
    batch_length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size_bytes(self) -> int:
        """The whole batch, header included."""
        return LOG_OVERHEAD_BYTES + self.batch_length

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record; sequences wrap around after 2**31 - 1."""
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF

    @property
    def codec(self) -> Codec:
        """Raises:
        ProtocolError: The attributes name a codec that does not exist.
        """
        number = self.attributes & _CODEC_MASK
        if number >= len(_CODECS):
            raise ProtocolError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"Unknown compression codec {number}")
        return _CODECS[number]

    @property
    def is_compressed(self) -> bool:
        """Whether the attributes name a codec, if only one that does not exist."""
        return bool(self.attributes & _CODEC_MASK)

    @property
    def timestamp_type(self) -> int:
        return LOG_APPEND_TIME if self.attributes & _APPEND_TIME_BIT else CREATE_TIME

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL_BIT)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & _CONTROL_BIT)

    @property
    def delete_horizon_ms(self) -> int | None:
        """The time from which on compaction may remove the batch's tombstones, or the marker it is; None for none."""
        return self.base_timestamp_ms if self.attributes & DELETE_HORIZON_BIT else None

    @property
    def is_idempotent(self) -> bool:
        return self.producer_id >= 0


class Record(NamedTuple):
    """One record with its absolute offset; `key` and `value` are None where the wire says null."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """Returns the header of the batch that starts at `position`, its fields unchecked but for magic and length.

    Raises:
        ProtocolError: There are fewer bytes than a header has, the magic is not 2, or the length is impossible.
            The batch's end may lie beyond the buffer: that is for the caller to judge.
    """
    try:
        header = BatchHeader._make(_HEADER.unpack_from(buffer, position))
    except struct.error:
        held_bytes = max(0, len(buffer) - position)
        message = f"Expected a batch header of {HEADER_BYTES} bytes at {position}, got {held_bytes}"
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, message) from None
    if header.magic != 2:
        code = ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT if header.magic in (0, 1) else ErrorCode.CORRUPT_MESSAGE
        raise ProtocolError(code, f"Expected a record batch of magic 2, got {header.magic}")
    if header.batch_length < HEADER_BYTES - LOG_OVERHEAD_BYTES:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"Impossible batch length {header.batch_length}")
    return header


def check_crc(buffer: Buffer, header: BatchHeader, position: int = 0) -> None:
    """Raises ProtocolError (`CORRUPT_MESSAGE`) unless the CRC-32C of the batch at `position` is right."""
    got = crc32c.crc32c(memoryview(buffer)[position + _CRC_START : position + header.size_bytes])
    if got != header.crc:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"CRC-32C mismatch: header says {header.crc:#x}, got {got:#x}")


def validate_produced(buffer: Buffer, position: int = 0, *, max_batch_bytes: int | None = None) -> BatchHeader:
    """Returns the header of a batch that a client may have stored.

    Args:
        buffer: One or more batches.
        position: Where the batch starts.
        max_batch_bytes: The topic's `max.message.bytes`; None for no limit.

    Raises:
        ProtocolError: With the code to answer: truncated, damaged, of an old format, larger than allowed, its record
            count at odds with its offsets or its size, or with the control bit, which only the broker may set.
    """
    header = read_header(buffer, position)
    if header.size_bytes > len(buffer) - position:
        held_bytes = len(buffer) - position
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A batch of {header.size_bytes} bytes, got {held_bytes}")
    if max_batch_bytes is not None and header.size_bytes > max_batch_bytes:
        message = f"A batch of {header.size_bytes} bytes exceeds max.message.bytes = {max_batch_bytes}"
        raise ProtocolError(ErrorCode.MESSAGE_TOO_LARGE, message)
    check_crc(buffer, header, position)
    if header.record_count < 1 or header.record_count != header.last_offset_delta + 1:
        message = f"Record count {header.record_count} disagrees with last offset delta {header.last_offset_delta}"
        raise ProtocolError(ErrorCode.INVALID_RECORD, message)
    records_bytes = header.size_bytes - HEADER_BYTES
    if header.codec is Codec.NONE and header.record_count * _SMALLEST_RECORD_BYTES > records_bytes:
        raise ProtocolError(
            ErrorCode.INVALID_RECORD, f"{header.record_count} records cannot fit in {records_bytes} bytes"
        )
    if header.attributes & (_CONTROL_BIT | DELETE_HORIZON_BIT):
        what = "control batches" if header.is_control else "delete horizons"
        raise ProtocolError(ErrorCode.INVALID_RECORD, f"Clients may not write {what}")
    if header.is_idempotent and (header.producer_epoch < 0 or header.base_sequence < 0):
        raise ProtocolError(ErrorCode.INVALID_RECORD, "A producer id needs a producer epoch and a base sequence")
    return header


def iter_batches(buffer: Buffer, position: int = 0) -> Iterator[tuple[int, BatchHeader]]:
    """Yields (position, header) of each whole batch and stops at a cut-off last one, as fetched data may end so.

    Raises:
        ProtocolError: A header is impossible.
    """
    end = len(buffer)
    while end - position >= HEADER_BYTES:
        header = read_header(buffer, position)
        if header.size_bytes > end - position:
            return
        yield position, header
        position += header.size_bytes


def patch_offsets(buffer: bytearray | memoryview, position: int, base_offset: int, leader_epoch: int) -> None:
    """Gives the batch at `position` its place in the log; the CRC stays valid."""
    (batch_length,) = struct.unpack_from(">i", buffer, position + 8)
    _OFFSETS.pack_into(buffer, position, base_offset, batch_length, leader_epoch)


def patch_append_time(buffer: bytearray | memoryview, position: int, timestamp_ms: int) -> None:
    """Marks the batch at `position` as stamped by the log and recomputes its CRC."""
    header = read_header(buffer, position)
    struct.pack_into(">h", buffer, position + _CRC_START, header.attributes | _APPEND_TIME_BIT)
    struct.pack_into(">q", buffer, position + 35, timestamp_ms)
    crc = crc32c.crc32c(memoryview(buffer)[position + _CRC_START : position + header.size_bytes])
    struct.pack_into(">I", buffer, position + 17, crc)


def rewritten_batch(header: BatchHeader, section: Buffer, **changes: int) -> bytearray:
    """Returns a batch with other records and the same place in the log.

    Args:
        header: The batch's.
        section: Its new records, uncompressed, in the deltas of the new header; they are compressed with its codec.
        **changes: Fields of the header that become others; length and CRC are computed.

    Example:
        >>> old = encode_batch([Record(7, 5, b"k", b"v")], codec=Codec.ZSTD)
        >>> section = decompress(Codec.ZSTD, memoryview(old)[HEADER_BYTES:])
        >>> rewritten_batch(read_header(old), section) == old
        True
    """
    header = header._replace(**changes)
    body = compress(header.codec, section)
    batch = bytearray(HEADER_BYTES) + body
    _HEADER.pack_into(batch, 0, *header._replace(batch_length=len(batch) - LOG_OVERHEAD_BYTES))
    struct.pack_into(">I", batch, 17, crc32c.crc32c(memoryview(batch)[_CRC_START:]))
    return batch


def empty_batch(header: BatchHeader) -> bytearray:
    """Returns a batch without records that keeps offsets, producer and sequences of the one it stands for."""
    attributes = header.attributes & ~(_CODEC_MASK | DELETE_HORIZON_BIT)
    changes = {"base_timestamp_ms": -1, "max_timestamp_ms": -1, "record_count": 0}
    return rewritten_batch(header, b"", attributes=attributes, **changes)


def transcode(batch: Buffer, header: BatchHeader, codec: Codec) -> bytearray:
    """Returns a batch with its records compressed by another codec.

    Raises:
        ProtocolError: They do not decompress.

    Example:
        >>> batch = encode_batch([Record(7, 5, b"k", b"v" * 100)])
        >>> small = transcode(batch, read_header(batch), Codec.GZIP)
        >>> read_header(small).codec.name, decode_records(small) == decode_records(batch)
        ('GZIP', True)
    """
    section = decompress(header.codec, memoryview(batch)[HEADER_BYTES : header.size_bytes])
    return rewritten_batch(header, section, attributes=header.attributes & ~_CODEC_MASK | codec)


def encode_batch(
    records: Sequence[Record],
    *,
    codec: Codec = Codec.NONE,
    leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
) -> bytearray:
    """Returns one batch holding `records`, whose offsets must ascend; the first one is the base offset.

    Example:
        >>> batch = encode_batch([Record(7, 1_000, b"k", b"v", (("h", None),))], codec=Codec.ZSTD)
        >>> validate_produced(batch).record_count, decode_records(batch)[0].offset
        (1, 7)
    """
    if not records:
        raise ValueError("A batch holds at least one record")
    base_offset = records[0].offset
    base_timestamp_ms = records[0].timestamp_ms
    payload = bytearray()
    for record in records:
        _append_record(payload, record, base_offset, base_timestamp_ms)
    body = compress(codec, payload)
    attributes = codec | (TRANSACTIONAL_BIT if transactional else 0) | (_CONTROL_BIT if control else 0)
    batch = bytearray(HEADER_BYTES) + body
    _HEADER.pack_into(
        batch,
        0,
        base_offset,
        len(batch) - LOG_OVERHEAD_BYTES,
        leader_epoch,
        2,
        0,
        attributes,
        records[-1].offset - base_offset,
        base_timestamp_ms,
        max(record.timestamp_ms for record in records),
        producer_id,
        producer_epoch,
        base_sequence,
        len(records),
    )
    struct.pack_into(">I", batch, 17, crc32c.crc32c(memoryview(batch)[_CRC_START:]))
    return batch


def decode_records(
    buffer: Buffer, position: int = 0, *, limit_bytes: int = MAX_DECOMPRESSED_BYTES, verify_crc: bool = True
) -> list[Record]:
    """Returns the records of the one batch at `position`.

    Raises:
        ProtocolError: The batch is damaged, or decompresses to more than `limit_bytes`.
    """
    header = read_header(buffer, position)
    end = position + header.size_bytes
    if end > len(buffer):
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"The batch ends at {end}, the buffer at {len(buffer)}")
    if verify_crc:
        check_crc(buffer, header, position)
    body = memoryview(buffer)[position + HEADER_BYTES : end]
    data = bytes(body) if header.codec is Codec.NONE else bytes(decompress(header.codec, body, limit_bytes=limit_bytes))
    if header.record_count < 0 or header.record_count * _SMALLEST_RECORD_BYTES > len(data):
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"{header.record_count} records cannot fit in {len(data)} bytes")
    try:
        return list(_iter_records(data, header))
    except (IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A record runs past its batch: {error}") from error


def _iter_records(data: bytes, header: BatchHeader) -> Iterator[Record]:
    at = 0
    stamped_by_log = header.timestamp_type == LOG_APPEND_TIME
    for _ in range(header.record_count):
        size_bytes, at = _read_varint(data, at)
        end = at + size_bytes
        if size_bytes < 0 or end > len(data):
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A record of {size_bytes} bytes at {at} of {len(data)}")
        timestamp_delta_ms, at = _read_varint(data, at + 1)
        offset_delta, at = _read_varint(data, at)
        key, at = _read_bytes(data, at, end)
        value, at = _read_bytes(data, at, end)
        headers, at = _read_record_headers(data, at, end)
        if at != end:
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A record ends at {at}, its length says {end}")
        timestamp_ms = header.max_timestamp_ms if stamped_by_log else header.base_timestamp_ms + timestamp_delta_ms
        yield Record(header.base_offset + offset_delta, timestamp_ms, key, value, headers)
    if at != len(data):
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"The records of a batch end at {at} of {len(data)} bytes")


def _read_record_headers(data: bytes, at: int, end: int) -> tuple[tuple[tuple[str, bytes | None], ...], int]:
    count, at = _read_varint(data, at)
    if count == 0:
        return (), at
    if not 0 <= count <= min(_MAX_RECORD_HEADERS, (end - at) // 2):
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A record with {count} headers in {end - at} bytes")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _read_bytes(data, at, end)
        if name is None:
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, "A record header without a name")
        value, at = _read_bytes(data, at, end)
        headers.append((name.decode(), value))
    return tuple(headers), at


def _read_bytes(data: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    size_bytes, at = _read_varint(data, at)
    if size_bytes < 0:
        return None, at
    if size_bytes > end - at:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A field of {size_bytes} bytes, {end - at} are left")
    return data[at : at + size_bytes], at + size_bytes


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Reads a zigzag varint of at most ten bytes; IndexError at the end of data."""
    byte = data[at]
    at += 1
    value = byte & 0x7F
    shift = 7
    while byte & 0x80:
        if shift > 63:
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, "A varint of more than ten bytes")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), at


def _append_varint(target: bytearray, value: int) -> None:
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        target.append(value & 0x7F | 0x80)
        value >>= 7
    target.append(value)


def _append_bytes(target: bytearray, value: Buffer | None) -> None:
    if value is None:
        target.append(1)
        return
    _append_varint(target, len(value))
    target += value


def _append_record(payload: bytearray, record: Record, base_offset: int, base_timestamp_ms: int) -> None:
    body = bytearray(b"\x00")
    _append_varint(body, record.timestamp_ms - base_timestamp_ms)
    _append_varint(body, record.offset - base_offset)
    _append_bytes(body, record.key)
    _append_bytes(body, record.value)
    _append_record_headers(body, record.headers)
    _append_varint(payload, len(body))
    payload += body


def _append_record_headers(body: bytearray, headers: Iterable[tuple[str, bytes | None]]) -> None:
    pairs = tuple(headers)
    _append_varint(body, len(pairs))
    for name, value in pairs:
        _append_bytes(body, name.encode())
        _append_bytes(body, value)
