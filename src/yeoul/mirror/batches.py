"""From fetched record batches to record batches to write: whole where that is possible, rewritten where it is not.

Owns what makes a batch of one log storable in another. A batch goes over as it is, still compressed, with a new header,
unless it has gaps between its offsets (compaction), is wanted in part only, carries the source log's append time, or is
too large for the target; then its records are moved into a new batch, in compiled code. So are batches that are small
and follow each other: a Produce request takes one batch a partition, and a request costs more than moving the records.
Invariants: order, keys, values, headers, timestamps and the codec are kept; control batches and aborted records are
left out; every CRC is checked before it is made anew, so damage is never covered up; there is no loop over records.

Callers: `session` (compose), `writer` (framed). Source: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import crc32c
import numpy as np
from numpy.typing import NDArray

from yeoul.connectors.kafka.pieces import FetchedRange, Span, batch_body, batch_damaged, committed_spans
from yeoul.errors import PeerError
from yeoul.kernels.records import RecordFault
from yeoul.kernels.rewriting import MOST_ADDED_BYTES, append_records
from yeoul.mirror.offset_map import Run
from yeoul.wire.compression import Buffer, Codec, compress
from yeoul.wire.records import (
    CREATE_TIME,
    HEADER_BYTES,
    LOG_OVERHEAD_BYTES,
    TRANSACTIONAL_BIT,
    Record,
    encode_batch,
)

__all__ = ["GATHERED_BYTES", "WHOLE_BYTES", "Outgoing", "compose", "framed", "of_records"]

WHOLE_BYTES = 24 << 10
"""A batch of this size or more is sent as it is rather than moved together with its neighbours."""
GATHERED_BYTES = 512 << 10
"""How large a batch of gathered records becomes, before compression."""

_AFTER_CRC = struct.Struct(">hiqqqhii")
_UNCOUNTED = 1 << 62
_LZ4_INDEPENDENT_BIT = 0x20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A batch that waits for its producer's identity.

    Attributes:
        codec: How `body` is compressed.
        body: What follows the header.
        base_timestamp_ms: What the records' timestamps count from.
        max_timestamp_ms: The latest of them.
        count: How many records.
        runs: Their source offsets; `target` counts from the batch's first record.
    """

    codec: Codec
    body: Buffer
    base_timestamp_ms: int
    max_timestamp_ms: int
    count: int
    runs: tuple[Run, ...]

    @property
    def size_bytes(self) -> int:
        return HEADER_BYTES + len(self.body)


def framed(batch: Outgoing, producer_id: int, producer_epoch: int, sequence: int) -> bytes:
    """Returns the header that makes a batch part of a producer's transaction; `batch.body` follows it."""
    counted = _AFTER_CRC.pack(
        batch.codec | TRANSACTIONAL_BIT,
        batch.count - 1,
        batch.base_timestamp_ms,
        batch.max_timestamp_ms,
        producer_id,
        producer_epoch,
        sequence,
        batch.count,
    )
    crc = crc32c.crc32c(batch.body, crc32c.crc32c(counted))
    length = batch.size_bytes - LOG_OVERHEAD_BYTES
    return struct.pack(">qiibI", 0, length, -1, 2, crc) + counted


def of_records(records: Sequence[Record]) -> Outgoing:
    """Returns a batch of the mirror's own records, which have no source."""
    renumbered = [record._replace(offset=index) for index, record in enumerate(records)]
    body = memoryview(encode_batch(renumbered))[HEADER_BYTES:]
    stamps = [record.timestamp_ms for record in records]
    return Outgoing(Codec.NONE, body, stamps[0], max(stamps), len(records), ())


def compose(fetched: FetchedRange, limit_bytes: int) -> list[Outgoing]:
    """Returns the batches that carry the committed records of a range, in order.

    Args:
        fetched: What the source answered.
        limit_bytes: The most that the target takes for one batch.

    Raises:
        PeerError: A batch is damaged, or one record alone is larger than the limit.
    """
    composed: list[Outgoing] = []
    for spans in _groups(fetched):
        first = spans[0]
        if len(spans) == 1 and _is_portable(fetched, first) and first.header.size_bytes <= limit_bytes:
            composed.append(_whole(fetched, first))
        else:
            composed += _Rewriting(fetched, spans, limit_bytes).batches((fetched.start, _UNCOUNTED))
    return composed


def _groups(fetched: FetchedRange) -> Iterator[list[Span]]:
    """Yields runs of batches that are to become one."""
    group: list[Span] = []
    group_bytes = 0
    for span in committed_spans(fetched, check_crcs=True):
        header = span.header
        if header.record_count < 1:
            continue
        stands_alone = header.size_bytes >= WHOLE_BYTES and _is_portable(fetched, span)
        is_other = bool(group) and header.codec is not group[-1].header.codec
        if group and (stands_alone or is_other or group_bytes + header.size_bytes > GATHERED_BYTES):
            yield group
            group, group_bytes = [], 0
        if stands_alone:
            yield [span]
            continue
        group.append(span)
        group_bytes += header.size_bytes
    if group:
        yield group


