"""The interval join: out of order, cut anywhere, restored anywhere, it gives what DuckDB gives over the whole input."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.operators.joins.interval import IntervalJoin
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.plan.join_bounds import Interval
from yeoul.plan.nodes import JoinKind

LEFT = {"k": pl.Int64(), "t": pl.Datetime("ms"), "a": pl.String()}
RIGHT = {"j": pl.Int64(), "u": pl.Datetime("ms"), "b": pl.Int64()}
KINDS = (JoinKind.INNER, JoinKind.LEFT, JoinKind.RIGHT, JoinKind.FULL)
LATENESS_MS = 3


def operator(kind: JoinKind, lower: int, upper: int, *, condition: bool = False, clock=None) -> IntervalJoin:
    left, right = JoinSide(LEFT, [pl.col("k")]), JoinSide(RIGHT, [pl.col("j")])
    extra = pl.col("b") > pl.col("a").str.len_chars() if condition else None
    sides = JoinSides(left, right, kind, extra, [*LEFT, *RIGHT])
    interval = Interval("t", "u", lower, upper, by_clock=clock is not None)
    return IntervalJoin(sides, interval, clock or SYSTEM_CLOCK, judged=True)


KEYS = st.sampled_from([1, 2, None])
ROWS = (
    st.tuples(KEYS, st.integers(0, 30), st.sampled_from(["x", "yy", "a name longer than twelve bytes"])),
    st.tuples(KEYS, st.integers(0, 30), st.integers(0, 4)),
)
HISTORIES = st.lists(st.integers(0, 1).flatmap(lambda port: ROWS[port].map(lambda row: (port, row))), max_size=30)


def watermarks(history: list[tuple[int, tuple]]) -> list[int]:
    """The merged watermark before each row, and at last after all."""
    highest = [START_OF_TIME, START_OF_TIME]
    found = [START_OF_TIME]
    for port, (_, time, _) in history:
        highest[port] = max(highest[port], time - LATENESS_MS)
        found.append(min(highest))
    return found


def expected(kind: JoinKind, history, before: list[int], lower: int, upper: int, *, condition: bool) -> Counter:
    """A pair counts if the earlier of the two was still waiting when the later one came."""
    lefts, rights = (
        pl.DataFrame(
            [(at, before[at], *row) for at, (where, row) in enumerate(history) if where == port],
            schema={"n": pl.Int64, "w": pl.Int64, "k": pl.Int64, "t": pl.Int64, "v": (pl.String, pl.Int64)[port]},
            orient="row",
        )
        for port in (0, 1)
    )
    assert (lefts.height, rights.height) >= (0, 0)
    extra = " and r.v > length(l.v)" if condition else ""
    query = f"""
        select l.k, l.t, l.v, r.k, r.t, r.v from lefts l {kind.value} join rights r
        on l.k = r.k and l.t - r.t between {lower} and {upper} {extra}
        and case when l.n > r.n then l.w < r.t + {upper} else r.w < l.t - ({lower}) end
    """
    return Counter(duckdb.sql(query).fetchall())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@given(HISTORIES, st.integers(-8, 4), st.integers(0, 8), st.booleans(), st.data())
@settings(max_examples=80, deadline=None)
def test_pairs_are_those_of_the_batch_join(kind, history, lower, width, condition, data):
    upper = lower + width
    running = operator(kind, lower, upper, condition=condition)
    before = watermarks(history)
    got: Counter = Counter()
    watermark = START_OF_TIME

    def take(output) -> None:
        for frame in output.batches:
            for *row, judged in frame.select(
                *LEFT, *RIGHT, pl.lit(None) if WATERMARK not in frame.columns else WATERMARK
            ).rows():
                got[tuple(row)] += 1
                times = [one for one in (row[1], row[4]) if one is not None]
                assert times
                assert judged is None or judged <= watermark

    at = 0
    while at < len(history):
        port = history[at][0]
        longest = next((end for end in range(at, len(history)) if history[end][0] != port), len(history))
        end = data.draw(st.integers(at + 1, longest))
        rows = [row for _, row in history[at:end]]
        batch = pl.DataFrame(rows, schema=(LEFT, RIGHT)[port], orient="row")
        judged = before[at:end]
        if any(time <= max(judged) for _, time, _ in rows) or data.draw(st.booleans()):
            batch = batch.with_columns(pl.Series(WATERMARK, judged, dtype=pl.Int64))
        watermark = before[end]
        take(running.process(port, batch))
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(kind, lower, upper, condition=condition)
            running.restore(state)
        take(running.advance(watermark))
        at = end
    watermark = END_OF_TIME
    take(running.advance(END_OF_TIME))
    plain = Counter()
    for (k, t, a, j, u, b), count in got.items():
        plain[k, _ms(t), a, j, _ms(u), b] += count
    assert plain == expected(kind, history, before, lower, upper, condition=condition)


def _ms(time) -> int | None:
    return None if time is None else time.microsecond // 1000 + 1000 * time.second


def left(key: int, time: int) -> pl.DataFrame:
    return pl.DataFrame({"k": [key], "t": [time], "a": ["x"]}, schema=LEFT)


def right(key: int, time: int) -> pl.DataFrame:
    return pl.DataFrame({"j": [key], "u": [time], "b": [7]}, schema=RIGHT)


def test_a_row_without_a_partner_is_given_when_its_interval_has_passed():
    running = operator(JoinKind.LEFT, -10, 0)
    assert running.process(0, left(1, 100)).batches == ()
    assert running.advance(109).batches == ()
    (given_out,) = running.advance(110).batches
    assert given_out.select("k", "a", "j").rows() == [(1, "x", None)]
    assert running.process(1, right(1, 105)).batches == ()


def test_rows_are_dropped_by_the_watermark():
    running = operator(JoinKind.INNER, -10, 0)
    for time in range(0, 10_000, 10):
        running.process(0, left(time % 3, time))
        running.advance(time - 1)
    assert running.snapshot()["left"].height < 5


def test_by_the_clock_rows_meet_that_come_near_each_other():
    clock = ManualClock()
    running = operator(JoinKind.LEFT, -1_000, 1_000, clock=clock)
    running.process(0, left(1, 0))
    clock.advance_ms(900)
    (both,) = running.process(1, right(1, 0)).batches
    assert both.select("k", "j").rows() == [(1, 1)]
    clock.advance_ms(200)
    assert running.process(1, right(1, 0)).batches == ()


def test_by_the_clock_a_row_without_a_partner_asks_to_be_woken():
    clock = ManualClock()
    running = operator(JoinKind.LEFT, -1_000, 0, clock=clock)
    running.process(0, left(1, 0))
    wake_at_ms = running.wake_at_ms
    assert wake_at_ms == clock.now_ms() + 1_001
    assert running.wake(wake_at_ms - 1).batches == ()
    (given_out,) = running.wake(wake_at_ms).batches
    assert given_out.select("k", "j").rows() == [(1, None)]
    assert running.wake_at_ms is None
