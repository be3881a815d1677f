"""Fetched batches to batches to write: nothing about a record changes, and what is written any log takes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cramjam
import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.kafka.pieces import Aborted, FetchedRange, scan_batches
from yeoul.errors import PeerError
from yeoul.mirror.batches import Outgoing, compose, framed
from yeoul.wire.compression import Codec, decompress
from yeoul.wire.markers import encode_marker
from yeoul.wire.records import (
    Record,
    decode_records,
    encode_batch,
    patch_append_time,
    patch_offsets,
    validate_produced,
)

PARTITION = TopicPartition("t", 0)
PLENTY = 1 << 20


def fetched_of(batches: Sequence[bytes | bytearray], start: int = 0, aborted: tuple[Aborted, ...] = ()) -> FetchedRange:
    records = memoryview(b"".join(batches))
    spans, next_offset, _ = scan_batches(records, start)
    return FetchedRange(PARTITION, records, spans, start, None, next_offset, aborted)


def stored(outgoing: Sequence[Outgoing]) -> list[Record]:
    """Returns the records as a log would hold them, at the source's offsets."""
    found = []
    sequence = 0
    for batch in outgoing:
        whole = framed(batch, 77, 3, sequence) + bytes(batch.body)
        header = validate_produced(whole)
        assert header.is_transactional
        assert (header.producer_id, header.producer_epoch, header.base_sequence) == (77, 3, sequence)
        sequence += header.record_count
        offsets = [run.source + index for run in batch.runs for index in range(run.length)]
        ordinals = [run.target + index for run in batch.runs for index in range(run.length)]
        assert ordinals == list(range(batch.count))
        records = decode_records(whole)
        found += [record._replace(offset=offset) for record, offset in zip(records, offsets, strict=True)]
    return found


def some_records(count: int, base: int = 0, step: int = 1, size: int = 20) -> list[Record]:
    return [
        Record(
            base + index * step,
            1_000_000 + index * 3 % 17,
            None if index % 3 else b"k%d" % index,
            None if index % 5 == 0 else bytes([index % 251]) * size,
            (("h", b"1"), ("n", None)) if index % 4 == 0 else (),
        )
        for index in range(count)
    ]


BATCHES = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(0, 9), st.sampled_from(Codec), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(batches=BATCHES, skipped=st.integers(0, 30), limit=st.sampled_from([300, 500, PLENTY]))
def test_every_record_arrives_as_it_was(
    batches: list[tuple[int, int, int, Codec, bool]], skipped: int, limit: int
) -> None:
    offset, expected, encoded = 0, [], []
    for count, step, gap, codec, is_stamped in batches:
        records = some_records(count, offset + gap, step)
        batch = encode_batch(records, codec=codec)
        if is_stamped:
            patch_append_time(batch, 0, 5_000_000)
            records = [record._replace(timestamp_ms=5_000_000) for record in records]
        expected += records
        encoded.append(batch)
        offset = records[-1].offset + 1
    fetched = fetched_of(encoded, skipped)
    assert stored(compose(fetched, limit)) == [record for record in expected if record.offset >= skipped]


def test_a_large_batch_is_not_touched() -> None:
    batch = encode_batch(some_records(2_000, base=500, size=100), codec=Codec.LZ4)
    body = memoryview(batch)[61:]
    (outgoing,) = compose(fetched_of([batch]), PLENTY)
    assert isinstance(outgoing.body, memoryview)
    assert outgoing.body == body


def test_lz4_that_kafka_cannot_read_is_compressed_anew() -> None:
    records = some_records(2_000, size=100)
    batch = encode_batch(records, codec=Codec.LZ4)
    frame = cramjam.lz4.compress(bytes(decompress(Codec.LZ4, batch[61:])))
    linked = batch[:61] + frame
    struct.pack_into(">i", linked, 8, len(linked) - 12)
    struct.pack_into(">I", linked, 17, crc32c.crc32c(memoryview(linked)[21:]))
    (outgoing,) = compose(fetched_of([linked]), PLENTY)
    assert not linked[61 + 4] & 0x20
    assert bytes(outgoing.body)[4] & 0x20
    assert stored([outgoing]) == records


def test_small_batches_become_one() -> None:
    batches = [encode_batch(some_records(5, base=5 * index), codec=Codec.ZSTD) for index in range(100)]
    (outgoing,) = compose(fetched_of(batches), PLENTY)
    assert outgoing.count == 500
    assert len(outgoing.runs) == 1


def test_what_was_aborted_and_markers_stay_behind() -> None:
    kept, lost = some_records(4, base=0), some_records(4, base=4)
    batches = [
        encode_batch(kept, producer_id=1, producer_epoch=0, base_sequence=0, transactional=True),
        encode_batch(lost, producer_id=2, producer_epoch=0, base_sequence=0, transactional=True),
        encode_marker(producer_id=2, producer_epoch=0, commit=False, timestamp_ms=1),
        encode_marker(producer_id=1, producer_epoch=0, commit=True, timestamp_ms=1),
    ]
    for position, batch in zip((0, 4, 8, 9), batches, strict=True):
        patch_offsets(batch, 0, position, 0)
    fetched = fetched_of(batches, aborted=(Aborted(2, 4),))
    assert fetched.next_offset == 10
    assert stored(compose(fetched, PLENTY)) == kept


def test_a_damaged_batch_is_never_given_a_new_checksum() -> None:
    batch = encode_batch(some_records(2_000, size=100))
    batch[-1] ^= 1
    with pytest.raises(PeerError, match="Topic 't', partition 0: the record batch at offset 0 is damaged: CRC-32C"):
        compose(fetched_of([batch]), PLENTY)


def test_a_record_that_the_target_cannot_take_is_named() -> None:
    records = some_records(3, base=40, size=4_000)
    with pytest.raises(PeerError, match="the record at offset 41 needs 4070 bytes, the target takes 2000") as raised:
        compose(fetched_of([encode_batch(records)]), 2_000)
    assert "max.message.bytes" in raised.value.hint
