"""Windows given early and again: what they gave adds up to DuckDB's answer over the rows within the lateness."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_windows_equal_duckdb import EXAMPLES
from window_oracle import WindowSpec

from yeoul.clock import ManualClock
from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME, Output
from yeoul.engine.operators.time_axis import TimeAxis, epoch_ms
from yeoul.engine.operators.windows.aggregate import WindowAggregate
from yeoul.engine.operators.windows.emitting import WINDOW_END, EmittingWindows
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.plan.expressions import AggregateCall, ColumnRef
from yeoul.plan.nodes import Emission, WindowKind, WindowProperty
from yeoul.plan.types import BIGINT

CALLS = {
    "c": AggregateCall("count_star", (), BIGINT.not_null()),
    "most": AggregateCall("max", (ColumnRef("n", BIGINT),), BIGINT),
}
TUMBLE = WindowSpec("TUMBLE", 10, 10)
Row = tuple[int, str | None, int]


def operator(emission: Emission, clock: ManualClock, spec: WindowSpec = TUMBLE) -> EmittingWindows:
    inner = WindowAggregate(
        WindowLayout(WindowKind(spec.kind), spec.size, spec.slide, spec.offset),
        TimeAxis(None),
        "ts",
        [("k", pl.col("k"))],
        [compile_aggregate(call, name) for name, call in CALLS.items()],
        [("ws", WindowProperty.START), ("we", WindowProperty.END), (WINDOW_END, WindowProperty.END)],
        ["ws", "we", "k", *CALLS, WINDOW_END],
    )
    return EmittingWindows(inner, ["k"], emission, clock)


def rows(*values: Row, watermark: int | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(values, schema={"ts": pl.Int64, "k": pl.String, "n": pl.Int64}, orient="row")
    frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("ms")))
    return frame if watermark is None else frame.with_columns(pl.lit(watermark, dtype=pl.Int64).alias(WATERMARK))


def given_by(output: Output) -> list[tuple[str | None, int, int, int]]:
    """Key, count, greatest and weight of each change."""
    return [row for one in output.batches for row in one.select("k", *CALLS, WEIGHT).rows()]


def test_an_open_window_is_given_when_its_delay_is_over_and_then_as_it_changes() -> None:
    clock = ManualClock(wall_ms=1_000)
    running = operator(Emission(early_ms=100), clock)
    assert given_by(running.process(0, rows((1, "a", 5), (2, "b", 1)))) == []
    assert running.wake_at_ms == 1_100
    assert given_by(running.wake(1_100)) == [("a", 1, 5, 1), ("b", 1, 1, 1)]
    assert running.wake_at_ms is None
    running.process(0, rows((3, "a", 9)))
    assert given_by(running.wake(1_200)) == [("a", 1, 5, -1), ("a", 2, 9, 1)]
    running.process(0, rows((4, "b", 7)))
    assert given_by(running.advance(9)) == [("b", 1, 1, -1), ("b", 2, 7, 1)]
    assert running.process(0, rows((4, "b", 7), watermark=9)).late is not None


def test_late_rows_give_a_window_again_until_the_lateness_is_over() -> None:
    running = operator(Emission(late_ms=0, lateness_ms=20), ManualClock())
    assert given_by(running.process(0, rows((1, "a", 5)))) == []
    assert given_by(running.advance(9)) == [("a", 1, 5, 1)]
    assert given_by(running.process(0, rows((2, "a", 6), watermark=9))) == [("a", 1, 5, -1), ("a", 2, 6, 1)]
    assert given_by(running.advance(29)) == []
    missed = running.process(0, rows((2, "a", 6), watermark=29))
    assert missed.batches == ()
    assert missed.late is not None
    assert epoch_ms(missed.late.frame["watermark"]).to_list() == [29]


def test_each_change_is_given_at_once_without_a_delay() -> None:
    running = operator(Emission(early_ms=0), ManualClock())
    assert given_by(running.process(0, rows((1, "a", 5)))) == [("a", 1, 5, 1)]
    assert given_by(running.process(0, rows((2, "a", 5)))) == [("a", 1, 5, -1), ("a", 2, 5, 1)]
    assert given_by(running.advance(END_OF_TIME)) == []


SPECS = st.sampled_from([TUMBLE, WindowSpec("HOP", 15, 5, -2), WindowSpec("CUMULATE", 20, 5)])
EMISSIONS = st.builds(
    Emission, st.sampled_from([None, 0, 50]), st.sampled_from([0, 50]), st.sampled_from([1, 7, 40])
) | st.builds(Emission, st.sampled_from([0, 50]))
BATCHES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["a", "b", None]), st.integers(0, 3)), max_size=5),
        st.sampled_from(["", "", "wake", "restore"]),
    ),
    max_size=10,
)


@settings(max_examples=3 * EXAMPLES, deadline=None)
@given(spec=SPECS, emission=EMISSIONS, batches=BATCHES, delay=st.integers(0, 10))
@example(WindowSpec("HOP", 15, 5, -2), Emission(50), [([(12, "a", 0), (0, "a", 0)], ""), ([(3, "a", 0)], "")], 0)
def test_what_was_given_adds_up(
    spec: WindowSpec, emission: Emission, batches: list[tuple[list[Row], str]], delay: int
) -> None:
    clock = ManualClock(wall_ms=1)
    running, table, in_time, greatest = operator(emission, clock, spec), Counter(), [], -(2**62)

    def take(output: Output) -> None:
        for row in (row for one in output.batches for row in one.rows()):
            table[row[:-1]] += row[-1]
            assert table[row[:-1]] in (0, 1), "what was given before is taken back, and nothing else"

    for values, event in batches:
        marks = []
        for ts, k, n in values:
            marks.append(greatest - delay)
            windows = [one for one in spec.windows_of(ts) if one[1] - 1 + emission.lateness_ms > greatest - delay]
            in_time += [(*window, k, n) for window in windows]
            greatest = max(greatest, ts)
        if values:
            numbers = pl.Series(ROW, range(len(values)), dtype=pl.UInt32)
            take(running.process(0, rows(*values).with_columns(pl.Series(WATERMARK, marks), numbers)))
            take(running.advance(greatest - delay))
        clock.advance_ms(30)
        if event == "wake":
            take(running.wake(clock.now_ms()))
        if event == "restore":
            state, running = running.snapshot(), operator(emission, clock, spec)
            running.restore(state)
    take(running.advance(END_OF_TIME))
    frame = pl.DataFrame(in_time, schema={"ws": pl.Int64, "we": pl.Int64, "k": pl.String, "n": pl.Int64}, orient="row")
    frame = frame.with_columns(pl.col("ws", "we").cast(pl.Datetime("ms")))
    expected = duckdb.sql("select ws, we, k, count(*), max(n) from frame group by ws, we, k").fetchall()
    assert +table == Counter(expected)
