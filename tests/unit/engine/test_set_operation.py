"""INTERSECT and EXCEPT: whatever comes on either side, however it is cut, the changes add up to DuckDB's rows."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.groups.set_operation import SetOperation
from yeoul.plan.nodes import SetKind

COLUMNS = {"k": pl.Int64(), "a": pl.String()}
ROWS = st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["x", "a name longer than twelve bytes", None]))


def operator(kind: SetKind, *, keeps_doubles: bool, ttl_ms: int | None = None, clock=SYSTEM_CLOCK) -> SetOperation:
    return SetOperation(COLUMNS, kind, keeps_doubles=keeps_doubles, weighted=True, clock=clock, ttl_ms=ttl_ms)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, tuple, int]]:
    """Port, row, weight: rows that come and, some of them, go again."""
    living: list[list[tuple]] = [[], []]
    history = []
    for port in draw(st.lists(st.integers(0, 1), max_size=25)):
        row = draw(ROWS)
        history.append((port, row, 1))
        living[port].append(row)
        if draw(st.booleans()):
            other = draw(st.integers(0, 1))
            if living[other]:
                history.append((other, living[other].pop(draw(st.integers(0, len(living[other]) - 1))), -1))
    return history


@pytest.mark.parametrize("keeps_doubles", [False, True], ids=["distinct", "all"])
@pytest.mark.parametrize("kind", list(SetKind), ids=lambda kind: kind.value)
@given(histories(), st.data())
@settings(max_examples=80, deadline=None)
def test_changes_add_up_to_the_batch_answer(kind, keeps_doubles, history, data):
    running = operator(kind, keeps_doubles=keeps_doubles)
    table: Counter = Counter()
    left = list(history)
    while left:
        port = left[0][0]
        longest = next((at for at, one in enumerate(left) if one[0] != port), len(left))
        size = data.draw(st.integers(1, longest))
        rows, left = left[:size], left[size:]
        schema = {**COLUMNS, WEIGHT: pl.Int64()}
        batch = pl.DataFrame([(*row, weight) for _, row, weight in rows], schema=schema, orient="row")
        for given_out in running.process(port, batch).batches:
            for *values, weight in given_out.rows():
                table[tuple(values)] += weight
        assert all(count >= 0 for count in table.values())
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(kind, keeps_doubles=keeps_doubles)
            running.restore(state)
    sides: list[Counter] = [Counter(), Counter()]
    for port, row, weight in history:
        sides[port][row] += weight
    lefts = pl.DataFrame(list(sides[0].elements()), schema=COLUMNS, orient="row")  # noqa: F841
    rights = pl.DataFrame(list(sides[1].elements()), schema=COLUMNS, orient="row")  # noqa: F841
    word = f"{kind.value} {'ALL' if keeps_doubles else ''}"
    assert +table == Counter(duckdb.sql(f"select * from lefts {word} select * from rights").fetchall())


def test_a_row_that_changes_nothing_gives_nothing():
    running = operator(SetKind.EXCEPT, keeps_doubles=False)
    assert running.process(0, pl.DataFrame({"k": [1], "a": ["x"]}, schema=COLUMNS)).batches
    assert running.process(0, pl.DataFrame({"k": [1], "a": ["x"]}, schema=COLUMNS)).batches == ()


def test_untouched_rows_are_forgotten_after_their_time_to_live():
    clock = ManualClock()
    running = operator(SetKind.INTERSECT, keeps_doubles=False, ttl_ms=1_000, clock=clock)
    running.process(0, pl.DataFrame({"k": [1], "a": ["x"]}, schema=COLUMNS))
    clock.advance_ms(2_000)
    assert running.process(1, pl.DataFrame({"k": [1], "a": ["x"]}, schema=COLUMNS)).batches == ()
