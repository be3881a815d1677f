"""The window join: out of order, cut anywhere, restored anywhere, each window gives what DuckDB gives for its rows."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.engine.operators.joins.window import WindowJoin
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.plan.join_bounds import SameWindow
from yeoul.plan.nodes import JoinKind

TIME = pl.Datetime("ms")
LEFT = {"k": pl.Int64(), "s": TIME, "e": TIME, "a": pl.String()}
RIGHT = {"j": pl.Int64(), "p": TIME, "q": TIME, "b": pl.Int64()}
SIZE_MS = 10
LATENESS_MS = 4


def operator(kind: JoinKind, *, condition: bool = False, keyed: bool = True) -> WindowJoin:
    left, right = (JoinSide(side, [pl.col(key)] if keyed else []) for side, key in ((LEFT, "k"), (RIGHT, "j")))
    extra = pl.col("b") > pl.col("a").str.len_chars() if condition else None
    output = [*LEFT, *(RIGHT if kind.gives_right else ())]
    return WindowJoin(JoinSides(left, right, kind, extra, output), SameWindow(("s", "e"), ("p", "q")), TimeAxis(None))


KEYS = st.sampled_from([1, 2, None])
ROWS = (
    st.tuples(KEYS, st.integers(0, 50), st.sampled_from(["x", "yy", "a name longer than twelve bytes"])),
    st.tuples(KEYS, st.integers(0, 50), st.integers(0, 4)),
)
HISTORIES = st.lists(st.integers(0, 1).flatmap(lambda port: ROWS[port].map(lambda row: (port, row))), max_size=30)


def watermarks(history) -> list[int]:
    highest = [START_OF_TIME, START_OF_TIME]
    found = [START_OF_TIME]
    for port, (_, time, _) in history:
        highest[port] = max(highest[port], time - LATENESS_MS)
        found.append(min(highest))
    return found


def in_window(port: int, row: tuple) -> tuple:
    key, time, value = row
    start = time // SIZE_MS * SIZE_MS
    return key, start, start + SIZE_MS, value


def expected(kind: JoinKind, sides: list[list[tuple]], *, condition: bool, keyed: bool) -> Counter:
    plain = {"s": pl.Int64, "e": pl.Int64, "p": pl.Int64, "q": pl.Int64}
    lefts = pl.DataFrame(sides[0], schema={**LEFT, "s": plain["s"], "e": plain["e"]}, orient="row")  # noqa: F841
    rights = pl.DataFrame(sides[1], schema={**RIGHT, "p": plain["p"], "q": plain["q"]}, orient="row")  # noqa: F841
    on = "s = p and e = q" + (" and k = j" if keyed else "") + (" and b > length(a)" if condition else "")
    if kind.gives_right:
        return Counter(duckdb.sql(f"select * from lefts {kind.value} join rights on {on}").fetchall())
    negated = "not" if kind is JoinKind.ANTI else ""
    return Counter(
        duckdb.sql(f"select * from lefts where {negated} exists (select 1 from rights where {on})").fetchall()
    )


@pytest.mark.parametrize("kind", list(JoinKind), ids=lambda kind: kind.value)
@given(HISTORIES, st.booleans(), st.booleans(), st.data())
@settings(max_examples=50, deadline=None)
def test_each_window_is_joined_as_in_batch(kind, history, condition, keyed, data):
    running = operator(kind, condition=condition, keyed=keyed)
    before = watermarks(history)
    got: Counter = Counter()
    late = 0

    def take(output) -> None:
        nonlocal late
        late += 0 if output.late is None else output.late.frame.height
        for frame in output.batches:
            got.update(frame.with_columns(pl.col(TIME).dt.epoch("ms")).rows())

    at = 0
    while at < len(history):
        port = history[at][0]
        longest = next((end for end in range(at, len(history)) if history[end][0] != port), len(history))
        end = data.draw(st.integers(at + 1, longest))
        rows = [in_window(port, row) for _, row in history[at:end]]
        batch = pl.DataFrame(rows, schema=(LEFT, RIGHT)[port], orient="row")
        judged = pl.Series(WATERMARK, before[at:end], dtype=pl.Int64)
        take(running.process(port, batch.with_columns(judged, pl.Series(ROW, range(at, end), dtype=pl.UInt32))))
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(kind, condition=condition, keyed=keyed)
            running.restore(state)
        take(running.advance(before[end]))
        at = end
    take(running.advance(END_OF_TIME))
    sides: list[list[tuple]] = [[], []]
    for watermark, (port, row) in zip(before[:-1], history, strict=True):
        placed = in_window(port, row)
        if watermark < placed[2] - 1:
            sides[port].append(placed)
    assert late == len(history) - len(sides[0]) - len(sides[1])
    assert got == expected(kind, sides, condition=condition, keyed=keyed)


def test_a_window_is_given_once_as_it_closes():
    running = operator(JoinKind.INNER)
    for port, schema, value in ((0, LEFT, "x"), (1, RIGHT, 7)):
        running.process(port, pl.DataFrame([(1, 0, 10, value)], schema=schema, orient="row"))
    assert running.advance(8).batches == ()
    assert len(running.advance(9).batches) == 1
    assert running.advance(END_OF_TIME).batches == ()
