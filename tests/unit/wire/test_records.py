"""Record batches: round trips, kafka-python as the oracle for the bytes, and what a client may not store."""

from __future__ import annotations

import os
import random
import struct

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record import MemoryRecords
from kafka.record.memory_records import MemoryRecordsBuilder

from yeoul.wire.compression import Codec, compress, decompress
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.records import (
    HEADER_BYTES,
    LOG_APPEND_TIME,
    Record,
    check_crc,
    decode_records,
    encode_batch,
    iter_batches,
    patch_append_time,
    patch_offsets,
    read_header,
    validate_produced,
)

FUZZ = int(os.environ.get("YEOUL_FUZZ", "3000"))

maybe_bytes = st.none() | st.binary(max_size=200)
record_headers = st.lists(st.tuples(st.text(max_size=8), maybe_bytes), max_size=4).map(tuple)


@st.composite
def record_lists(draw: st.DrawFn) -> list[Record]:
    base = draw(st.integers(0, 2**60))
    gaps = draw(st.lists(st.integers(1, 1), min_size=1, max_size=20))
    records, offset = [], base
    for gap in gaps:
        timestamp_ms = draw(st.integers(0, 2**45))
        records.append(Record(offset, timestamp_ms, draw(maybe_bytes), draw(maybe_bytes), draw(record_headers)))
        offset += gap
    return records


@given(record_lists(), st.sampled_from(Codec))
def test_a_batch_reads_back_as_it_was_written(records: list[Record], codec: Codec) -> None:
    batch = encode_batch(records, codec=codec)
    header = validate_produced(batch)
    assert (header.size_bytes, header.codec, header.record_count) == (len(batch), codec, len(records))
    assert header.max_timestamp_ms == max(record.timestamp_ms for record in records)
    assert decode_records(batch) == records


@given(record_lists(), st.sampled_from(Codec))
def test_kafka_python_reads_our_batches(records: list[Record], codec: Codec) -> None:
    if codec in (Codec.SNAPPY, Codec.LZ4, Codec.ZSTD):
        codec = Codec.GZIP
    read = [record for batch in MemoryRecords(bytes(encode_batch(records, codec=codec))) for record in batch]
    assert [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in read] == [tuple(r) for r in records]


@given(record_lists())
def test_we_read_kafka_pythons_batches(records: list[Record]) -> None:
    builder = MemoryRecordsBuilder(magic=2, compression_type=1, batch_size=1 << 20)
    for record in records:
        builder.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=list(record.headers))
    builder.close()
    batch = bytearray(builder.buffer())
    validate_produced(batch)
    patch_offsets(batch, 0, records[0].offset, 3)
    check_crc(batch, read_header(batch))
    assert decode_records(batch) == records
    assert read_header(batch).leader_epoch == 3


def test_log_append_time_stamps_every_record_and_keeps_the_crc_right() -> None:
    batch = encode_batch([Record(0, 10, None, b"a"), Record(1, 20, None, b"b")])
    patch_append_time(batch, 0, 777)
    assert read_header(batch).timestamp_type == LOG_APPEND_TIME
    assert [record.timestamp_ms for record in decode_records(batch)] == [777, 777]


def test_a_cut_off_last_batch_ends_the_iteration() -> None:
    one = encode_batch([Record(0, 0, None, b"x" * 50)])
    both = one + encode_batch([Record(1, 0, None, b"y" * 50)])
    assert [position for position, _ in iter_batches(both)] == [0, len(one)]
    for cut in range(len(one), len(both)):
        assert [position for position, _ in iter_batches(both[:cut])] == [0]


def _lying(position: int, layout: str, value: int, *, mend_crc: bool = True) -> bytearray:
    batch = encode_batch([Record(0, 0, b"k", b"v"), Record(1, 0, b"k", b"v")])
    struct.pack_into(layout, batch, position, value)
    if mend_crc:
        struct.pack_into(">I", batch, 17, crc32c.crc32c(bytes(batch[21:])))
    return batch


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        (_lying(8, ">i", 1 << 30), ErrorCode.CORRUPT_MESSAGE),
        (_lying(8, ">i", -5), ErrorCode.CORRUPT_MESSAGE),
        (_lying(8, ">i", 49), ErrorCode.CORRUPT_MESSAGE),
        (_lying(16, ">b", 1), ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT),
        (_lying(16, ">b", 9), ErrorCode.CORRUPT_MESSAGE),
        (_lying(17, ">I", 1, mend_crc=False), ErrorCode.CORRUPT_MESSAGE),
        (_lying(21, ">h", 0x20), ErrorCode.INVALID_RECORD),
        (_lying(21, ">h", 7), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        (_lying(23, ">i", 7), ErrorCode.INVALID_RECORD),
        (_lying(57, ">i", 7), ErrorCode.INVALID_RECORD),
        (_lying(43, ">q", 5), ErrorCode.INVALID_RECORD),
        (bytearray(10), ErrorCode.CORRUPT_MESSAGE),
    ],
)
def test_a_batch_that_lies_is_refused_with_the_protocols_code(batch: bytearray, code: ErrorCode) -> None:
    with pytest.raises(ProtocolError) as caught:
        validate_produced(batch)
    assert caught.value.code == code


def test_counts_beyond_what_the_bytes_can_hold_are_refused() -> None:
    batch = encode_batch([Record(0, 0, None, b"")])
    struct.pack_into(">i", batch, 23, 2**31 - 2)
    struct.pack_into(">i", batch, 57, 2**31 - 1)
    struct.pack_into(">I", batch, 17, crc32c.crc32c(bytes(batch[21:])))
    with pytest.raises(ProtocolError, match="cannot fit"):
        validate_produced(batch)


def test_a_batch_larger_than_the_topic_allows_is_refused() -> None:
    batch = encode_batch([Record(0, 0, None, b"x" * 1000)])
    with pytest.raises(ProtocolError, match=r"max\.message\.bytes") as caught:
        validate_produced(batch, max_batch_bytes=1000)
    assert caught.value.code == ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
def test_a_compression_bomb_stops_at_the_limit(codec: Codec) -> None:
    bomb = compress(codec, bytes(50 << 20))
    with pytest.raises(ProtocolError) as caught:
        decompress(codec, bomb, limit_bytes=1 << 20)
    assert caught.value.code == ErrorCode.MESSAGE_TOO_LARGE


def test_raw_snappy_as_librdkafka_sends_it_is_read() -> None:
    import cramjam

    assert decompress(Codec.SNAPPY, bytes(cramjam.snappy.compress_raw(b"abc" * 1000))) == b"abc" * 1000


def test_mutated_batches_raise_nothing_but_the_protocol_error() -> None:
    chance = random.Random(20)
    seeds = [
        encode_batch([Record(i, i, b"key%d" % i, b"value" * i, (("h", b"x"),)) for i in range(5)], codec=codec)
        for codec in Codec
    ]
    refused = 0
    for _ in range(FUZZ):
        batch = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            batch[chance.randrange(len(batch))] = chance.randrange(256)
        if chance.random() < 0.2:
            del batch[chance.randrange(HEADER_BYTES, len(batch)) :]
        try:
            decode_records(batch, verify_crc=False, limit_bytes=1 << 20)
            validate_produced(batch)
        except ProtocolError:
            refused += 1
    assert refused > FUZZ // 2
