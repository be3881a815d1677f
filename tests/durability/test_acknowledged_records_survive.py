"""Random appends, rolls, flush rounds, trims and power cuts on a disk that forgets: the log opens by itself every time,
and what was acknowledged is there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from yeoul.clock import ManualClock
from yeoul.log.directory import Log
from yeoul.log.doctor import examine
from yeoul.log.errors import DiskRefused, LogCorrupt, LogStopped
from yeoul.log.flusher import FlushMode
from yeoul.log.partition import ColdRead, PartitionLog
from yeoul.log.segment_names import segment_names
from yeoul.log.volatile_disk import StepWorkers, VolatileDisk
from yeoul.wire.records import Record, decode_records, encode_batch, iter_batches, read_header

DATA = Path("/data")
TOPIC_DIRECTORY = DATA / "topics" / "t" / "0"
EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "150"))
SHARES = st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0]), min_size=1, max_size=5)
"""How much survives of one file or directory after the other."""


def values_of(partition: PartitionLog, max_bytes: int = 1 << 20) -> list[bytes]:
    """All that can be read, in order, and proof that offsets are dense and batches whole."""
    values: list[bytes] = []
    offset = partition.start_offset
    while offset < partition.high_watermark:
        fetched = partition.read(offset, max_bytes)
        if isinstance(fetched, ColdRead):
            fetched = fetched.load()
        assert len(fetched.data), f"nothing to read at {offset} below {partition.high_watermark}"
        end = 0
        for position, header in iter_batches(fetched.data):
            for record in decode_records(fetched.data, position):
                if record.offset >= offset:
                    assert record.offset == offset
                    assert record.value is not None
                    values.append(record.value)
                    offset += 1
            end = position + header.size_bytes
        assert end == len(fetched.data), "a torn batch was handed out"
    return values


def some(shares: list[float]) -> Callable[[int], int]:
    """What `VolatileDisk.crash` takes."""
    share = cycle(shares)
    return lambda size: int(size * next(share))


class PowerCuts(RuleBasedStateMachine):
    """The model is a list and a number: what was appended before the last start and since, and how much of it was
    acknowledged. Without flush rounds what is acknowledged has to survive the end of the process only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disk = VolatileDisk(DATA)
        self.clock = ManualClock(1_000)
        self.appended: list[bytes] = []
        self.acknowledged = 0
        self.sequence = 0
        self.retry: tuple[bytes, int] | None = None

    @initialize(
        segment_bytes=st.sampled_from([1024, 2048, 1 << 20]),
        index_bytes=st.sampled_from([0, 200, 4096]),
        flush=st.sampled_from([FlushMode.COMMIT, FlushMode.COMMIT, FlushMode.OS]),
    )
    def create(self, segment_bytes: int, index_bytes: int, flush: FlushMode = FlushMode.COMMIT) -> None:
        self.flush = flush
        self.open()
        entries = {
            "segment.bytes": str(segment_bytes),
            "index.interval.bytes": str(index_bytes),
            "retention.ms": "3600000",
        }
        self.partition = self.log.create_topic("t", 1, entries).partitions[0]

    def open(self) -> None:
        self.workers = StepWorkers()
        self.log = Log(
            DATA,
            defer=self.workers.call_soon,
            post=self.workers.call_soon,
            on_fatal=self.fail,
            flush=self.flush,
            disk=self.disk,
            workers=self.workers,
            clock=self.clock,
        )

    def fail(self, failure: LogStopped) -> None:
        if self.disk.changes_left is None:
            raise failure

    @rule(count=st.integers(1, 5), size=st.integers(0, 400))
    def append(self, count: int, size: int) -> None:
        base = len(self.appended)
        values = [b"%d:" % (base + number) + b"v" * size for number in range(count)]
        batch = encode_batch(
            [Record(number, self.clock.now_ms(), None, value) for number, value in enumerate(values)],
            producer_id=9,
            producer_epoch=0,
            base_sequence=self.sequence,
        )
        self.retry = (bytes(batch), base)
        appended = self.partition.append(batch, [read_header(batch)])
        assert (appended.base_offset, appended.end_offset) == (base, base + count)
        self.appended += values
        self.sequence += count
        self.wait_for(appended.end_offset)

    def wait_for(self, end_offset: int) -> None:
        def acknowledge(failure: LogStopped | None) -> None:
            if failure is None:
                self.acknowledged = max(self.acknowledged, end_offset)

        at_once = self.partition.when_committed(end_offset, acknowledge)
        assert at_once == (self.flush is FlushMode.OS), "acknowledged before any flush round"

    @precondition(lambda self: self.retry is not None)
    @rule()
    def retry_last(self) -> None:
        assert self.retry is not None
        batch, base = self.retry
        size = len(self.appended)
        again = self.partition.append(bytearray(batch), [read_header(batch)])
        assert again.duplicate
        assert again.base_offset == base
        assert self.partition.end_offset == size

    @rule(number=st.integers(0, 3))
    def flush_step(self, number: int) -> None:
        self.workers.step(number)

    @rule()
    def end_tick(self) -> None:
        self.workers.pump()

    @rule()
    def checkpoint(self) -> None:
        self.partition._checkpoints.soon()

    @rule(share=st.floats(0, 1))
    def trim(self, share: float) -> None:
        self.partition.advance_start_offset(int(self.partition.high_watermark * share))

    @rule()
    def outlive_retention(self) -> None:
        self.clock.advance_ms(7_200_000)
        self.partition.apply_retention()

    @rule(kept=SHARES, names=SHARES)
    def power_cut(self, kept: list[float], names: list[float]) -> None:
        self.disk = self.disk.crash(some(kept), some(names))
        self.after_restart(self.acknowledged)

    @rule(kept=SHARES, names=SHARES, changes=st.integers(0, 8))
    def power_cut_in_a_job(self, kept: list[float], names: list[float], changes: int) -> None:
        self.disk.changes_left = changes
        with contextlib.suppress(OSError):
            self.workers.settle()
        self.power_cut(kept, names)

    @rule(kept=SHARES, names=SHARES, changes=st.integers(0, 30))
    def two_power_cuts(self, kept: list[float], names: list[float], changes: int) -> None:
        """The second one comes while the log is being opened, or just after."""
        self.disk = self.disk.crash(some(kept), some(names))
        self.disk.changes_left = changes
        with contextlib.suppress(DiskRefused):
            self.open()
        self.power_cut(names, kept)

    @rule()
    def kill(self) -> None:
        """The process dies, the page cache stays."""
        self.disk.end_process()
        self.after_restart(self.acknowledged if self.flush is FlushMode.COMMIT else len(self.appended))

    @rule()
    def orderly_restart(self) -> None:
        self.log.close()
        self.disk = self.disk.crash()
        self.after_restart(len(self.appended))
        assert self.log.was_clean

    def after_restart(self, least: int) -> None:
        (report,) = examine(DATA, disk=self.disk)
        assert report.is_sound, report
        self.open()
        partition = self.log.partition("t", 0)
        assert partition is not None
        self.partition = partition
        end_offset = partition.end_offset
        assert report.end_offset == end_offset
        assert end_offset >= least, "an acknowledged record was lost"
        assert values_of(partition) == self.appended[partition.start_offset : end_offset]
        assert end_offset == partition.high_watermark
        assert all(not name.is_provisional for name in segment_names(self.disk.list_directory(TOPIC_DIRECTORY)))
        if end_offset < len(self.appended):
            self.retry = None
        del self.appended[end_offset:]
        self.acknowledged = self.sequence = end_offset

    @invariant()
    def nothing_readable_is_undurable(self) -> None:
        if not hasattr(self, "partition") or self.flush is FlushMode.OS:
            return
        assert self.acknowledged <= self.partition.high_watermark
        survivor = self.disk.crash()
        log = Log(
            DATA,
            defer=lambda call: None,
            post=lambda call: None,
            on_fatal=self.fail,
            disk=survivor,
            workers=StepWorkers(),
            clock=self.clock,
        )
        partition = log.partition("t", 0)
        assert partition is not None
        assert partition.end_offset >= self.partition.high_watermark
        start_offset = self.partition.start_offset
        assert values_of(self.partition, 300) == self.appended[start_offset : self.partition.high_watermark]


