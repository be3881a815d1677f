"""Which split a running job takes next, what waits for what, how much waits, and when: skew, slow sinks, triggers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import Mock

import memory_source as m
import pytest
from memory_source import MemorySink, MemorySource, rows, until
from test_execution import running

from yeoul.clock import SYSTEM_CLOCK
from yeoul.engine.contract import Fetched, Polled
from yeoul.engine.runtime.intake import Intake
from yeoul.engine.runtime.queues import Run
from yeoul.engine.runtime.settings import Settings
from yeoul.plan.trigger import parse_trigger

DAY_MS = 86_400_000


def skewed(taken: list[str], pieces: int, *splits: tuple[str, int]) -> MemorySource:
    """A bounded source whose splits are of different days; notes the order in which pieces are taken."""
    source = MemorySource(tuple(name for name, _ in splits), is_bounded=True)
    for name, start_ms in splits:
        for number in range(pieces):
            note: Callable[[], None] = lambda name=name: taken.append(name)  # noqa: E731
            source.push(name, rows((start_ms + 10 * number, name, number)), size_bytes=10, before_decode=note)
    source.finish()
    return source


def taken_before_the_last(taken: list[str], slow: str, fast: str) -> int:
    last = len(taken) - 1 - taken[::-1].index(slow)
    return taken[:last].count(fast)


def test_a_partition_a_day_ahead_waits_until_the_other_has_caught_up() -> None:
    taken: list[str] = []
    source = skewed(taken, 200, ("ahead", DAY_MS), ("behind", 0))
    with running(m.counted(m.timed()), source, queue_bytes=100, piece_bytes=10, run_bytes=10) as job:
        job.join()
        assert job.error is None
        assert len(job.rows()) == 400
    assert taken_before_the_last(taken, "behind", "ahead") <= 4, "its windows would have piled up in state"


def test_a_table_a_day_ahead_waits_for_the_other_side_of_a_union_below_a_window() -> None:
    taken: list[str] = []
    sources = [skewed(taken, 100, ("ahead", DAY_MS)), skewed(taken, 100, ("behind", 0))]
    plan = m.counted(m.union(m.timed("one"), m.timed("two")))
    with running(plan, *sources, queue_bytes=200, piece_bytes=10, run_bytes=10) as job:
        job.join()
        assert job.error is None
        assert len(job.rows()) == 200
    assert taken_before_the_last(taken, "behind", "ahead") <= 4


def test_nobody_waits_where_no_state_depends_on_event_time() -> None:
    taken: list[str] = []
    sources = [skewed(taken, 1, ("ahead", DAY_MS)), MemorySource(("behind",))]
    with running(m.union(m.ids(m.timed("one")), m.ids(m.timed("two"))), *sources) as job:
        job.wait_for_rows(1)


def test_a_split_at_its_end_holds_nobody_up_unless_the_tables_are_aligned() -> None:
    source = MemorySource(("quiet", "busy"))
    with running(m.counted(m.timed()), source) as job:
        source.push("quiet", rows((0, "a", 1)))
        source.push("busy", rows((DAY_MS, "a", 2)))
        until(lambda: job.execution.progress().rows_in == 2, "both rows, a day apart")

    source = MemorySource(("quiet", "busy"))
    aligned = replace(m.timed(), alignment=("days", 1_000))
    with running(m.counted(aligned), source, run_bytes=1) as job:
        source.push("quiet", rows((0, "a", 1)))
        source.push("busy", rows((900, "a", 2)))
        source.push("busy", rows((DAY_MS, "a", 3)))
        source.push("busy", rows((DAY_MS + 1, "a", 4)))
        until(lambda: job.execution.progress().rows_in >= 2, "what is within the drift")
        polls = source.polls
        until(lambda: source.polls > polls + 3, "more polls")
        assert job.execution.progress().rows_in <= 3, "a run may reach beyond the drift, the next one waits"
        source.push("quiet", rows((2 * DAY_MS, "a", 5)))
        until(lambda: job.execution.progress().rows_in == 5, "the rest, once the quiet split has come that far")


@pytest.mark.parametrize("quiet", ["ends", "is finished", "is at its end"])
def test_a_lane_that_others_wait_for_is_read_on_when_the_one_before_it_has_nothing_more(quiet: str) -> None:
    intake = Intake(Settings(), 1)
    for _ in range(2):
        intake.add_lane(True, None, lambda: None, 2, group=0)
    intake.register(0, ["quiet"])
    intake.register(1, ["behind", "ahead"])
    intake.room(1)
    intake.offer(1, Polled([piece("behind"), piece("ahead")]))
    times = {"behind": 1_000, "ahead": 9_000}
    for _ in range(5):
        step = intake.next(0.0)
        if isinstance(step, Run):
            step.prepared = Mock(watermark_ms=times[step.parts[0].queue.split])
            intake.done(step)
    intake.room(1)
    intake.offer(1, Polled([piece("ahead")]))
    assert intake.next(0.0) is None, "the one that is ahead waits for the quiet one"
    asked = ThreadPoolExecutor(1).submit(intake.room, 1)
    until(lambda: bool(intake._to_read._waiters), "the reader to wait, too: there is little to do, and it waits")
    match quiet:
        case "ends":
            intake.end(0)
        case "is finished":
            intake.offer(0, Polled([], finished=frozenset({"quiet"})))
        case _:
            intake.offer(0, Polled([], at_end=frozenset({"quiet"})))
    try:
        request = asked.result(20)
    finally:
        intake.stop()
    assert request is not None
    assert request.splits[0] == "behind"


def piece(split: str) -> Fetched:
    return Mock(split=split, size_bytes=10)


def test_many_splits_with_little_room_all_come_to_their_end() -> None:
    taken: list[str] = []
    source = skewed(taken, 5, *((f"s{number:02}", number * DAY_MS) for number in range(40)))
    with running(m.counted(m.timed()), source, queue_bytes=30, piece_bytes=10, run_bytes=10) as job:
        job.join()
        assert job.error is None
        assert len(job.rows()) == 200


def test_little_that_waits_becomes_one_batch_and_is_not_decoded_ahead() -> None:
    source = MemorySource()
    with running(m.ids(m.scan()), source) as job:
        source.push("s0", rows((0, "a", 0)))
        job.wait_for_rows(1)
        with source.condition:
            for number in range(1, 50):
                source.push("s0", rows((number, "a", number)))
        job.wait_for_rows(50)
        assert job.execution.progress().batches <= 3


def test_a_slow_sink_stops_the_source_and_nothing_is_lost() -> None:
    source, sink = MemorySource(is_bounded=True), MemorySink(gate=threading.Event())
    assert sink.gate is not None
    for number in range(2_000):
        source.push("s0", rows((10 * number, "a", number)), size_bytes=1_000)
    source.finish()
    bounds = {"queue_bytes": 20_000, "piece_bytes": 5_000, "run_bytes": 5_000, "small_bytes": 1_000}
    with running(m.write(m.counted(m.timed())), source, sink=sink, **bounds) as job:
        assert sink.waits.wait(20)
        until(lambda: sum(one.queued_bytes for one in job.execution.progress().splits) >= 15_000, "a full queue")
        read = source.given["s0"]
        for _ in range(20):
            assert sum(one.queued_bytes for one in job.execution.progress().splits) <= 25_000
            threading.Event().wait(0.002)
        assert source.given["s0"] <= read + 10 < 200, "the source is not read on"
        sink.gate.set()
        job.join()
        assert job.error is None
    assert sum(frame.height for frame in sink.frames) == 2_000


def test_at_intervals_rows_are_taken_when_the_interval_has_passed() -> None:
    source = MemorySource()
    interval_s = 0.4
    with running(m.ids(m.scan()), source, clock=SYSTEM_CLOCK, trigger=parse_trigger("400 ms")) as job:
        source.push("s0", rows((0, "a", 0)))
        started_s = time.monotonic()
        job.wait_for_rows(1)
        until(lambda: job.execution._intake.is_caught_up, "the first round to be over")
        threading.Event().wait(0.05)
        source.push("s0", rows((1, "a", 1)))
        source.push("s0", rows((2, "a", 2)))
        job.wait_for_rows(3)
        assert time.monotonic() - started_s >= interval_s * 0.5
        assert len(job.frames) <= 3


@pytest.mark.parametrize("trigger", ["once", "available-now"])
def test_what_is_written_once_is_flushed_once(trigger: str) -> None:
    source, sink = MemorySource(is_bounded=True), MemorySink()
    for number in range(50):
        source.push("s0", rows((10 * number, "a", number)))
    source.finish()
    plan = m.write(m.counted(m.timed()))
    with running(plan, source, sink=sink, trigger=parse_trigger(trigger), flush_interval_ms=0) as job:
        job.join()
        assert job.error is None
    assert sum(frame.height for frame in sink.frames) == 50
    assert (sink.flushes == 1) is (trigger == "once")
