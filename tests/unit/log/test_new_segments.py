"""A segment is named once a sync has covered all that lies before it."""

from __future__ import annotations

from pathlib import Path

from yeoul.log.segment_names import SegmentName, segment_names

from .conftest import DATA, Bench

DIRECTORY = DATA / "topics" / "t" / "0"


def names_in(bench: Bench, directory: Path = DIRECTORY) -> list[SegmentName]:
    return segment_names(bench.disk.list_directory(directory))


def test_segments_are_named_by_the_round_that_acknowledges_their_records(bench: Bench) -> None:
    bench.topic(segment_bytes=1024)
    for _ in range(3):
        bench.append(b"x" * 900)
    assert names_in(bench) == [(0, False), (1, True), (2, True)]
    bench.settle()
    assert names_in(bench) == [(0, False), (1, False), (2, False)]
    assert bench.partition.durable_offset == 3


def test_a_roll_costs_a_sync_of_either_segment_and_of_the_directory(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024)
    bench.append(b"x" * 900)
    bench.settle()
    partition._checkpoints.stop()
    before = bench.disk.sync_count
    bench.append(b"y" * 100)
    bench.append(b"z" * 900)
    bench.settle()
    assert partition.durable_offset == 3
    assert bench.disk.sync_count - before == 3


def test_on_a_disk_too_full_for_a_name_appends_go_on_and_the_next_checkpoint_names_the_segment(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024)
    bench.append(b"x" * 900)
    bench.append(b"y" * 900)
    bench.disk.space_left_bytes = 0
    bench.settle()
    assert names_in(bench) == [(0, False), (1, True)]
    assert partition.durable_offset == 2
    assert not bench.failures
    bench.disk.space_left_bytes = None
    partition.apply_retention()
    bench.settle()
    assert names_in(bench) == [(0, False), (1, False)]
    bench.restart()
    assert bench.values() == [b"x" * 900, b"y" * 900]


def test_without_flush_rounds_the_checkpoint_names_segments(os_flush_bench: Bench) -> None:
    bench = os_flush_bench
    bench.topic(segment_bytes=1024)
    bench.append(b"x" * 900)
    bench.append(b"y" * 900)
    assert names_in(bench) == [(0, False), (1, True)]
    bench.settle()
    assert names_in(bench) == [(0, False), (1, False)]


def test_what_a_deleted_topic_had_under_way_names_nothing_in_a_new_topic_of_that_name(bench: Bench) -> None:
    def roll_once() -> None:
        bench.topic(segment_bytes=1024)
        bench.append(b"x" * 900)
        bench.append(b"y" * 900)
        bench.workers.pump()

    roll_once()
    bench.log.delete_topic("t")
    of_the_old_topic = len(bench.workers.jobs)
    roll_once()
    for _ in range(of_the_old_topic):
        bench.workers.jobs.popleft()()
    assert names_in(bench) == [(0, False), (1, True)]
    bench.settle()
    assert names_in(bench) == [(0, False), (1, False)]
    assert not bench.failures
