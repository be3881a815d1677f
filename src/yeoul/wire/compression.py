"""The compression codecs of record batches, with the size of what comes out bounded.

Owns the codec numbers of the batch attributes and the mapping to cramjam. Invariant: a hostile input never makes
`decompress` hold more than `limit_bytes` of output. Callers: `wire.records`, and whoever reads batches in columns.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from types import ModuleType

import cramjam

from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["MAX_DECOMPRESSED_BYTES", "Buffer", "Codec", "compress", "decompress"]

Buffer = bytes | bytearray | memoryview

MAX_DECOMPRESSED_BYTES = 256 << 20
_FIRST_GUESS_BYTES = 64 << 10
_USUAL_RATIO = 4
_MOST_BELIEVED_RATIO = 64
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_LONGEST_HEADER_BYTES = 18
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16
_XERIAL_BLOCK_BYTES = 32 << 10
_LZ4_HEADER = b"\x04\x22\x4d\x18\x60\x40\x82"
"""The magic, a descriptor (blocks that depend on no other, no checksums), 64 KB blocks, the descriptor's checksum."""
_LZ4_BLOCK_BYTES = 64 << 10
_LZ4_STORED_BIT = 0x8000_0000
_LZ4_END = bytes(4)
_OUTPUT_FULL = "failed to write whole buffer"


class Codec(IntEnum):
    """The lowest three bits of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def compress(codec: Codec, data: Buffer) -> bytes:
    """Returns `data` as a producer would send it; snappy and lz4 in the framings that the Java client reads.

    Example:
        >>> bytes(decompress(Codec.SNAPPY, compress(Codec.SNAPPY, b"yeoul" * 3)))
        b'yeoulyeoulyeoul'
    """
    match codec:
        case Codec.NONE:
            return bytes(data)
        case Codec.GZIP:
            return bytes(cramjam.gzip.compress(data, level=6))
        case Codec.SNAPPY:
            return _compress_xerial(data)
        case Codec.LZ4:
            return _compress_lz4(data)
        case Codec.ZSTD:
            return bytes(cramjam.zstd.compress(data, level=3))


def decompress(codec: Codec, data: Buffer, *, limit_bytes: int = MAX_DECOMPRESSED_BYTES) -> bytes | bytearray:
    """Returns the decompressed bytes.

    Args:
        codec: Taken from the batch header.
        data: Everything after the batch header.
        limit_bytes: The most that may come out.

    Raises:
        ProtocolError: The data is damaged (`CORRUPT_MESSAGE`) or larger than the limit (`MESSAGE_TOO_LARGE`).
    """
    try:
        match codec:
            case Codec.NONE:
                return bytes(data)
            case Codec.GZIP:
                return _decompress_growing(cramjam.gzip, data, limit_bytes)
            case Codec.SNAPPY:
                return _decompress_snappy(memoryview(data), limit_bytes)
            case Codec.LZ4:
                return _decompress_growing(cramjam.lz4, data, limit_bytes)
            case Codec.ZSTD:
                return _decompress_growing(cramjam.zstd, data, limit_bytes, _announced_zstd_bytes(memoryview(data)))
    except (cramjam.DecompressionError, struct.error, OverflowError) as error:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"Damaged {codec.name.lower()} data: {error}") from error


def _too_large(limit_bytes: int) -> ProtocolError:
    return ProtocolError(ErrorCode.MESSAGE_TOO_LARGE, f"Decompressed records exceed {limit_bytes} bytes")


def _announced_zstd_bytes(data: memoryview) -> int:
    """Returns the size that a frame's header says it has, 0 if it says none (RFC 8878, 3.1.1.1)."""
    if len(data) < _ZSTD_LONGEST_HEADER_BYTES or bytes(data[:4]) != _ZSTD_MAGIC:
        return 0
    descriptor = data[4]
    is_single_segment = bool(descriptor & 0x20)
    start = 5 + (not is_single_segment) + (0, 1, 2, 4)[descriptor & 0x03]
    field_bytes = (int(is_single_segment), 2, 4, 8)[descriptor >> 6]
    announced = int.from_bytes(data[start : start + field_bytes], "little")
    return announced + 256 if field_bytes == 2 else announced


def _decompress_growing(library: ModuleType, data: Buffer, limit_bytes: int, announced_bytes: int = 0) -> bytearray:
    """Tries with an output that grows fourfold: none of these formats has to say its size beforehand.

    What a header announces is the first guess, as far as it is not out of all proportion: it may lie.
    """
    guess_bytes = min(announced_bytes, _MOST_BELIEVED_RATIO * len(data)) or _USUAL_RATIO * len(data)
    size_bytes = min(limit_bytes, max(_FIRST_GUESS_BYTES, guess_bytes))
    while True:
        output = bytearray(size_bytes)
        try:
            written: int = library.decompress_into(data, output)
        except cramjam.DecompressionError as error:
            if _OUTPUT_FULL not in str(error):
                raise
            if size_bytes >= limit_bytes:
                raise _too_large(limit_bytes) from error
            size_bytes = min(limit_bytes, 4 * size_bytes)
            continue
        del output[written:]
        return output


def _decompress_snappy(data: memoryview, limit_bytes: int) -> bytes | bytearray:
    if bytes(data[:8]) != _XERIAL_MAGIC:
        return _decompress_raw_snappy(data, limit_bytes)
    output = bytearray()
    position = _XERIAL_HEADER_BYTES
    while position < len(data):
        (block_bytes,) = struct.unpack_from(">I", data, position)
        position += 4
        if block_bytes > len(data) - position:
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"A snappy block of {block_bytes} bytes passes the end")
        block = data[position : position + block_bytes]
        output += _decompress_raw_snappy(block, limit_bytes - len(output))
        position += block_bytes
    return output


def _decompress_raw_snappy(block: memoryview, limit_bytes: int) -> bytearray:
    size_bytes: int = cramjam.snappy.decompress_raw_len(block)
    if size_bytes > limit_bytes:
        raise _too_large(limit_bytes)
    output = bytearray(size_bytes)
    written: int = cramjam.snappy.decompress_raw_into(block, output)
    del output[written:]
    return output


def _compress_lz4(data: Buffer) -> bytes:
    """Returns a frame of blocks that depend on no other: Kafka's own client and broker read no others."""
    view = memoryview(data)
    parts = [_LZ4_HEADER]
    for start in range(0, len(view), _LZ4_BLOCK_BYTES):
        plain = view[start : start + _LZ4_BLOCK_BYTES]
        block = bytes(cramjam.lz4.compress_block(plain, store_size=False))
        if len(block) < len(plain):
            parts += (struct.pack("<I", len(block)), block)
        else:
            parts += (struct.pack("<I", len(plain) | _LZ4_STORED_BIT), bytes(plain))
    parts.append(_LZ4_END)
    return b"".join(parts)


def _compress_xerial(data: Buffer) -> bytes:
    view = memoryview(data)
    parts = [_XERIAL_MAGIC, struct.pack(">ii", 1, 1)]
    for start in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(view[start : start + _XERIAL_BLOCK_BYTES]))
        parts += (struct.pack(">I", len(block)), block)
    return b"".join(parts)
