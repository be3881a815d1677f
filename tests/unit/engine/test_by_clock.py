"""Windows on processing time: rows fall where the clock stands, windows end by it, the runtime wakes for them."""

from __future__ import annotations

import threading

import polars as pl
from memory_source import MemorySource, rows, scan, until
from pipelines import MemoryBatch, with_ms

from yeoul.clock import ManualClock
from yeoul.engine.runtime.build import build
from yeoul.engine.runtime.execution import Execution
from yeoul.engine.runtime.pipeline import Pipeline
from yeoul.engine.runtime.settings import Settings
from yeoul.engine.runtime.stages import Effects
from yeoul.plan.expressions import AggregateCall, Call, ColumnRef
from yeoul.plan.nodes import (
    Aggregation,
    Field,
    Node,
    Project,
    Projection,
    Schema,
    Window,
    WindowAggregate,
    WindowKind,
    WindowProperty,
)
from yeoul.plan.types import BIGINT, STRING, timestamp, timestamp_ltz

NOW = timestamp_ltz(3)
COUNT = AggregateCall("count_star", (), BIGINT.not_null())


def stamped() -> Node:
    fields = (Field("action", STRING), Field("proc", NOW, is_proctime=True))
    columns = (Projection("action", ColumnRef("action", STRING)), Projection("proc", Call("proctime", (), NOW)))
    return Project(scan(), columns, Schema(fields))


def counted(window: Window, below: Node | None = None, keys: tuple[str, ...] = ("action",)) -> WindowAggregate:
    below = below or stamped()
    fields = [below.schema[key] for key in keys]
    bounds = [Field("start", timestamp(3)), Field("end", timestamp(3)), Field("time", NOW, is_proctime=True)]
    properties = (("start", WindowProperty.START), ("end", WindowProperty.END), ("time", WindowProperty.TIME))
    return WindowAggregate(
        below,
        window,
        tuple(Projection(one.name, ColumnRef(one.name, one.type)) for one in fields),
        (Aggregation("n", COUNT),),
        properties,
        Schema((*fields, Field("n", BIGINT.not_null()), *bounds)),
    )


def tumble(size_ms: int, column: str = "proc") -> Window:
    return Window(WindowKind.TUMBLE, column, size_ms, size_ms, by_clock=True)


def give(pipeline: Pipeline, *actions: str) -> Effects:
    source = MemoryBatch(rows(*((0, action, 1) for action in actions)))
    return pipeline.process(0, "s0", pipeline.lanes[0].prepare(source))


def seen(effects: Effects) -> list[tuple[object, ...]]:
    return sorted(row for frame in effects.rows for row in with_ms(frame).drop("time", strict=False).iter_rows())


def test_a_window_ends_by_the_clock_and_not_before() -> None:
    clock = ManualClock(wall_ms=1_003)
    pipeline = build(counted(tumble(10)), Settings(clock=clock)).pipeline
    pipeline.start()
    assert pipeline.wake_at_ms is None
    give(pipeline, "a", "b", "a")
    assert pipeline.wake_at_ms == 1_010
    clock.advance_ms(6)
    give(pipeline, "a")
    assert seen(pipeline.wake(1_009)) == []
    assert seen(pipeline.wake(1_010)) == [("a", 3, 1_000, 1_010), ("b", 1, 1_000, 1_010)]
    assert pipeline.wake_at_ms is None


def test_a_row_that_comes_first_ends_the_windows_before_it() -> None:
    clock = ManualClock(wall_ms=1_000)
    pipeline = build(counted(tumble(10)), Settings(clock=clock)).pipeline
    give(pipeline, "a")
    clock.advance_ms(10)
    assert seen(give(pipeline, "b")) == [("a", 1, 1_000, 1_010)]
    assert seen(pipeline.end_lane(0)) == [("b", 1, 1_010, 1_020)]


def test_sessions_by_the_clock_grow_while_rows_come() -> None:
    clock = ManualClock(wall_ms=1_000)
    window = Window(WindowKind.SESSION, "proc", 10, 10, by_clock=True)
    pipeline = build(counted(window), Settings(clock=clock)).pipeline
    for _ in range(3):
        give(pipeline, "a")
        clock.advance_ms(8)
    assert seen(pipeline.wake(1_025)) == []
    assert seen(pipeline.wake(1_026)) == [("a", 3, 1_000, 1_026)]


def test_a_window_over_a_window_by_the_clock_takes_in_what_the_lower_one_gives() -> None:
    clock = ManualClock(wall_ms=1_000)
    upper = counted(tumble(10, "time"), counted(tumble(10)), keys=("start", "end"))
    upper = WindowAggregate(
        upper.input,
        upper.window,
        upper.keys,
        (Aggregation("m", COUNT),),
        (),
        Schema((*upper.schema.fields[:2], Field("m", BIGINT.not_null()))),
    )
    pipeline = build(upper, Settings(clock=clock)).pipeline
    give(pipeline, "a", "b", "a")
    clock.advance_ms(25)
    given_out = [*seen(give(pipeline, "c")), *seen(pipeline.wake(clock.now_ms()))]
    assert given_out == [(1_000, 1_010, 2)]


def test_a_snapshot_goes_on_with_the_clock() -> None:
    clock = ManualClock(wall_ms=1_000)
    first, second = (build(counted(tumble(10)), Settings(clock=clock)).pipeline for _ in range(2))
    give(first, "a")
    second.restore(first.snapshot())
    assert second.wake_at_ms == 1_010
    assert seen(second.wake(1_500)) == [("a", 1, 1_000, 1_010)]


def test_a_running_job_gives_a_window_out_though_nothing_more_comes() -> None:
    source, given_out = MemorySource(), []
    run = Execution(counted(tumble(30)), lambda _: source, on_batch=given_out.append)
    thread = threading.Thread(target=run.run)
    thread.start()
    source.push("s0", rows((0, "a", 1)))
    until(lambda: bool(given_out), "the window by the clock")
    run.stop()
    thread.join(20)
    assert pl.concat(given_out)["n"].to_list() == [1]
