"""Sessions over random events, splits, cuts and restores equal those put together row by row, aggregated by DuckDB."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipelines import OUTPUT, aggregates, batch, rows_of, windowed, with_ms
from test_windows_equal_duckdb import EXAMPLES, Case, Quiet, Seen, cases, delay_of, ordered, pieces, splits_of
from window_oracle import NEVER, Merge, is_closed, local_ms
from window_oracle import aggregates as expected_aggregates

from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.contract import END_OF_TIME
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.sessions import SessionAggregate, SessionAssign
from yeoul.engine.runtime.pipeline import Pipeline
from yeoul.engine.state.timers import Timers
from yeoul.plan.nodes import WindowProperty

PROPERTIES = [("ws", WindowProperty.START), ("we", WindowProperty.END), ("wt", WindowProperty.TIME)]


@dataclass
class Session:
    start: int
    end: int
    rows: list[tuple[str | None, int | None, float | None]] = field(default_factory=list)


def expected(case: Case) -> tuple[list[tuple[object, ...]], set[tuple[int, int, int, int]]]:
    """DuckDB's answer over the rows of each session; and each late row with its own session and the watermark."""
    gap = case.spec.size
    top = Merge({str(lane): NEVER for lane in range(case.lanes)})
    lanes = {lane: Merge({split: NEVER for one, split in splits_of(case) if one == lane}) for lane in range(case.lanes)}
    sessions: dict[str | None, list[Session]] = defaultdict(list)
    missed = set()
    for one in case.history:
        lane = lanes[one.lane]
        if isinstance(one, Quiet):
            lane.silence(one.split)
            top.observe(str(one.lane), lane.current) if len(lane.silent) < len(lane.values) else None
            if len(lane.silent) == len(lane.values):
                top.values[str(one.lane)] = max(top.values[str(one.lane)], lane.current)
                top.silence(str(one.lane))
            continue
        for number, time, key, amount, price in one.rows:
            if time is not None:
                start = local_ms(time, case.zone)
                open_ones = [each for each in sessions[key] if not is_closed(each.end, top.current, case.zone)]
                touched = [each for each in open_ones if each.start <= start + gap and each.end >= start]
                if not touched and is_closed(start + gap, top.current, case.zone):
                    missed.add((number, start, start + gap, top.current))
                else:
                    joined = Session(start, start + gap, [(key, amount, price)])
                    for each in touched:
                        joined = Session(
                            min(joined.start, each.start), max(joined.end, each.end), [*each.rows, *joined.rows]
                        )
                        sessions[key].remove(each)
                    sessions[key].append(joined)
                lane.observe(one.split, time - delay_of(case))
            else:
                lane.observe(one.split, NEVER)
            top.observe(str(one.lane), lane.current)
    counted = [(one.start, one.end, *row) for key in sessions for one in sessions[key] for row in one.rows]
    return expected_aggregates(counted), missed


def fresh(case: Case) -> Pipeline:
    keys = [("key", pl.col("k"))]
    window = SessionAggregate(case.spec.size, TimeAxis(case.zone), "ts", keys, aggregates(), PROPERTIES, OUTPUT)
    pipeline = windowed(window, case.lanes, delay_of(case))  # type: ignore[arg-type]
    for lane, split in sorted(splits_of(case)):
        pipeline.add_split(lane, split)
    return pipeline


def run(case: Case, cuts: list[int], restores: frozenset[int] = frozenset()) -> Seen:
    pipeline, seen = fresh(case), Seen([], [], [])
    pipeline.start()
    for step, one in enumerate(pieces(case, cuts)):
        if step in restores:
            state = pipeline.snapshot()
            pipeline = fresh(case)
            pipeline.restore(state)
        if isinstance(one, Quiet):
            effects = pipeline.set_idle(one.lane, one.split)
        else:
            source = batch(one.rows, case.zone is not None)
            effects = pipeline.process(one.lane, one.split, pipeline.lanes[one.lane].prepare(source))
            for _, late in effects.late:
                recovered = source.recover(late.frame["$row"])
                windows = with_ms(late.frame).select("window_start", "window_end", "watermark").iter_rows()
                seen.missed += [(int(a), *b) for a, b in zip(recovered["id"], windows, strict=True)]
        seen.rows += rows_of(effects)
    for lane in range(case.lanes):
        seen.rows += rows_of(pipeline.end_lane(lane))
    return seen


@settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=cases(),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    restores=st.frozensets(st.integers(0, 30), max_size=6),
)
def test_sessions_equal_those_put_together_row_by_row(case: Case, cuts: list[int], restores: frozenset[int]) -> None:
    seen = run(case, cuts, restores)
    answer, missed = expected(case)
    got = [row[:12] for row in seen.rows]
    assert len(got) == len(answer)
    for one, other in zip(ordered(got), ordered(answer), strict=True):
        assert one[:6] == other[:6]
        assert one[7:] == other[7:]
        assert (one[6] is None) == (other[6] is None)
        assert one[6] is None or math.isclose(one[6], other[6], rel_tol=1e-9)  # type: ignore[arg-type]
    assert sorted(seen.missed) == sorted(missed)


def sessions_of(*times: int, watermark: int | None = None) -> pl.DataFrame:
    frame = pl.DataFrame({"ts": pl.Series(times, dtype=pl.Int64).cast(pl.Datetime("ms")), "k": ["a"] * len(times)})
    return frame if watermark is None else frame.with_columns(pl.lit(watermark, dtype=pl.Int64).alias(WATERMARK))


def assigning() -> SessionAssign:
    return SessionAssign(10, TimeAxis(None), "ts", ["k"], ["ts", "k"], ("ws", "we", "wt"))


def test_rows_are_given_with_their_session_once_it_is_over() -> None:
    operator = assigning()
    assert operator.process(0, sessions_of(0, 25, 10)).batches == ()
    (given_out,) = operator.advance(19).batches
    assert with_ms(given_out).rows() == [(0, "a", 0, 20, 19), (10, "a", 0, 20, 19)]
    (rest,) = operator.advance(END_OF_TIME).batches
    assert with_ms(rest).rows() == [(25, "a", 25, 35, 34)]


def test_rows_that_wait_for_the_end_of_their_session_survive_a_restore() -> None:
    operator, again = assigning(), assigning()
    operator.process(0, sessions_of(0, 25, 10))
    again.restore(operator.snapshot())
    again.process(0, sessions_of(17))
    (given_out,) = again.advance(END_OF_TIME).batches
    assert with_ms(given_out)["ts"].to_list() == [0, 10, 25, 17]
    assert with_ms(given_out)["we"].unique().to_list() == [35]


@pytest.mark.parametrize(("time", "survives"), [(14, True), (5, True), (4, False)])
def test_a_late_row_that_reaches_an_open_session_survives(time: int, survives: bool) -> None:
    operator = assigning()
    operator.process(0, sessions_of(15))
    operator.advance(20)
    assert (operator.process(0, sessions_of(time, watermark=20)).late is None) is survives


def test_keys_and_sessions_are_forgotten_when_they_are_over() -> None:
    operator = assigning()
    for number in range(5_000):
        operator.process(0, sessions_of(number * 100))
        operator.advance(number * 100 + 50)
    assert operator.snapshot().keys() == {"times"}
    assert operator._known is not None
    assert len(operator._known) == 0
    assert operator._chains.size_bytes < 50_000


def test_timers_give_what_is_due_and_keep_the_rest() -> None:
    timers = Timers(10)
    timers.set(np.array([1, 2, 3]), np.array([5, 12, 18]))
    assert timers.take(4)[0].tolist() == []
    assert sorted(timers.take(12)[0].tolist()) == [1, 2]
    assert timers.next_ms == 18
    assert timers.take(18)[0].tolist() == [3]
