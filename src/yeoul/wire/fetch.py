"""Fetch, by hand: the response as a list of buffers for one `writelines`, so record data goes out where it lies.

Owns the hot path's writing for versions 4 to 17 (the request is small and read through its table, and so is the
response in our own client, where the table hands out records as views). Invariant: record data is never copied.
Caller: `broker/handlers/fetch`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from yeoul.wire.compiler import append_uvarint
from yeoul.wire.compression import Buffer
from yeoul.wire.frames import response_header
from yeoul.wire.schema import ZERO_UUID

__all__ = ["FLEXIBLE_FROM", "TOPIC_IDS_FROM", "FetchResult", "encode_response"]

FLEXIBLE_FROM = 12
TOPIC_IDS_FROM = 13

_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_TOP = struct.Struct(">ihi")
_PARTITION_4 = struct.Struct(">ihqqi")
_PARTITION_5 = struct.Struct(">ihqqqi")
_PARTITION_11 = struct.Struct(">ihqqqii")
_PARTITION_12 = struct.Struct(">ihqqqbi")
_STABLE = struct.Struct(">ihqq")
_LONG = struct.Struct(">q")
_ABORTED = struct.Struct(">qq")


class FetchResult(NamedTuple):
    """What one partition answers; `records` are buffers written one after the other, `size_bytes` their sum.

    `aborted` has producer id and first offset of the aborted transactions that a read_committed reader has to skip.
    """

    topic: str
    topic_id: bytes
    partition: int
    error_code: int = 0
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    records: Sequence[Buffer] = ()
    size_bytes: int = 0
    aborted: Sequence[tuple[int, int]] = ()


def encode_response(
    correlation_id: int,
    version: int,
    results: Sequence[FetchResult],
    *,
    error_code: int = 0,
    session_id: int = 0,
    throttle_time_ms: int = 0,
) -> list[Buffer]:
    """Returns the whole response, length and header included; neighbouring results of one topic go together."""
    topics = [list(group) for _, group in groupby(results, key=lambda result: (result.topic, result.topic_id))]
    small = bytearray(
        _TOP.pack(throttle_time_ms, error_code, session_id) if version >= 7 else _INT.pack(throttle_time_ms)
    )
    flexible = version >= FLEXIBLE_FROM
    parts: list[Buffer] = [b""]
    if flexible:
        append_uvarint(small, len(topics) + 1)
    else:
        small += _INT.pack(len(topics))
    records_bytes = 0
    for group in topics:
        _append_topic(small, version, group)
        for result in group:
            _append_partition(small, version, result)
            if result.size_bytes:
                parts.append(small)
                parts.extend(result.records)
                records_bytes += result.size_bytes
                records_bytes += len(small)
                small = bytearray()
            if flexible:
                small.append(0)
        if flexible:
            small.append(0)
    if flexible:
        small.append(0)
    parts.append(small)
    parts[0] = response_header(correlation_id, flexible, records_bytes + len(small))
    return parts


def _append_topic(out: bytearray, version: int, group: list[FetchResult]) -> None:
    if version >= TOPIC_IDS_FROM:
        out += group[0].topic_id or ZERO_UUID
    else:
        name = group[0].topic.encode()
        if version >= FLEXIBLE_FROM:
            append_uvarint(out, len(name) + 1)
        else:
            out += _SHORT.pack(len(name))
        out += name
    if version >= FLEXIBLE_FROM:
        append_uvarint(out, len(group) + 1)
    else:
        out += _INT.pack(len(group))


def _append_partition(out: bytearray, version: int, result: FetchResult) -> None:
    """Everything before the records, the records' length included; no preferred replica."""
    _, _, partition, error_code, high_watermark, last_stable_offset, log_start_offset, _, size_bytes, aborted = result
    if aborted:
        _append_with_aborted(out, version, result)
        return
    if version >= FLEXIBLE_FROM:
        out += _PARTITION_12.pack(partition, error_code, high_watermark, last_stable_offset, log_start_offset, 0, -1)
        append_uvarint(out, size_bytes + 1)
        return
    if version >= 11:
        out += _PARTITION_11.pack(partition, error_code, high_watermark, last_stable_offset, log_start_offset, -1, -1)
    elif version >= 5:
        out += _PARTITION_5.pack(partition, error_code, high_watermark, last_stable_offset, log_start_offset, -1)
    else:
        out += _PARTITION_4.pack(partition, error_code, high_watermark, last_stable_offset, -1)
    out += _INT.pack(size_bytes)


def _append_with_aborted(out: bytearray, version: int, result: FetchResult) -> None:
    flexible = version >= FLEXIBLE_FROM
    out += _STABLE.pack(result.partition, result.error_code, result.high_watermark, result.last_stable_offset)
    if version >= 5:
        out += _LONG.pack(result.log_start_offset)
    if flexible:
        append_uvarint(out, len(result.aborted) + 1)
    else:
        out += _INT.pack(len(result.aborted))
    for producer_id, first_offset in result.aborted:
        out += _ABORTED.pack(producer_id, first_offset)
        if flexible:
            out.append(0)
    if version >= 11:
        out += _INT.pack(-1)
    if flexible:
        append_uvarint(out, result.size_bytes + 1)
    else:
        out += _INT.pack(result.size_bytes)
