"""Windows over rows that may be taken back equal DuckDB over the rows that are left when the window closes."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from test_windows_equal_duckdb import EXAMPLES
from window_oracle import WindowSpec

from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.aggregate import WindowAggregate
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.plan.expressions import AggregateCall, ColumnRef
from yeoul.plan.nodes import WindowKind, WindowProperty
from yeoul.plan.types import BIGINT

N = ColumnRef("n", BIGINT)
CALLS = {
    "c": (AggregateCall("count_star", (), BIGINT.not_null()), "count(*)"),
    "total": (AggregateCall("sum", (N,), BIGINT), "sum(n)::bigint"),
    "least": (AggregateCall("min", (N,), BIGINT), "min(n)"),
    "kinds": (AggregateCall("count", (N,), BIGINT.not_null(), distinct=True), "count(distinct n)"),
}
SCHEMA = {"ts": pl.Int64, "k": pl.String, "n": pl.Int64, WEIGHT: pl.Int64}


def operator(spec: WindowSpec) -> WindowAggregate:
    return WindowAggregate(
        WindowLayout(WindowKind(spec.kind), spec.size, spec.slide, spec.offset),
        TimeAxis(None),
        "ts",
        [("k", pl.col("k"))],
        [compile_aggregate(call, name, None, WEIGHT) for name, (call, _) in CALLS.items()],
        [("ws", WindowProperty.START), ("we", WindowProperty.END)],
        ["ws", "we", "k", *CALLS],
        retracts=True,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, str, int | None, int]]:
    """Rows in any order of time, some of which are taken back later."""
    living, history = [], []
    for _ in range(draw(st.integers(0, 25))):
        row = (draw(st.integers(0, 40)), draw(st.sampled_from("ab")), draw(st.sampled_from([None, 1, 2, 3])))
        living.append(row)
        history.append((*row, 1))
        if draw(st.booleans()):
            history.append((*living.pop(draw(st.integers(0, len(living) - 1))), -1))
    return history


SPECS = st.sampled_from(
    [
        WindowSpec("TUMBLE", 10, 10, 3),
        WindowSpec("HOP", 15, 5, -2),
        WindowSpec("HOP", 7, 3),
        WindowSpec("CUMULATE", 20, 5),
    ]
)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(
    spec=SPECS, history=histories(), cuts=st.lists(st.integers(1, 6), min_size=1, max_size=4), restores=st.booleans()
)
def test_windows_give_what_is_left(
    spec: WindowSpec, history: list[tuple[int, str, int | None, int]], cuts: list[int], restores: bool
) -> None:
    running, at, turn = operator(spec), 0, 0
    while at < len(history):
        size = cuts[turn % len(cuts)]
        frame = pl.DataFrame(history[at : at + size], schema=SCHEMA, orient="row")
        running.process(0, frame.with_columns(pl.col("ts").cast(pl.Datetime("ms"))))
        at, turn = at + size, turn + 1
        if restores:
            state, running = running.snapshot(), operator(spec)
            running.restore(state)
    given_out = [row for one in running.advance(END_OF_TIME).batches for row in one.rows()]
    left: Counter[tuple[int, str, int | None]] = Counter()
    for *row, weight in history:
        left[tuple(row)] += weight  # type: ignore[index]
    pairs = [(*window, k, n) for ts, k, n in left.elements() for window in spec.windows_of(ts)]
    rows = pl.DataFrame(pairs, schema={"ws": pl.Int64, "we": pl.Int64, "k": pl.String, "n": pl.Int64}, orient="row")
    rows = rows.with_columns(pl.col("ws", "we").cast(pl.Datetime("ms")))
    columns = ", ".join(text for _, text in CALLS.values())
    expected = duckdb.sql(f"select ws, we, k, {columns} from rows group by ws, we, k").fetchall()
    assert sorted(given_out, key=repr) == sorted(expected, key=repr)
