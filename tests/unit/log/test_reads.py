from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoul.log.errors import OffsetOutOfRange
from yeoul.log.partition import ColdRead, TimestampOffset
from yeoul.wire.compression import Codec
from yeoul.wire.records import Record, encode_batch, iter_batches, read_header

if TYPE_CHECKING:
    from conftest import Bench


def test_a_read_begins_with_the_batch_that_holds_the_offset(bench: Bench) -> None:
    bench.topic(index_interval_bytes=0)
    for number in range(5):
        bench.append(b"%d" % number, b"x", b"y")
    bench.settle()
    for offset in range(15):
        data = bench.read(offset).data
        assert read_header(data).base_offset == offset // 3 * 3
        assert [header.base_offset for _, header in iter_batches(data)] == list(range(offset // 3 * 3, 15, 3))


def test_a_read_is_cut_at_a_batch_and_the_first_batch_is_whole_even_if_too_large(bench: Bench) -> None:
    partition = bench.topic(index_interval_bytes=0)
    for _ in range(4):
        bench.append(b"x" * 1000)
    bench.settle()
    one = len(bench.read(3).data)
    assert len(bench.read(0, one * 2 + 10).data) == one * 2
    assert len(bench.read(0, 10).data) == one
    bounded = partition.read(0, 10, whole_first_batch=False)
    assert not isinstance(bounded, ColdRead)
    assert bounded.data == b""


def test_reading_outside_the_log_is_refused_and_its_end_is_empty(bench: Bench) -> None:
    partition = bench.topic()
    bench.append(b"a")
    bench.settle()
    assert bench.read(1).data == b""
    for offset in (-1, 2):
        with pytest.raises(OffsetOutOfRange, match=rf"Offset {offset} of t-0: expected 0 to 1"):
            partition.read(offset, 100)


def test_a_cold_page_cache_gives_a_read_for_a_thread_with_the_same_bytes(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, index_interval_bytes=100)
    for number in range(20):
        bench.append(b"%03d" % number * 100)
    bench.settle()
    bench.disk.cold = True
    for offset in range(20):
        cold = partition.read(offset, 700)
        assert isinstance(cold, ColdRead)
        bench.disk.cold = False
        warm = bench.read(offset, 700)
        assert bytes(cold.load().data) == bytes(warm.data)
        bench.disk.cold = True


def test_a_read_that_ended_before_a_roll_goes_on_in_the_next_segment(bench: Bench) -> None:
    bench.topic(segment_bytes=1024)
    bench.append(b"x" * 900)
    bench.settle()
    assert len(bench.read(0).data) > 900
    bench.append(b"y" * 900)
    bench.settle()
    assert read_header(bench.read(1).data).base_offset == 1


def test_time_look_ups_name_the_first_record_at_or_after(bench: Bench) -> None:
    partition = bench.topic(index_interval_bytes=0, segment_bytes=1024)
    bench.append(b"a", b"b", b"c", at_ms=100, step_ms=10)
    bench.append(b"d", at_ms=50, codec=Codec.ZSTD)
    bench.append(*[b"e" * 300] * 3, at_ms=200, step_ms=10, codec=Codec.GZIP)
    bench.append(*[b"f" * 300] * 3, at_ms=210)
    bench.settle()
    assert partition.find_timestamp(0) == TimestampOffset(0, 100)
    assert partition.find_timestamp(101) == TimestampOffset(1, 110)
    assert partition.find_timestamp(121) == TimestampOffset(4, 200)
    assert partition.find_timestamp(211) == TimestampOffset(6, 220)
    assert partition.find_timestamp(221) is None
    assert partition.newest_timestamp() == TimestampOffset(6, 220)
    bench.restart(orderly=True)
    assert bench.partition.find_timestamp(211) == TimestampOffset(6, 220)
    assert bench.partition.newest_timestamp() == TimestampOffset(6, 220)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=4), min_size=1, max_size=20),
    segment_bytes=st.sampled_from([1024, 1 << 20]),
    index_bytes=st.sampled_from([0, 150, 4096]),
    restart=st.booleans(),
)
def test_time_look_ups_equal_a_walk_over_all_records(
    request: pytest.FixtureRequest, times: list[list[int]], segment_bytes: int, index_bytes: int, restart: bool
) -> None:
    bench: Bench = type(request.getfixturevalue("bench"))()
    partition = bench.topic(segment_bytes=segment_bytes, index_interval_bytes=index_bytes)
    flat = [at_ms for batch in times for at_ms in batch]
    for batch_times in times:
        batch = encode_batch([Record(n, at_ms, None, b"v" * 50) for n, at_ms in enumerate(batch_times)])
        partition.append(batch, [read_header(batch)])
    bench.settle()
    if restart:
        partition = bench.restart(orderly=True)
    for wanted in range(52):
        first = next(((offset, at_ms) for offset, at_ms in enumerate(flat) if at_ms >= wanted), None)
        found = partition.find_timestamp(wanted)
        assert (None if found is None else (found.offset, found.timestamp_ms)) == first
