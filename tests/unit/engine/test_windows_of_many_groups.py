"""Panes that find their groups by key give what panes of frames give, and what DuckDB gives."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_window_aggregate_changes import SPECS
from test_windows_equal_duckdb import EXAMPLES
from window_oracle import WindowSpec

from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.aggregate import WindowAggregate
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.engine.state.panes import PaneStore
from yeoul.plan.expressions import AggregateCall, ColumnRef
from yeoul.plan.nodes import WindowKind, WindowProperty
from yeoul.plan.types import BIGINT, STRING

N, TEXT = ColumnRef("n", BIGINT), ColumnRef("text", STRING)
SUMS = {
    "c": (AggregateCall("count_star", (), BIGINT.not_null()), "count(*)"),
    "total": (AggregateCall("sum", (N,), BIGINT), "sum(n)::bigint"),
    "some": (AggregateCall("count", (N,), BIGINT.not_null()), "count(n)"),
}
EXTREMES = {
    "least": (AggregateCall("min", (N,), BIGINT), "min(n)"),
    "last": (AggregateCall("max", (TEXT,), STRING), "max(text)"),
}
SCHEMA = {"ts": pl.Int64, "k": pl.String, "j": pl.Int64, "n": pl.Int64, "text": pl.String}
Row = tuple[int, str | None, int | None, int | None, str | None]
KEYS = st.sampled_from(["a", "b", None, "a key that is longer than twelve bytes"])
TEXTS = st.sampled_from(["x", None, "a text that is longer than twelve bytes", "y"])
ROWS = st.tuples(st.integers(0, 70), KEYS, st.sampled_from([1, None]), st.sampled_from([None, -3, 0, 1 << 40]), TEXTS)


@pytest.fixture(params=[1, 3], ids=["from one group on", "from three groups on"], autouse=True)
def few_are_many(request: pytest.FixtureRequest) -> Iterator[None]:
    """A few groups are many, and are taken in a few at a time."""
    small = {"_MANY_GROUPS": request.param, "_PENDING_FRAMES": 2}
    with patch.multiple("yeoul.engine.state.panes", **small), patch("yeoul.engine.state.keyed_pane._TAKEN_ROWS", 3):
        yield


def operator(spec: WindowSpec, *, retracts: bool) -> WindowAggregate:
    calls = SUMS if retracts else {**SUMS, **EXTREMES}
    weight = WEIGHT if retracts else None
    return WindowAggregate(
        WindowLayout(WindowKind(spec.kind), spec.size, spec.slide, spec.offset),
        TimeAxis(None),
        "ts",
        [("k", pl.col("k")), ("j", pl.col("j"))],
        [compile_aggregate(call, name, None, weight) for name, (call, _) in calls.items()],
        [("ws", WindowProperty.START), ("we", WindowProperty.END)],
        ["ws", "we", "k", "j", *calls],
        retracts,
    )


def given_by(
    spec: WindowSpec, frame: pl.DataFrame, cuts: list[int], restores: list[bool], retracts: bool
) -> pl.DataFrame:
    """Feeds rows in order of time, closing windows on the way."""
    running, at, turn, given = operator(spec, retracts=retracts), 0, 0, []
    while at < frame.height:
        part = frame[at : at + cuts[turn % len(cuts)]]
        at, turn = at + part.height, turn + 1
        given += running.advance(int(part["ts"].cast(pl.Int64).min()) - 1).batches  # type: ignore[arg-type]
        output = running.process(0, part)
        assert not output.batches
        assert output.late is None
        if restores[turn % len(restores)]:
            state, running = running.snapshot(), operator(spec, retracts=retracts)
            running.restore(state)
    given += running.advance(END_OF_TIME).batches
    return pl.concat(given) if given else pl.DataFrame()


def expected(
    spec: WindowSpec, rows: list[Row], calls: dict[str, tuple[AggregateCall, str]]
) -> list[tuple[object, ...]]:
    spread = [(*window, *row[1:]) for row in rows for window in spec.windows_of(row[0])]
    if not spread:
        return []
    schema = {"ws": pl.Int64, "we": pl.Int64, **{name: kind for name, kind in SCHEMA.items() if name != "ts"}}
    spread_rows = pl.DataFrame(spread, schema=schema, orient="row")
    columns = ", ".join(f"{sql} AS {name}" for name, (_, sql) in calls.items())
    sql = f"SELECT ws, we, k, j, {columns} FROM spread_rows GROUP BY ws, we, k, j"
    with duckdb.connect() as connection:
        connection.register("spread_rows", spread_rows)
        return connection.sql(sql).fetchall()


def table(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    if not rows.width:
        return []
    return sorted(rows.with_columns(pl.col("ws", "we").cast(pl.Int64)).rows(), key=repr)


CUTS = st.lists(st.integers(1, 12), min_size=1, max_size=4)
RESTORES = st.lists(st.booleans(), min_size=1, max_size=5)
relaxed = settings(
    max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(spec=SPECS, rows=st.lists(ROWS, max_size=60), cuts=CUTS, restores=RESTORES)
def test_groups_found_by_key_equal_duckdb(
    spec: WindowSpec, rows: list[Row], cuts: list[int], restores: list[bool]
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(pl.col("ts").cast(pl.Datetime("ms")))
    given_rows = given_by(spec, frame, cuts, restores, retracts=False)
    assert table(given_rows) == sorted(expected(spec, rows, {**SUMS, **EXTREMES}), key=repr)


@relaxed
@given(spec=SPECS, rows=st.lists(ROWS, max_size=40), gone=st.sets(st.integers(0, 39)), cuts=CUTS, restores=RESTORES)
def test_rows_taken_back_are_taken_from_their_groups(
    spec: WindowSpec, rows: list[Row], gone: set[int], cuts: list[int], restores: list[bool]
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    left = [row for at, row in enumerate(rows) if at not in gone]
    # What is taken back is so at its own time, before its window closes.
    changes = [(*row, 1) for row in rows] + [(*row, -1) for at, row in enumerate(rows) if at in gone]
    changes.sort(key=lambda row: (row[0], -row[-1]))
    frame = pl.DataFrame(changes, schema={**SCHEMA, WEIGHT: pl.Int64}, orient="row")
    given_rows = given_by(spec, frame.with_columns(pl.col("ts").cast(pl.Datetime("ms"))), cuts, restores, retracts=True)
    assert table(given_rows) == sorted(expected(spec, left, SUMS), key=repr)


def test_groups_stand_in_the_order_in_which_they_came() -> None:
    window = operator(WindowSpec("TUMBLE", 10, 10), retracts=False)
    for batch in (["c", "a"], ["b", "a", "d"], ["c", "e"], ["a", "f", "b", "g"]):
        rows = [(5, key, None, 1, None) for key in batch]
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        window.process(0, frame.with_columns(pl.col("ts").cast(pl.Datetime("ms"))))
    (given_rows,) = window.advance(END_OF_TIME).batches
    assert given_rows["k"].to_list() == ["c", "a", "b", "d", "e", "f", "g"]


def test_the_pane_after_one_of_many_groups_is_keyed_from_its_beginning() -> None:
    window = operator(WindowSpec("TUMBLE", 10, 10), retracts=False)
    keyed: list[bool] = []

    def process(store: PaneStore, partial: pl.DataFrame, add=PaneStore.add) -> None:  # type: ignore[no-untyped-def]
        keyed.append("$low" in partial.columns)
        add(store, partial)

    with patch.object(PaneStore, "add", process):
        for time in (1, 2, 3, 4, 5, 6, 7, 8, 11):
            window.advance(time - 1)
            rows = [(time, f"{time} {number}", None, 1, None) for number in range(8)]
            frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
            window.process(0, frame.with_columns(pl.col("ts").cast(pl.Datetime("ms"))))
    assert not keyed[0]
    assert keyed[-2:] == [True, True]