PowerCuts.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestPowerCuts = pytest.mark.timeout(0 if "YEOUL_FUZZ" in os.environ else 120)(PowerCuts.TestCase)


def test_a_segment_that_is_on_the_disk_before_the_end_of_the_one_before_it_is_dropped(caplog):
    model = PowerCuts()
    model.create(segment_bytes=1024, index_bytes=0)
    model.append(1, 0)
    model.workers.settle()
    for count, size in ((1, 0), (4, 213), (1, 0)):
        model.append(count, size)
    model.power_cut([0.0, 1.0], [1.0])
    assert len(model.appended) == 1
    assert "00000000000000000002.log.new: dropped with" in caplog.text
    model.append(4, 213)
    model.kill()
    assert len(model.appended) == 5


def test_a_segment_that_was_begun_by_a_process_that_died_at_once_has_a_durable_name_before_anything_is_acknowledged():
    model = PowerCuts()
    model.create(segment_bytes=1024, index_bytes=0)
    model.kill()
    model.append(1, 0)
    model.workers.settle()
    assert model.acknowledged == 1
    model.power_cut([0.0], [0.0])


def test_a_segment_that_was_confirmed_vouches_for_what_lies_before_it():
    model = PowerCuts()
    model.create(segment_bytes=1024, index_bytes=0)
    for _ in range(3):
        model.append(1, 700)
    model.workers.step(0)
    model.workers.step(0)
    names = segment_names(model.disk.list_directory(TOPIC_DIRECTORY))
    assert [name.is_provisional for name in names] == [False] * 3
    file = model.disk.open(names[1].path_in(TOPIC_DIRECTORY))
    file.truncate(file.size_bytes() - 1)
    file.sync()
    size_bytes = file.size_bytes()
    model.disk.unlink(TOPIC_DIRECTORY / "checkpoint")
    model.disk.end_process()
    with pytest.raises(LogCorrupt, match=r"damaged at position 0 .*; but all records up to offset 2 were durable"):
        model.open()
    assert model.disk.open(names[1].path_in(TOPIC_DIRECTORY)).size_bytes() == size_bytes, "nothing was cut"
