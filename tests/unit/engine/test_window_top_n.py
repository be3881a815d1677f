"""The first rows of each partition of a window equal DuckDB's ROW_NUMBER over the rows that are in time."""

from __future__ import annotations

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from test_windows_equal_duckdb import EXAMPLES

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import END_OF_TIME
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.top_n import WindowTopN
from yeoul.plan.ordering import SortKey

SCHEMA = {"id": pl.Int64, "k": pl.String, "n": pl.Int64, "ws": pl.Int64, "we": pl.Int64}
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([None, 1, 2, 3]), st.integers(0, 6)), max_size=12
)


def operator(order: SortKey, first: int, last: int, rank: str | None = "rn") -> WindowTopN:
    return WindowTopN(TimeAxis(None), ("ws", "we"), ["ws", "we", "k"], [order], first, last, rank)


def frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    times = [pl.col(name).cast(pl.Datetime("ms")) for name in ("ws", "we")]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").with_columns(times)


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(
    batches=st.lists(st.tuples(ROWS, st.integers(0, 25), st.booleans()), max_size=8),
    order=st.builds(SortKey, st.just("n"), st.booleans(), st.booleans()),
    first=st.integers(1, 2),
    more=st.integers(0, 2),
)
def test_what_is_given_equals_duckdb_over_the_rows_in_time(
    batches: list[tuple[list[tuple[str | None, int | None, int]], int, bool]], order: SortKey, first: int, more: int
) -> None:
    running, number, watermark = operator(order, first, first + more), 0, -(2**63)
    in_time, late, given_out, missed = [], [], [], []
    for rows, after, restores in batches:
        numbered = [(number + at, k, n, 10 * w // 2, 10 * w // 2 + 10) for at, (k, n, w) in enumerate(rows)]
        number += len(rows)
        marks = pl.DataFrame({ROW: pl.Series(range(len(rows)), dtype=pl.UInt32)})
        batch = pl.concat([frame(numbered), marks], how="horizontal").with_columns(
            pl.lit(watermark, dtype=pl.Int64).alias(WATERMARK)
        )
        output = running.process(0, batch)
        if output.late is not None:
            missed += [numbered[row][0] for row in output.late.frame[ROW]]
        in_time += [row for row in numbered if row[4] - 1 > watermark]
        late += [row[0] for row in numbered if row[4] - 1 <= watermark]
        watermark = max(watermark, after)
        given_out += [row for one in running.advance(watermark).batches for row in one.rows()]
        if restores:
            state, running = running.snapshot(), operator(order, first, first + more)
            running.restore(state)
    given_out += [row for one in running.advance(END_OF_TIME).batches for row in one.rows()]
    rows = frame(in_time)
    direction = f"{'desc' if order.descending else 'asc'} nulls {'last' if order.nulls_last else 'first'}"
    expected = duckdb.sql(
        f"select * from (select *, row_number() over (partition by ws, we, k order by n {direction}, id) rn from rows) "
        f"where rn between {first} and {first + more}"
    ).fetchall()
    assert sorted(given_out, key=repr) == sorted(expected, key=repr)
    assert missed == late
    ends = [row[4] for row in given_out]
    assert ends == sorted(ends)


def test_a_partition_never_holds_much_more_than_is_asked_for() -> None:
    running = operator(SortKey("n"), 1, 2)
    for number in range(2_000):
        running.process(0, frame([(number, "a", number, 0, 10)]))
    assert running.snapshot()["rows"].height == 2
    (rows,) = running.advance(9).batches
    assert rows["id"].to_list() == [0, 1]


def test_the_number_is_left_out_if_nobody_asks_for_it() -> None:
    running = operator(SortKey("n", descending=True), 1, 1, rank=None)
    running.process(0, frame([(0, "a", 1, 0, 10), (1, "a", 2, 0, 10)]))
    (rows,) = running.advance(END_OF_TIME).batches
    assert (rows.columns, rows["id"].to_list()) == (list(SCHEMA), [1])
