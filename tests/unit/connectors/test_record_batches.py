"""Fetched record batches become records: in order, only those that count, and damage is named."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.kafka.partitioning import Partitioner, murmur2
from yeoul.connectors.kafka.pieces import (
    Aborted,
    FetchedRange,
    Located,
    headers_of,
    locate,
    scan_batches,
)
from yeoul.connectors.kafka.sink import cut_batches
from yeoul.errors import PeerError
from yeoul.formats.contract import RecordBuffer
from yeoul.wire.compression import Codec
from yeoul.wire.errors import ProtocolError
from yeoul.wire.records import Record, encode_batch, patch_append_time

PARTITION = TopicPartition("clicks", 3)
COMMIT, ABORT = 1, 0


def records(start: int, count: int) -> list[Record]:
    return [
        Record(start + i, 1_000 + i, b"k%d" % i if i % 2 else None, None if i % 5 == 4 else b"v%d" % (start + i))
        for i in range(count)
    ]


def fetched(
    batches: Sequence[bytes | bytearray], start: int = 0, end: int | None = None, aborted: Sequence[Aborted] = ()
) -> FetchedRange:
    data = memoryview(b"".join(batches))
    spans, next_offset, _ = scan_batches(data, start)
    return FetchedRange(PARTITION, data, spans, start, end, next_offset, tuple(aborted))


def values(located: Located) -> list[bytes | None]:
    return [located.values.record(index) for index in range(len(located))]


def keys(located: Located) -> list[bytes | None]:
    return [located.keys.record(index) for index in range(len(located))]


@given(
    shapes=st.lists(st.tuples(st.integers(1, 9), st.sampled_from(list(Codec))), min_size=1, max_size=5),
    start=st.integers(0, 45),
    length=st.none() | st.integers(0, 45),
)
@settings(max_examples=60, deadline=None)
def test_records_come_in_order_whatever_the_codec_and_the_range(
    shapes: list[tuple[int, Codec]], start: int, length: int | None
) -> None:
    batches, expected, at = [], [], 0
    for count, codec in shapes:
        made = records(at, count)
        batches.append(encode_batch(made, codec=codec))
        expected += made
        at += count
    end = None if length is None else start + length
    located = locate([fetched(batches, start, end)], check_crcs=True)
    inside = [one for one in expected if one.offset >= start and (end is None or one.offset < end)]
    assert located.columns.offsets.tolist() == [one.offset for one in inside]
    assert located.columns.timestamps_ms.tolist() == [one.timestamp_ms for one in inside]
    assert values(located) == [one.value for one in inside]
    assert keys(located) == [one.key for one in inside]
    owners = [located.spans[index].header for index in located.batches.tolist()]
    assert all(one.base_offset <= row.offset <= one.last_offset for one, row in zip(owners, inside, strict=True))


@given(
    shapes=st.lists(st.tuples(st.integers(1, 9), st.sampled_from(list(Codec)), st.booleans()), min_size=1, max_size=6),
    start=st.integers(0, 8),
    cut=st.integers(0, 60),
)
@settings(max_examples=60, deadline=None)
def test_ranges_that_follow_each_other_are_one_range(
    shapes: list[tuple[int, Codec, bool]], start: int, cut: int
) -> None:
    ranges: list[list[bytearray]] = [[]]
    at = 0
    for count, codec, begins_range in shapes:
        if begins_range and at > start:
            ranges.append([])
        ranges[-1].append(encode_batch(records(at, count), codec=codec))
        at += count
    whole = locate([fetched([batch for one in ranges for batch in one], start)], check_crcs=True)
    cut_off = encode_batch(records(at, 3))[:cut]
    parts = []
    for one in ranges:
        parts.append(fetched([*one, cut_off], parts[-1].next_offset if parts else start))
    located = locate(parts, check_crcs=True)
    assert located.columns.offsets.tolist() == whole.columns.offsets.tolist()
    assert values(located) == values(whole)
    assert keys(located) == keys(whole)


def test_a_transaction_aborted_in_the_next_range_is_left_out_of_both() -> None:
    first = encode_batch(records(0, 3), producer_id=7, producer_epoch=0, base_sequence=0, transactional=True)
    second = encode_batch(records(3, 2), producer_id=7, producer_epoch=0, base_sequence=3, transactional=True)
    ours = encode_batch(records(5, 2))
    aborted = [Aborted(7, 0)]
    joined = (fetched([first], 0, aborted=aborted), fetched([second, ours], 3, aborted=aborted))
    assert locate(joined, check_crcs=True).columns.offsets.tolist() == [5, 6]


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.LZ4])
def test_headers_are_read_where_there_are_any(codec: Codec) -> None:
    headers = (("x", b"0"), ("y", None), ("x", b"1"), ("z" * 200, b"3" * 300))
    made = [Record(0, 1, None, b"a"), Record(1, 1, None, b"b", headers)]
    located = locate([fetched([encode_batch(made, codec=codec)])], check_crcs=True)
    assert headers_of(located, np.array([1, 0])).to_list() == [
        [{"key": "x", "value": b"1"}, {"key": "y", "value": None}, {"key": "z" * 200, "value": b"3" * 300}],
        [],
    ]


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZSTD])
def test_append_times_take_the_place_of_timestamps(codec: Codec) -> None:
    batch = encode_batch(records(0, 3), codec=codec)
    patch_append_time(batch, 0, 77_000)
    assert locate([fetched([batch])], check_crcs=True).columns.timestamps_ms.tolist() == [77_000] * 3


def marker(offset: int, producer_id: int, kind: int) -> bytearray:
    record = Record(offset, 1, struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 0))
    return encode_batch([record], producer_id=producer_id, producer_epoch=0, transactional=True, control=True)


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.SNAPPY])
def test_aborted_transactions_and_markers_give_no_records(codec: Codec) -> None:
    def batch(offset: int, producer_id: int) -> bytearray:
        made = [Record(offset, 1, None, b"%d/%d" % (producer_id, offset))]
        return encode_batch(made, codec=codec, producer_id=producer_id, producer_epoch=0, transactional=producer_id > 0)

    batches = [
        batch(0, 1),
        batch(1, 2),
        batch(2, -1),
        marker(3, 1, ABORT),
        batch(4, 1),
        marker(5, 2, COMMIT),
        marker(6, 1, COMMIT),
        batch(7, 1),
        marker(8, 1, ABORT),
    ]
    located = locate([fetched(batches, aborted=[Aborted(1, 7), Aborted(1, 0)])], check_crcs=True)
    assert values(located) == [b"2/1", b"-1/2", b"1/4"]
    assert located.columns.offsets.tolist() == [1, 2, 4]


def test_a_range_of_markers_only_moves_the_position() -> None:
    one = fetched([marker(0, 1, COMMIT)])
    assert one.next_offset == 1
    assert len(locate([one], check_crcs=True)) == 0


def test_batches_before_the_start_are_passed_over_and_a_cut_off_one_is_told() -> None:
    data = memoryview(
        b"".join([encode_batch(records(0, 5)), encode_batch(records(5, 5)), encode_batch(records(10, 5))[:90]])
    )
    spans, next_offset, cut_bytes = scan_batches(data, 5)
    assert ([span.header.base_offset for span in spans], next_offset, cut_bytes) == ([5], 10, 90)


def test_compaction_leaves_gaps_that_are_stepped_over() -> None:
    made = [Record(10, 1, None, b"a"), Record(19, 1, None, b"b")]
    one = fetched([encode_batch(made)], start=12)
    assert one.next_offset == 20
    assert values(locate([one], check_crcs=True)) == [b"b"]


def test_a_wrong_checksum_names_topic_partition_and_offset() -> None:
    batch = encode_batch(records(7, 3))
    batch[-1] ^= 1
    with pytest.raises(
        PeerError, match=r"Topic 'clicks', partition 3: the record batch at offset 7 is damaged: CRC-32C"
    ):
        locate([fetched([batch], start=7)], check_crcs=True)


@given(st.integers(0, 7), st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_batches_never_raise_anything_but_a_peers_error(shape: int, data: st.DataObject) -> None:
    codec = Codec(shape % 5)
    batch = encode_batch(records(0, 20), codec=codec)
    for _ in range(data.draw(st.integers(1, 4))):
        batch[data.draw(st.integers(0, len(batch) - 1))] = data.draw(st.integers(0, 255))
    try:
        located = locate([fetched([batch, encode_batch(records(20, 2))])], check_crcs=False)
        values(located)
    except (PeerError, ProtocolError):
        pass


# The way out.


def buffer_of(texts: Sequence[bytes | None]) -> RecordBuffer:
    lengths = np.array([-1 if one is None else len(one) for one in texts], np.int64)
    starts = np.cumsum([0, *np.maximum(lengths, 0)])[:-1].astype(np.int64)
    return RecordBuffer(np.frombuffer(b"".join(one or b"" for one in texts), np.uint8), starts, lengths)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
@settings(deadline=None)
def test_keys_hash_as_javas_client_hashes_them(texts: list[bytes]) -> None:
    from kafka.partitioner.default import murmur2 as oracle

    assert murmur2(buffer_of(texts)).tolist() == [oracle(text) & 0x7FFFFFFF for text in texts]


def test_partitioners_do_as_they_are_called() -> None:
    runs = np.array([0, 0, 1, 1, 2])
    assert Partitioner("fixed", 3).assign(runs, None).tolist() == [0] * 5
    turning = Partitioner("round-robin", 3)
    assert turning.assign(runs, None).tolist() == [0, 1, 2, 0, 1]
    assert turning.assign(runs[:2], None).tolist() == [2, 0]
    sticky = Partitioner("default", 3)
    assert sticky.assign(runs, None).tolist() == [0, 0, 1, 1, 2]
    assert sticky.assign(runs[:2], None).tolist() == [0, 0]
    assert sticky.assign(runs[:2], None).tolist() == [1, 1]
    keyed = Partitioner("default", 3).assign(runs, buffer_of([b"a", b"b", b"a", None, b"b"])).tolist()
    assert keyed[0] == keyed[2]
    assert keyed[1] == keyed[4]
    assert keyed[3] == 1


@given(st.lists(st.integers(1, 200), max_size=50), st.integers(1, 300))
@settings(deadline=None)
def test_cut_batches_cover_all_rows_and_stay_small(sizes: list[int], limit: int) -> None:
    cuts = cut_batches(np.array(sizes, np.int64), limit)
    assert [row for start, end in cuts for row in range(start, end)] == list(range(len(sizes)))
    for start, end in cuts:
        assert end - start == 1 or sum(sizes[start:end]) <= 1.5 * limit