def _is_portable(fetched: FetchedRange, span: Span) -> bool:
    """Whether any log takes the batch's records as they are."""
    header = span.header
    return (
        header.record_count == header.last_offset_delta + 1
        and header.base_offset >= fetched.start
        and header.timestamp_type == CREATE_TIME
        and not (header.codec is Codec.LZ4 and _has_linked_blocks(fetched.records, span.position + HEADER_BYTES))
    )


def _has_linked_blocks(records: memoryview, at: int) -> bool:
    """Whether an lz4 frame's blocks depend on each other: some clients write such frames, Apache Kafka reads none."""
    return len(records) > at + 4 and not records[at + 4] & _LZ4_INDEPENDENT_BIT


def _whole(fetched: FetchedRange, span: Span) -> Outgoing:
    header = span.header
    return Outgoing(
        header.codec,
        fetched.records[span.position + HEADER_BYTES : span.position + header.size_bytes],
        header.base_timestamp_ms,
        header.max_timestamp_ms,
        header.record_count,
        (Run(header.base_offset, 0, header.record_count),),
    )


class _Rewriting:
    """Some batches of one codec, moved into new ones."""

    def __init__(self, fetched: FetchedRange, spans: Sequence[Span], limit_bytes: int) -> None:
        self._fetched = fetched
        self._spans = spans
        self._limit_bytes = limit_bytes
        self._bodies = [batch_body(fetched, span) for span in spans]
        records = sum(span.header.record_count for span in spans)
        self._out = np.empty(sum(map(len, self._bodies)) + records * MOST_ADDED_BYTES, np.uint8)
        header = spans[0].header
        is_stamped = header.timestamp_type != CREATE_TIME
        self._base_ms = header.max_timestamp_ms if is_stamped else header.base_timestamp_ms

    def batches(self, kept: tuple[int, int]) -> list[Outgoing]:
        """Returns the records whose offsets lie in a range, in as many batches as the limit makes necessary."""
        size_bytes, offsets = self._move(kept)
        if not len(offsets):
            return []
        codec = self._spans[0].header.codec
        body = compress(codec, self._out[:size_bytes].data)
        if HEADER_BYTES + len(body) > self._limit_bytes:
            if len(offsets) == 1:
                raise self._too_large(int(offsets[0]), HEADER_BYTES + len(body))
            middle = int(offsets[len(offsets) // 2])
            return [*self.batches((kept[0], middle)), *self.batches((middle, kept[1]))]
        latest_ms = max(span.header.max_timestamp_ms for span in self._spans)
        return [Outgoing(codec, body, self._base_ms, latest_ms, len(offsets), _runs_of(offsets))]

    def _move(self, kept: tuple[int, int]) -> tuple[int, NDArray[np.int64]]:
        written, ordinal = 0, 0
        found: list[NDArray[np.int64]] = []
        for span, body in zip(self._spans, self._bodies, strict=True):
            header = span.header
            is_stamped = header.timestamp_type != CREATE_TIME
            shift_ms = (header.max_timestamp_ms if is_stamped else header.base_timestamp_ms) - self._base_ms
            room = self._out[written:]
            try:
                size_bytes, offsets = append_records(
                    body, header.record_count, header.base_offset, kept, room, ordinal, shift_ms, is_stamped
                )
            except RecordFault as error:
                raise batch_damaged(self._fetched, span, "its records do not fit its header") from error
            written += size_bytes
            ordinal += len(offsets)
            found.append(offsets)
        return written, np.concatenate(found)

    def _too_large(self, offset: int, size_bytes: int) -> PeerError:
        topic, partition = self._fetched.partition
        return PeerError(
            f"Topic {topic!r}, partition {partition}: the record at offset {offset} needs {size_bytes} bytes, "
            f"the target takes {self._limit_bytes}",
            hint="Raise max.message.bytes of the topic at the target, or leave the topic out (--exclude).",
        )


def _runs_of(offsets: NDArray[np.int64]) -> tuple[Run, ...]:
    """Returns the stretches without gaps.

    Example:
        >>> _runs_of(np.array([4, 5, 6, 9, 10]))
        (Run(source=4, target=0, length=3), Run(source=9, target=3, length=2))
    """
    starts = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 2) != 1)
    counts = np.diff(starts, append=len(offsets))
    return tuple(map(Run, offsets[starts].tolist(), starts.tolist(), counts.tolist()))
