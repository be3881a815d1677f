"""Produce, by hand: the request as views into its frame, the response from a flat list of results.

Owns the hot path's reading and writing for versions 3 to 12. Invariants: record data is never copied; every length is
held against the frame; only `ProtocolError` is raised. `messages.produce` describes the same bytes as a table, and the
tests hold one against the other. Caller: `broker/handlers/produce`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from yeoul.wire.compiler import append_uvarint, read_uvarint, skip_tagged
from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["FLEXIBLE_FROM", "ProduceData", "ProduceRequest", "ProduceResult", "encode_response", "read_request"]

FLEXIBLE_FROM = 9

_SHORT = struct.Struct(">h")
_INT = struct.Struct(">i")
_ACKS = struct.Struct(">hi")
_INDEX_AND_SIZE = struct.Struct(">ii")
_RESULT = struct.Struct(">ihqq")
_LONG = struct.Struct(">q")


class ProduceData(NamedTuple):
    """What one partition is to receive; `records` is a view into the frame, valid while the frame is."""

    topic: str
    partition: int
    records: memoryview | None


class ProduceRequest(NamedTuple):
    transactional_id: str | None
    acks: int
    timeout_ms: int
    data: list[ProduceData]


class ProduceResult(NamedTuple):
    """What became of one partition's records; offsets are -1 and the time -1 where they do not apply.

    `record_errors` names single records by their place in the batch (KIP-467).
    """

    topic: str
    partition: int
    error_code: int = 0
    base_offset: int = -1
    log_append_time_ms: int = -1
    log_start_offset: int = -1
    error_message: str | None = None
    record_errors: Sequence[tuple[int, str]] = ()


def read_request(frame: memoryview, version: int, position: int) -> ProduceRequest:
    """Returns the request whose body starts at `position`.

    Raises:
        ProtocolError: The bytes are no Produce request.
    """
    try:
        return _read_flexible(frame, position) if version >= FLEXIBLE_FROM else _read_classic(frame, position)
    except (struct.error, IndexError) as error:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"A Produce request ends early: {error}") from error
    except UnicodeDecodeError as error:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, "A Produce request names a topic that is not UTF-8") from error


def _beyond(what: str, size: int, left_bytes: int) -> ProtocolError:
    message = f"A Produce request claims {size} {what}, {left_bytes} bytes are left"
    return ProtocolError(ErrorCode.INVALID_REQUEST, message)


def _read_classic(frame: memoryview, p: int) -> ProduceRequest:
    end = len(frame)
    transactional_id, p = _short_string(frame, p)
    acks, timeout_ms = _ACKS.unpack_from(frame, p)
    (topic_count,) = _INT.unpack_from(frame, p + 6)
    p += 10
    if topic_count * 6 > end - p:
        raise _beyond("topics", topic_count, end - p)
    data: list[ProduceData] = []
    for _ in range(topic_count):
        topic, p = _short_string(frame, p)
        (partition_count,) = _INT.unpack_from(frame, p)
        p += 4
        if topic is None or partition_count * 8 > end - p:
            raise _beyond("partitions", partition_count, end - p)
        for _ in range(partition_count):
            partition, size_bytes = _INDEX_AND_SIZE.unpack_from(frame, p)
            p += 8
            if size_bytes < 0:
                data.append(ProduceData(topic, partition, None))
                continue
            if size_bytes > end - p:
                raise _beyond("bytes of records", size_bytes, end - p)
            data.append(ProduceData(topic, partition, frame[p : p + size_bytes]))
            p += size_bytes
    return ProduceRequest(transactional_id, acks, timeout_ms, data)


def _read_flexible(frame: memoryview, p: int) -> ProduceRequest:
    end = len(frame)
    transactional_id, p = _compact_string(frame, p)
    acks, timeout_ms = _ACKS.unpack_from(frame, p)
    topic_count, p = _compact_count(frame, p + 6, 3)
    data: list[ProduceData] = []
    for _ in range(topic_count):
        topic, p = _compact_string(frame, p)
        if topic is None:
            raise _beyond("topics without a name", 1, end - p)
        partition_count, p = _compact_count(frame, p, 6)
        for _ in range(partition_count):
            (partition,) = _INT.unpack_from(frame, p)
            size_bytes, p = read_uvarint(frame, p + 4)
            size_bytes -= 1
            if size_bytes > end - p:
                raise _beyond("bytes of records", size_bytes, end - p)
            if size_bytes < 0:
                data.append(ProduceData(topic, partition, None))
            else:
                data.append(ProduceData(topic, partition, frame[p : p + size_bytes]))
                p += size_bytes
            p = skip_tagged(frame, p) if frame[p] else p + 1
        p = skip_tagged(frame, p) if frame[p] else p + 1
    skip_tagged(frame, p)
    return ProduceRequest(transactional_id, acks, timeout_ms, data)


def _short_string(frame: memoryview, p: int) -> tuple[str | None, int]:
    (size_bytes,) = _SHORT.unpack_from(frame, p)
    p += 2
    if size_bytes < 0:
        return None, p
    if size_bytes > len(frame) - p:
        raise _beyond("bytes of a name", size_bytes, len(frame) - p)
    return str(frame[p : p + size_bytes], "utf-8"), p + size_bytes


def _compact_string(frame: memoryview, p: int) -> tuple[str | None, int]:
    size_bytes, p = read_uvarint(frame, p)
    size_bytes -= 1
    if size_bytes < 0:
        return None, p
    if size_bytes > len(frame) - p:
        raise _beyond("bytes of a name", size_bytes, len(frame) - p)
    return str(frame[p : p + size_bytes], "utf-8"), p + size_bytes


def _compact_count(frame: memoryview, p: int, smallest_bytes: int) -> tuple[int, int]:
    count, p = read_uvarint(frame, p)
    if (count - 1) * smallest_bytes > len(frame) - p:
        raise _beyond("elements", count - 1, len(frame) - p)
    return count - 1, p


def encode_response(results: Sequence[ProduceResult], version: int, throttle_time_ms: int = 0) -> bytearray:
    """Returns the body; neighbouring results of one topic are written together, so keep the request's order."""
    topics = [(topic, list(group)) for topic, group in groupby(results, key=lambda result: result.topic)]
    if version >= FLEXIBLE_FROM:
        return _encode_flexible(topics, throttle_time_ms)
    out = bytearray(_INT.pack(len(topics)))
    for topic, group in topics:
        name = topic.encode()
        out += _SHORT.pack(len(name)) + name + _INT.pack(len(group))
        for result in group:
            out += _RESULT.pack(result[1], result[2], result[3], result[4])
            if version >= 5:
                out += _LONG.pack(result.log_start_offset)
            if version >= 8:
                out += _INT.pack(len(result.record_errors))
                for index, message in result.record_errors:
                    out += _INT.pack(index) + _classic_text(message)
                out += _classic_text(result.error_message)
    out += _INT.pack(throttle_time_ms)
    return out


def _classic_text(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff"
    encoded = text.encode()[:32_000]
    return _SHORT.pack(len(encoded)) + encoded


def _append_compact_text(out: bytearray, text: str | None) -> None:
    if text is None:
        out.append(0)
        return
    encoded = text.encode()[:32_000]
    append_uvarint(out, len(encoded) + 1)
    out += encoded


def _encode_flexible(topics: list[tuple[str, list[ProduceResult]]], throttle_time_ms: int) -> bytearray:
    out = bytearray()
    append_uvarint(out, len(topics) + 1)
    for topic, group in topics:
        name = topic.encode()
        append_uvarint(out, len(name) + 1)
        out += name
        append_uvarint(out, len(group) + 1)
        for result in group:
            out += _RESULT.pack(result[1], result[2], result[3], result[4])
            out += _LONG.pack(result.log_start_offset)
            append_uvarint(out, len(result.record_errors) + 1)
            for index, message in result.record_errors:
                out += _INT.pack(index)
                _append_compact_text(out, message)
                out.append(0)
            _append_compact_text(out, result.error_message)
            out.append(0)
        out.append(0)
    out += _INT.pack(throttle_time_ms)
    out.append(0)
    return out
