from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from yeoul.log.errors import InvalidBatch, LogFull, LogStopped
from yeoul.wire.records import Record, encode_batch, read_header

if TYPE_CHECKING:
    from conftest import Bench


def ack(into: list[object]) -> Callable[[LogStopped | None], None]:
    return into.append


def test_an_append_is_acknowledged_and_readable_only_after_its_flush_round(bench: Bench) -> None:
    partition = bench.topic()
    acks: list[object] = []
    appended = bench.append(b"a", b"b")
    assert (appended.base_offset, appended.end_offset) == (0, 2)
    assert not partition.when_committed(2, ack(acks))
    assert partition.high_watermark == 0
    assert bench.read(0).data == b""
    bench.workers.pump()
    assert acks == []
    bench.settle()
    assert acks == [None]
    assert partition.when_committed(2, ack(acks))
    assert bench.values() == [b"a", b"b"]


def test_appends_during_a_round_wait_for_the_next_one(bench: Bench) -> None:
    partition = bench.topic()
    acks: list[object] = []
    bench.append(b"a")
    bench.workers.pump()
    bench.append(b"b")
    partition.when_committed(2, ack(acks))
    bench.workers.step()
    assert partition.high_watermark == 1
    assert acks == []
    bench.settle()
    assert partition.high_watermark == 2
    assert acks == [None]


def test_many_appends_of_one_tick_share_one_sync(bench: Bench) -> None:
    bench.topic()
    bench.append(b"first")
    bench.settle()
    before = bench.disk.sync_count
    for _ in range(50):
        bench.append(b"v")
    bench.settle()
    assert bench.disk.sync_count == before + 1


def test_an_acknowledgement_waits_for_its_own_partition_only(bench: Bench) -> None:
    topic = bench.log.create_topic("two", 2)
    acks: list[object] = []
    for number, partition in enumerate(topic.partitions):
        batch = encode_batch([Record(0, 0, None, b"v")])
        partition.append(batch, [read_header(batch)])
        partition.when_committed(1, lambda failure, number=number: acks.append(number))
    bench.workers.step(1)
    assert acks == [1]
    bench.settle()
    assert acks == [1, 0]


def test_listeners_hear_of_the_high_watermark_until_removed(bench: Bench) -> None:
    partition = bench.topic()
    heard: list[int] = []

    def listener() -> None:
        heard.append(partition.high_watermark)

    partition.add_listener(listener)
    bench.append(b"a")
    assert heard == []
    bench.settle()
    partition.remove_listener(listener)
    bench.append(b"b")
    bench.settle()
    assert heard == [1]


def test_a_failed_sync_stops_the_log_and_fails_who_waits(bench: Bench) -> None:
    partition = bench.topic()
    bench.append(b"kept")
    bench.settle()
    acks: list[object] = []
    bench.append(b"lost")
    partition.when_committed(2, ack(acks))
    bench.disk.sync_failure = OSError(errno.EIO, "Input/output error")
    bench.settle()
    assert len(bench.failures) == 1
    assert acks == bench.failures
    assert partition.high_watermark == 1
    bench.disk.sync_failure = None
    with pytest.raises(LogStopped, match="failed to make appended bytes durable"):
        bench.append(b"more")
    bench.restart()
    assert bench.values() == [b"kept"]


def test_a_full_disk_refuses_the_append_and_keeps_everything_before_it(bench: Bench) -> None:
    partition = bench.topic()
    bench.append(b"kept")
    bench.settle()
    bench.disk.space_left_bytes = 100
    with pytest.raises(LogFull, match=r"Could not append to /data/topics/t/0: No space left on device\. Free"):
        bench.append(b"x" * 200)
    assert partition.end_offset == 1
    bench.disk.space_left_bytes = 10_000
    bench.append(b"next")
    bench.settle()
    assert bench.values() == [b"kept", b"next"]
    bench.restart()
    assert bench.values() == [b"kept", b"next"]


def test_a_full_disk_at_a_roll_leaves_the_old_segment_in_use(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024)
    bench.append(b"x" * 900)
    bench.settle()
    bench.disk.space_left_bytes = 0
    with pytest.raises(LogFull, match="Could not begin a segment in /data/topics/t/0: No space left on device"):
        bench.append(b"y" * 900)
    assert partition.segment_count == 1
    bench.disk.space_left_bytes = 5_000
    bench.append(b"y" * 900)
    bench.settle()
    assert bench.values() == [b"x" * 900, b"y" * 900]


def test_a_full_disk_does_not_stop_the_log_when_only_the_checkpoint_fails(bench: Bench) -> None:
    bench.topic(segment_bytes=1024)
    bench.append(b"x" * 900)
    bench.settle()
    bench.disk.space_left_bytes = 1_000
    bench.append(b"y" * 900)
    bench.settle()
    assert bench.failures == []
    assert bench.partition.high_watermark == 2
    bench.disk.space_left_bytes = None
    bench.restart()
    assert bench.values() == [b"x" * 900, b"y" * 900]


def test_os_mode_acknowledges_at_once_and_syncs_nothing(os_flush_bench: Bench) -> None:
    partition = os_flush_bench.topic()
    before = os_flush_bench.disk.sync_count
    os_flush_bench.append(b"a")
    assert partition.when_committed(1, ack([]))
    os_flush_bench.settle()
    assert os_flush_bench.values() == [b"a"]
    assert os_flush_bench.disk.sync_count == before
    os_flush_bench.restart(orderly=True)
    assert os_flush_bench.values() == [b"a"]


def test_interval_mode_acknowledges_at_once_and_syncs_at_the_tick(interval_flush_bench: Bench) -> None:
    bench = interval_flush_bench
    partition = bench.topic()
    bench.append(b"a")
    assert partition.high_watermark == 1
    assert partition.durable_offset == 0
    bench.log._flusher._start_rounds()
    bench.settle()
    assert partition.durable_offset == 1
    bench.log.close()


def test_bytes_beyond_the_batches_are_refused(bench: Bench) -> None:
    partition = bench.topic()
    batch = encode_batch([Record(0, 0, None, b"v")])
    header = read_header(batch)
    with pytest.raises(InvalidBatch, match="bytes of batches"):
        partition.append(batch + b"junk", [header])
    assert partition.end_offset == 0


def test_a_segment_rolls_by_size_and_by_record_time(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, segment_ms=1000)
    bench.append(b"x" * 600, at_ms=0)
    bench.append(b"x" * 600, at_ms=1)
    assert partition.segment_count == 2
    bench.append(b"y", at_ms=1_001)
    assert partition.segment_count == 2
    bench.append(b"y", at_ms=1_002)
    assert partition.segment_count == 3
    bench.settle()
    assert len(bench.values()) == 4


def test_a_full_disk_at_the_end_leaves_a_log_that_opens_with_everything(bench: Bench) -> None:
    bench.topic()
    bench.append(b"kept")
    bench.settle()
    bench.disk.space_left_bytes = 0
    bench.restart(orderly=True)
    assert not bench.log.was_clean
    assert bench.values() == [b"kept"]


def test_a_topic_that_the_disk_will_not_take_does_not_exist(bench: Bench) -> None:
    bench.disk.space_left_bytes = 10
    with pytest.raises(LogFull, match="Could not make topic 't': No space left on device"):
        bench.topic()
    bench.disk.space_left_bytes = None
    assert set(bench.log.topics) == set()
    bench.topic()
    bench.append(b"v")
    bench.settle()
    assert bench.values() == [b"v"]
