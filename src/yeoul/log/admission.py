"""What a producer's batches must be to enter a topic, and what the topic makes of them. Pure.

The usual topic looks at headers and CRCs only. Single records are looked at where its configuration asks for it:
compaction needs keys, and timestamps may have bounds. A batch is changed in two cases: `message.timestamp.type` is
LogAppendTime (its time and CRC), or `compression.type` names another codec than its own (all of it).

Caller: the broker's Produce handler. Source: Apache Kafka's topic configuration; KIP-467 for errors of single records.
"""

from __future__ import annotations

from yeoul.log.config import TopicConfig
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.records import (
    BatchHeader,
    decode_records,
    patch_append_time,
    read_header,
    transcode,
    validate_produced,
)

__all__ = ["RejectedRecords", "admitted_batches"]

_SHOWN = 3
_NO_TIMESTAMP_MS = -1


class RejectedRecords(ProtocolError):
    """A batch that was refused for some of its records.

    Attributes:
        records: Place in the batch and reason of each.
    """

    def __init__(self, code: ErrorCode, records: list[tuple[int, str]]) -> None:
        self.records = records
        shown = "; ".join(f"record {index}: {reason}" for index, reason in records[:_SHOWN])
        super().__init__(code, f"{len(records)} records were rejected, and their whole batch with them: {shown}")


def admitted_batches(
    records: memoryview | None, config: TopicConfig, now_ms: int
) -> tuple[bytearray | memoryview, list[BatchHeader]]:
    """Returns the batches as they are to be stored, and their headers.

    Raises:
        RejectedRecords: Single records have no place in the topic.
        ProtocolError: A batch is damaged, too large, or none that a client may write.
    """
    if not records:
        raise ProtocolError(ErrorCode.INVALID_RECORD, "Expected at least one record batch, got none")
    headers: list[BatchHeader] = []
    position, end = 0, len(records)
    looks_closer = config.compacted or (config.checks_timestamps and not config.log_append_time)
    while position < end:
        header = validate_produced(records, position, max_batch_bytes=config.max_message_bytes)
        if header.is_transactional and (header.producer_id < 0 or header.size_bytes != end):
            message = "A transactional batch needs a producer id and stands alone in its partition's data"
            raise ProtocolError(ErrorCode.INVALID_RECORD, message)
        if looks_closer:
            _check_records(records, position, header, config, now_ms)
        if config.log_append_time:
            patch_append_time(records, position, now_ms)
            header = read_header(records, position)
        headers.append(header)
        position += header.size_bytes
    if config.codec is not None and any(header.codec != config.codec for header in headers):
        return _recompressed(records, headers, config)
    return records, headers


def _check_records(records: memoryview, position: int, header: BatchHeader, config: TopicConfig, now_ms: int) -> None:
    held = decode_records(records, position, verify_crc=False)
    if config.compacted:
        rejected = [
            (at, "a compacted topic takes no records without a key") for at, r in enumerate(held) if r.key is None
        ]
        if rejected:
            raise RejectedRecords(ErrorCode.INVALID_RECORD, rejected)
        if any(record.offset != header.base_offset + at for at, record in enumerate(held)):
            raise ProtocolError(ErrorCode.INVALID_RECORD, "The offsets of a batch's records are not dense")
    if config.log_append_time or not config.checks_timestamps:
        return
    earliest_ms, latest_ms = now_ms - config.timestamp_before_max_ms, now_ms + config.timestamp_after_max_ms
    rejected = [
        (at, f"its timestamp {record.timestamp_ms} is not between {earliest_ms} and {latest_ms}")
        for at, record in enumerate(held)
        if record.timestamp_ms != _NO_TIMESTAMP_MS and not earliest_ms <= record.timestamp_ms <= latest_ms
    ]
    if rejected:
        raise RejectedRecords(ErrorCode.INVALID_TIMESTAMP, rejected)


def _recompressed(
    records: memoryview, headers: list[BatchHeader], config: TopicConfig
) -> tuple[bytearray, list[BatchHeader]]:
    """Returns the batches with the topic's codec; the limit on their size holds for what is stored, too."""
    assert config.codec is not None
    stored, position, made = bytearray(), 0, []
    for header in headers:
        batch = records[position : position + header.size_bytes]
        position += header.size_bytes
        kept = batch if header.codec is config.codec else transcode(batch, header, config.codec)
        if len(kept) > config.max_message_bytes:
            message = f"A batch of {len(kept)} bytes exceeds max.message.bytes = {config.max_message_bytes}"
            raise ProtocolError(ErrorCode.MESSAGE_TOO_LARGE, message)
        stored += kept
        made.append(read_header(kept))
    return stored, made
