from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from yeoul.log.errors import OffsetOutOfRange
from yeoul.log.partition import ColdRead

if TYPE_CHECKING:
    from conftest import Bench


def fill(bench: Bench, count: int = 5, at_ms: int = 0) -> None:
    for number in range(count):
        bench.append(b"%d" % number * 900, at_ms=at_ms + number)
    bench.settle()


def test_old_segments_go_by_size_and_the_start_moves_with_them(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, retention_bytes=2500, retention_ms=-1)
    fill(bench)
    held = partition.size_bytes
    assert bench.log.apply_retention() == 2
    bench.settle()
    assert partition.start_offset == 2
    assert partition.size_bytes < held
    assert len(bench.values()) == 3
    assert bench.restart().start_offset == 2
    assert len(bench.values()) == 3


def test_old_segments_go_by_the_time_of_their_newest_record_and_an_idle_active_one_too(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, retention_ms=1000)
    fill(bench, at_ms=bench.clock.now_ms())
    assert bench.log.apply_retention() == 0
    bench.clock.advance_ms(1002)
    assert bench.log.apply_retention() == 2
    bench.clock.advance_ms(10_000)
    assert bench.log.apply_retention() == 3
    bench.settle()
    assert (partition.start_offset, partition.end_offset, partition.segment_count) == (5, 5, 1)
    bench.append(b"again")
    bench.settle()
    assert bench.restart().start_offset == 5
    assert bench.values() == [b"again"]


def test_a_compacted_topic_keeps_everything(bench: Bench) -> None:
    bench.topic(segment_bytes=1024, retention_bytes=1, cleanup_policy="compact")
    fill(bench)
    assert bench.log.apply_retention() == 0


def test_a_power_cut_between_trimming_and_its_checkpoint_brings_the_segments_back(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024)
    fill(bench)
    partition.advance_start_offset(3)
    assert partition.start_offset == 3
    with pytest.raises(OffsetOutOfRange):
        partition.read(2, 100)
    # The checkpoint has not been written, so no file may be gone.
    assert bench.restart().start_offset in (0, 3)
    fill(bench, 1)
    assert bench.values()[-1] == b"0" * 900


def test_the_start_may_lie_inside_a_segment_and_survives(bench: Bench) -> None:
    partition = bench.topic()
    fill(bench, 5)
    partition.advance_start_offset(2)
    bench.settle()
    assert bench.restart().start_offset == 2
    assert bench.values() == [b"2" * 900, b"3" * 900, b"4" * 900]
    with pytest.raises(OffsetOutOfRange, match="Expected an offset up to 5, got 6"):
        bench.partition.advance_start_offset(6)


def test_a_reader_in_a_thread_outlives_the_segment_it_reads(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, retention_bytes=1000, retention_ms=-1)
    fill(bench)
    bench.disk.cold = True
    cold = partition.read(0, 10_000)
    assert isinstance(cold, ColdRead)
    expected = bytes(cold.load().data)
    bench.log.apply_retention()
    bench.settle()
    assert partition.start_offset > 0
    assert bytes(cold.load().data) == expected
