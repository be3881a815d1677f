"""A running job over sources in memory: threads, queues, idleness, ends, errors and stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import memory_source as m
import polars as pl
import pytest
from memory_source import MemorySink, MemorySource, rows, until

from yeoul.clock import ManualClock
from yeoul.engine.contract import DeadLetters
from yeoul.engine.runtime.execution import Execution, Settings
from yeoul.engine.runtime.side_streams import SideStreams
from yeoul.errors import PeerError, UserError
from yeoul.plan.nodes import Node, Values
from yeoul.plan.types import BIGINT


class Job:
    """An execution on a thread of its own, with what it gave."""

    def __init__(self, plan: Node, *sources: MemorySource, sink: MemorySink | None = None, **options: object) -> None:
        self.clock = ManualClock(wall_ms=1_000_000)
        clock = options.pop("clock", self.clock)
        self.frames: list[pl.DataFrame] = []
        self.error: BaseException | None = None
        side_streams = options.pop("side_streams", None)
        on_batch = options.pop("on_batch", self.frames.append)
        left = list(sources)
        self.execution = Execution(
            plan,
            lambda scan: left.pop(0),
            (lambda write: sink) if sink else None,
            Settings(clock=clock, poll_timeout_ms=5, linger_ms=0, **{"parallelism": 2, **options}),  # type: ignore[arg-type]
            side_streams,  # type: ignore[arg-type]
            on_batch,  # type: ignore[arg-type]
        )
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.execution.run()
        except BaseException as error:
            self.error = error

    def join(self) -> None:
        self.thread.join(20)
        assert not self.thread.is_alive(), "the run does not end"

    def rows(self) -> list[tuple[object, ...]]:
        return [
            row
            for frame in list(self.frames)
            for row in frame.with_columns(pl.col(pl.Datetime).dt.epoch("ms")).iter_rows()
        ]

    def wait_for_rows(self, count: int) -> None:
        until(lambda: len(self.rows()) >= count or self.error is not None, f"{count} rows")
        if self.error is not None:
            raise self.error


@contextmanager
def running(plan: Node, *sources: MemorySource, **options: object) -> Iterator[Job]:
    job = Job(plan, *sources, **options)  # type: ignore[arg-type]
    threads = threading.active_count()
    job.thread.start()
    try:
        yield job
    finally:
        job.execution.stop()
        job.join()
    until(lambda: threading.active_count() <= threads, "every thread to end")
    assert all(source.closed for source in sources)


def bounded(**splits: list[pl.DataFrame]) -> MemorySource:
    source = MemorySource(tuple(splits), is_bounded=True)
    for split, frames in splits.items():
        for frame in frames:
            source.push(split, frame)
    source.finish()
    return source


def test_a_bounded_input_ends_with_every_window_closed() -> None:
    source = bounded(s0=[rows((1, "a", 1), (4, "b", 2), (12, "a", 3))])
    with running(m.counted(m.timed()), source) as job:
        job.join()
        assert job.error is None
        assert job.rows() == [("a", 1, 0, 10), ("b", 1, 0, 10), ("a", 1, 10, 20)]
        progress = job.execution.progress()
    assert (progress.status, progress.rows_in, progress.rows_out, progress.records_in) == ("finished", 3, 3, 3)
    assert (progress.latest_ms, progress.bytes_in, progress.late, progress.dead) == (12, 100, 0, 0)
    assert [(one.state, one.position, one.queued_bytes) for one in progress.splits] == [("finished", 1, 0)]


def test_an_empty_bounded_input_ends() -> None:
    with running(m.counted(m.timed()), MemorySource((), is_bounded=True)) as job:
        job.join()
        assert job.error is None
        assert job.rows() == []


def test_rows_come_out_while_the_input_goes_on() -> None:
    source = MemorySource()
    with running(m.counted(m.timed()), source) as job:
        source.push("s0", rows((1, "a", 1)))
        source.push("s0", rows((30, "a", 2)))
        job.wait_for_rows(1)
        assert job.rows() == [("a", 1, 0, 10)]
        assert job.execution.progress().status == "running"
        assert job.execution.progress().watermark_ms == 30


def test_the_watermark_is_the_least_of_all_splits_and_progress_names_the_one_that_holds_it() -> None:
    source = MemorySource(("s0", "s1"))
    with running(m.counted(m.timed()), source) as job:
        source.push("s0", rows((50, "a", 1)))
        until(lambda: job.execution.progress().rows_in == 1, "the row of s0")
        assert job.execution.progress().held_by == "split 's1' of 'clicks' has given no row yet"
        source.push("s1", rows((7, "b", 2)))
        until(lambda: job.execution.progress().rows_in == 2, "the row of s1")
        assert job.execution.progress().held_by == "split 's1' of 'clicks' has come to 1970-01-01 00:00:00.007"
        assert job.rows() == []
        source.push("s1", rows((20, "b", 3)))
        job.wait_for_rows(1)
        assert job.rows() == [("b", 1, 0, 10)]


def test_a_quiet_split_stops_holding_the_watermark_after_the_idle_timeout_only() -> None:
    source = MemorySource(("s0", "s1"))
    with running(m.counted(m.timed(idle_timeout_ms=1_000)), source) as job:
        source.push("s0", rows((5, "a", 1), (50, "a", 2)))
        until(lambda: job.execution.progress().rows_in == 2, "the rows of s0")
        job.clock.advance_ms(999)
        polls = source.polls
        until(lambda: source.polls > polls + 3, "more polls")
        assert job.execution.progress().watermark_ms is None
        source.push("s0", rows((51, "a", 3)))
        until(lambda: job.execution.progress().rows_in == 3, "one more row of s0")
        job.clock.advance_ms(1)
        job.wait_for_rows(1)
        states = {one.split: one.state for one in job.execution.progress().splits}
        assert states == {"s0": "active", "s1": "idle"}
        source.push("s1", rows((60, "b", 4)))
        source.push("s0", rows((70, "a", 5)))
        job.wait_for_rows(2)
        assert job.rows() == [("a", 1, 0, 10), ("a", 2, 50, 60)]


def test_a_split_with_something_queued_is_never_idle() -> None:
    source, gate, entered = MemorySource(("s0", "s1")), threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert gate.wait(20)

    with running(m.counted(m.timed(idle_timeout_ms=10)), source, small_bytes=1) as job:
        source.push("s1", rows((5, "b", 1)), before_decode=hold)
        assert entered.wait(20)
        source.push("s0", rows((50, "a", 2)))
        job.clock.advance_ms(1_000)
        polls = source.polls
        until(lambda: source.polls > polls + 3, "more polls")
        assert {one.split: one.state for one in job.execution.progress().splits}["s1"] == "active"
        gate.set()
        until(lambda: job.execution.progress().rows_in == 2, "both rows")
        assert job.execution.progress().late == 0


def test_what_waits_is_bounded_while_the_sink_is_slow() -> None:
    source, sink = MemorySource(), MemorySink(gate=threading.Event())
    for number in range(100):
        source.push("s0", rows((number, "a", number)), size_bytes=10)
    source.finish()
    source.is_bounded = True
    plan = m.write(m.counted(m.timed(), 1))
    with running(plan, source, sink=sink, queue_bytes=50, piece_bytes=20, run_bytes=10, small_bytes=1) as job:
        assert sink.waits.wait(20)
        until(lambda: sum(one.queued_bytes for one in job.execution.progress().splits) > 30, "a full queue")
        polls = source.polls
        job.clock.advance_ms(10_000)
        assert source.polls - polls <= 1
        assert len(source.queues["s0"]) >= 90
        assert sum(one.queued_bytes for one in job.execution.progress().splits) <= 60
        assert sink.gate is not None
        sink.gate.set()
        job.join()
        assert job.error is None
    assert pl.concat(sink.frames)["clicks"].sum() == 100
    assert pl.concat(sink.frames).columns == ["action", "clicks", "since", "till"]
    assert sink.closed
    assert sink.flushes >= 1


def test_stop_ends_a_run_that_waits_for_its_source() -> None:
    source = MemorySource()
    with running(m.counted(m.timed()), source) as job:
        source.push("s0", rows((1, "a", 1)))
        until(lambda: job.execution.progress().rows_in == 1, "the row")
        job.execution.stop()
        job.join()
        assert job.error is None
        assert job.rows() == []
        assert job.execution.progress().status == "stopped"


def test_stop_ends_a_run_whose_queue_is_full() -> None:
    source, gate = MemorySource(), threading.Event()
    for number in range(100):
        source.push("s0", rows((number, "a", number)), size_bytes=10)
    seen = threading.Event()

    def hold(frame: pl.DataFrame) -> None:
        seen.set()
        gate.wait(20)

    with running(m.ids(m.scan()), source, queue_bytes=20, piece_bytes=10, on_batch=hold) as job:
        assert seen.wait(20)
        job.execution.stop()
        gate.set()
        job.join()
        assert job.error is None


def test_stop_while_opening_is_no_failure_but_an_error_without_it_is() -> None:
    started, go_on = threading.Event(), threading.Event()

    class Unreachable:
        is_bounded = False

        def open(self, positions: object) -> object:
            started.set()
            go_on.wait(20)
            raise PeerError("nobody answers")

    for stops, status in ((True, "stopped"), (False, "failed")):
        started.clear(), go_on.clear()
        job = Job(m.scan(), Unreachable())  # type: ignore[arg-type]
        job.thread.start()
        assert started.wait(20)
        if stops:
            job.execution.stop()
        go_on.set()
        job.join()
        assert job.execution.progress().status == status
        assert (job.error is None) is stops


def test_stop_before_run_lets_it_end_at_once() -> None:
    source = MemorySource()
    job = Job(m.ids(m.scan()), source)
    job.execution.stop()
    job.execution.run()
    assert source.closed


@pytest.mark.parametrize("lanes", [1, 2])
def test_an_error_in_a_decoder_ends_the_run_and_is_raised(lanes: int) -> None:
    sources = [MemorySource() for _ in range(lanes)]

    def broken() -> None:
        raise UserError("Cannot decode this")

    plan = m.counted(m.timed()) if lanes == 1 else m.counted(m.union(m.timed("a"), m.timed("b")))
    with running(plan, *sources) as job:
        sources[-1].push("s0", rows((1, "a", 1)), before_decode=broken)
        job.join()
        assert isinstance(job.error, UserError)
        assert job.execution.progress().status == "failed"


def test_an_error_in_a_reader_ends_the_run_and_is_raised() -> None:
    source = MemorySource()
    with running(m.ids(m.scan()), source) as job:
        source.fail(PeerError("Connection lost"))
        job.join()
        assert isinstance(job.error, PeerError)


def test_an_error_of_the_caller_ends_the_run_and_is_raised() -> None:
    def refuse(frame: pl.DataFrame) -> None:
        raise KeyboardInterrupt

    source = MemorySource()
    with running(m.ids(m.scan()), source, on_batch=refuse) as job:
        source.push("s0", rows((1, "a", 1)))
        job.join()
        assert isinstance(job.error, KeyboardInterrupt)


def test_a_limit_ends_an_unbounded_job() -> None:
    source = MemorySource()
    with running(m.limit(m.ids(m.only(m.scan(), "a")), 3), source) as job:
        for number in range(10):
            source.push("s0", rows((1, "b", 100), (1, "a", number)))
        job.join()
        assert job.error is None
        assert job.rows() == [(0,), (1,), (2,)]


def test_a_limit_of_zero_needs_no_input() -> None:
    with running(m.limit(m.ids(m.scan()), 0), MemorySource()) as job:
        job.join()
        assert job.rows() == []


def test_a_limit_in_one_branch_of_a_union_ends_that_branch_only() -> None:
    one, other = MemorySource(), MemorySource()
    with running(m.union(m.limit(m.ids(m.scan("a")), 1), m.ids(m.scan("b"))), one, other) as job:
        one.push("s0", rows((1, "a", 1), (1, "a", 2)))
        job.wait_for_rows(1)
        other.push("s0", rows((1, "a", 3)))
        job.wait_for_rows(2)
        one.push("s0", rows((1, "a", 4)))
        other.push("s0", rows((1, "a", 5)))
        job.wait_for_rows(3)
        assert job.rows() == [(1,), (3,), (5,)]


def test_a_union_closes_windows_by_the_slower_of_its_tables() -> None:
    one, other = MemorySource(), MemorySource()
    with running(m.counted(m.union(m.timed("a"), m.timed("b"))), one, other) as job:
        one.push("s0", rows((1, "a", 1), (99, "a", 2)))
        other.push("s0", rows((2, "a", 3)))
        until(lambda: job.execution.progress().rows_in == 3, "three rows")
        assert job.rows() == []
        other.push("s0", rows((15, "b", 4)))
        job.wait_for_rows(1)
        assert job.rows() == [("a", 2, 0, 10)]
        one.finish()
        other.finish()


def test_one_table_of_a_union_that_ends_stops_holding_the_other() -> None:
    one, other = bounded(s0=[rows((1, "a", 1))]), MemorySource()
    with running(m.counted(m.union(m.timed("a"), m.timed("b"))), one, other) as job:
        other.push("s0", rows((2, "a", 2), (30, "a", 3)))
        job.wait_for_rows(1)
        assert job.rows() == [("a", 2, 0, 10)]


def test_values_alone_run_and_end() -> None:
    schema = m.Schema((m.Field("x", BIGINT),))
    with running(Values(((1,), (2,)), schema)) as job:
        job.join()
        assert job.rows() == [(1,), (2,)]


def test_the_split_furthest_behind_in_event_time_is_read_first() -> None:
    source, gate, entered = MemorySource(("fast", "slow")), threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert gate.wait(20)

    with running(m.ids(m.timed()), source, parallelism=1, run_bytes=1, small_bytes=1) as job:
        source.push("fast", rows((1_000, "a", 0)), before_decode=hold)
        assert entered.wait(20)
        for number in range(1, 4):
            source.push("fast", rows((1_000 + number, "a", number)))
            source.push("slow", rows((number, "a", 10 * number)))
        until(lambda: not source.queues["fast"] and not source.queues["slow"], "all to be queued")
        gate.set()
        job.wait_for_rows(7)
        assert job.rows() == [(0,), (10,), (20,), (30,), (1,), (2,), (3,)]


def test_late_and_dead_rows_are_set_aside_whole(tmp_path: Path) -> None:
    side = SideStreams(tmp_path)
    letters = DeadLetters(pl.DataFrame({"split": ["s0"], "position": ["7"], "reason": ["no JSON"], "raw": [b"\xff{"]}))
    source = bounded(s0=[rows((5, "a", 1), (25, "a", 2), (6, "a", 3), (None, "x", 4)), rows((26, "b", 5))])
    source.queues["s0"][1].dead = letters
    with running(m.counted(m.timed()), source, side_streams=side, run_bytes=1) as job:
        job.join()
        assert job.error is None
        assert job.rows() == [("a", 1, 0, 10), ("a", 1, 20, 30), ("b", 1, 20, 30)]
        progress = job.execution.progress()
        assert (progress.late, progress.dead) == (1, 2)
    late = SideStreams(tmp_path).read("clicks", "late")
    assert late.columns == [
        "ts", "action", "id", "late_operator", "late_window_start", "late_window_end", "late_watermark", "split",
        "position",
    ]  # fmt: skip
    times = late.with_columns(pl.col(pl.Datetime).dt.epoch("ms")).row(0)
    assert times == (6, "a", 3, "TUMBLE(ts, size 10 ms)", 0, 10, 25, "s", "0")
    dead = SideStreams(tmp_path).read("clicks", "dead")
    assert dead.rows() == [
        ("s", "0", "Row time 'ts' is NULL", None, '{"ts":null,"action":"x","id":4}'),
        ("s0", "7", "no JSON", b"\xff{", "\ufffd{"),
    ]


def test_small_pieces_are_joined_and_late_rows_still_found(tmp_path: Path) -> None:
    side, gate, entered = SideStreams(tmp_path), threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert gate.wait(20)

    source = MemorySource()
    with running(m.counted(m.timed()), source, side_streams=side, parallelism=1, small_bytes=1) as job:
        source.push("s0", rows((1, "a", 0)), before_decode=hold)
        assert entered.wait(20)
        source.push("s0", rows((50, "a", 1)), before_decode=hold)
        for number in range(2, 20):
            source.push("s0", rows((number, "a", number), (60, "a", -1)))
        until(lambda: not source.queues["s0"], "all to be queued")
        gate.set()
        until(lambda: job.execution.progress().late >= 18, "all late rows")
        assert job.execution.progress().batches < 10
        late = SideStreams(tmp_path).read("clicks", "late")
    assert late["id"].to_list() == list(range(2, 20))


def test_what_was_written_is_flushed_while_the_job_goes_on() -> None:
    source, sink = MemorySource(), MemorySink()
    with running(m.write(m.counted(m.timed(), 1)), source, sink=sink) as job:
        source.push("s0", rows((1, "a", 1), (5, "a", 2)))
        until(lambda: bool(sink.frames), "a row written")
        assert sink.flushes == 0
        job.clock.advance_ms(1_000)
        source.push("s0", rows((6, "a", 1)))
        until(lambda: sink.flushes > 0, "a flush")


def test_a_job_that_waits_takes_next_to_no_processor_time(request: pytest.FixtureRequest) -> None:
    import time

    source = MemorySource()
    execution = Execution(m.ids(m.scan()), lambda scan: source, settings=Settings(parallelism=2))
    thread = threading.Thread(target=execution.run)
    thread.start()
    until(lambda: source.polls >= 1, "the first poll")
    before_s, polls = time.process_time(), source.polls
    until(lambda: source.polls >= polls + 2, "two more polls")
    used_s = time.process_time() - before_s
    execution.stop()
    thread.join(20)
    assert used_s < 0.3
