"""The regular join: whatever comes on either side in whatever order and cut, the changes add up to DuckDB's join."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.joins.regular import Join
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.engine.state.unique_rows import UniqueRows
from yeoul.plan.join_state import COUNTED, RowsKept, SideState
from yeoul.plan.nodes import JoinKind

LEFT = {"k": pl.Int64(), "a": pl.String()}
RIGHT = {"j": pl.Int64(), "b": pl.Int64()}
ROWS = (
    st.tuples(st.sampled_from([1, 2, 3, None]), st.sampled_from(["x", "y", "a name longer than twelve bytes"])),
    st.tuples(st.sampled_from([1, 2, 3, None]), st.integers(0, 2)),
)


STANDING, ONE_PER_KEY = SideState(RowsKept.STANDING), SideState(RowsKept.ONE_PER_KEY)
BY_NAME, BY_NUMBER = SideState(RowsKept.UNIQUE, ("a",)), SideState(RowsKept.UNIQUE, ("b",))


def operator(
    kind: JoinKind, *, condition: bool = False, ttls_ms=(None, None), clock=SYSTEM_CLOCK, states=(COUNTED, COUNTED)
) -> Join:
    left, right = JoinSide(LEFT, [pl.col("k")], states[0]), JoinSide(RIGHT, [pl.col("j")], states[1])
    extra = pl.col("b") > pl.col("a").str.len_chars() - 1 if condition else None
    output = [*LEFT, *(RIGHT if kind.gives_right else ())]
    return Join(JoinSides(left, right, kind, extra, output), weighted=True, clock=clock, ttls_ms=ttls_ms)


def _same_identity(state: SideState, one: tuple, other: tuple) -> bool:
    """Whether two rows cannot both be there."""
    return one == other if state.kept is RowsKept.UNIQUE else one[0] == other[0] and one[0] is not None


@st.composite
def histories(draw: st.DrawFn, states: tuple[SideState, SideState]) -> list[tuple[int, tuple, int]]:
    """Port, row, weight: rows that come and, some of them, go again; as the states of the sides allow."""
    living: list[list[tuple]] = [[], []]
    history = []
    for port in draw(st.lists(st.integers(0, 1), max_size=25)):
        row = draw(ROWS[port])
        if states[port].kept in (RowsKept.UNIQUE, RowsKept.ONE_PER_KEY):
            for before in [one for one in living[port] if _same_identity(states[port], one, row)]:
                living[port].remove(before)
                history.append((port, before, -1))
        history.append((port, row, 1))
        living[port].append(row)
        if draw(st.booleans()) and not any(state.kept is RowsKept.STANDING for state in states):
            other = draw(st.integers(0, 1))
            if living[other]:
                history.append((other, living[other].pop(draw(st.integers(0, len(living[other]) - 1))), -1))
    return history


def expected(kind: JoinKind, sides: list[list[tuple]], *, condition: bool) -> Counter:
    lefts = pl.DataFrame(sides[0], schema=LEFT, orient="row")  # noqa: F841
    rights = pl.DataFrame(sides[1], schema=RIGHT, orient="row")  # noqa: F841
    on = "k = j" + (" and b > length(a) - 1" if condition else "")
    if kind.gives_right:
        return Counter(duckdb.sql(f"select k, a, j, b from lefts {kind.value} join rights on {on}").fetchall())
    negated = "not" if kind is JoinKind.ANTI else ""
    return Counter(
        duckdb.sql(f"select * from lefts where {negated} exists (select 1 from rights where {on})").fetchall()
    )


STATES = [
    (COUNTED, COUNTED),
    (STANDING, STANDING),
    (ONE_PER_KEY, ONE_PER_KEY),
    (BY_NAME, BY_NUMBER),
    (COUNTED, BY_NUMBER),
    (ONE_PER_KEY, COUNTED),
]


@pytest.mark.parametrize("kind", list(JoinKind), ids=lambda kind: kind.value)
@given(st.sampled_from(STATES), st.booleans(), st.data())
@settings(max_examples=120, deadline=None)
def test_changes_add_up_to_the_batch_join(kind, states, condition, data):
    history = data.draw(histories(states))
    running = operator(kind, condition=condition, states=states)
    table: Counter = Counter()
    left = list(history)
    while left:
        port = left[0][0]
        longest = next((at for at, one in enumerate(left) if one[0] != port), len(left))
        size = data.draw(st.integers(1, longest))
        rows, left = left[:size], left[size:]
        schema = {**(LEFT, RIGHT)[port], WEIGHT: pl.Int64()}
        batch = pl.DataFrame([(*row, weight) for _, row, weight in rows], schema=schema, orient="row")
        for given_out in running.process(port, batch).batches:
            for *values, weight in given_out.rows():
                table[tuple(values)] += weight
        assert all(count >= 0 for count in table.values())
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(kind, condition=condition, states=states)
            running.restore(state)
    sides: list[list[tuple]] = [[], []]
    for port in (0, 1):
        living: Counter = Counter()
        for where, row, weight in history:
            living[row] += weight if where == port else 0
        sides[port] = list(living.elements())
    assert +table == expected(kind, sides, condition=condition)


@pytest.mark.parametrize("kind", list(JoinKind), ids=lambda kind: kind.value)
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_unique_key_that_is_none_costs_speed_and_no_answer(kind, data):
    history = data.draw(histories((COUNTED, COUNTED)))
    said, counted = operator(kind, states=(ONE_PER_KEY, BY_NUMBER)), operator(kind)
    for port, row, weight in history:
        schema = {**(LEFT, RIGHT)[port], WEIGHT: pl.Int64()}
        batch = pl.DataFrame([(*row, weight)], schema=schema, orient="row")
        tables = [Counter(), Counter()]
        for table, running in zip(tables, (said, counted), strict=True):
            for *values, one in (each for rows in running.process(port, batch).batches for each in rows.rows()):
                table[tuple(values)] += one
        assert tables[0] == tables[1]
        if data.draw(st.booleans()):
            state, said = said.snapshot(), operator(kind, states=(ONE_PER_KEY, BY_NUMBER))
            said.restore(state)


def test_an_update_stays_in_its_place():
    running = operator(JoinKind.INNER, states=(ONE_PER_KEY, COUNTED))
    running.process(0, pl.DataFrame({"k": [1], "a": ["x"]}, schema=LEFT))
    running.process(0, pl.DataFrame({"k": [1, 1], "a": ["x", "y"], WEIGHT: [-1, 1]}, schema={**LEFT, WEIGHT: pl.Int64}))
    (changes,) = running.process(1, pl.DataFrame({"j": [1], "b": [7]}, schema=RIGHT)).batches
    assert changes.rows() == [(1, "y", 1, 7, 1)]
    assert isinstance(running._rows[0], UniqueRows)
    assert len(running._rows[0]) == 1


def test_a_partner_takes_the_place_of_the_row_with_nulls():
    running = operator(JoinKind.LEFT)
    running.process(0, pl.DataFrame({"k": [1], "a": ["x"]}, schema=LEFT))
    (changes,) = running.process(1, pl.DataFrame({"j": [1], "b": [7]}, schema=RIGHT)).batches
    assert changes.rows() == [(1, "x", None, None, -1), (1, "x", 1, 7, 1)]


def test_untouched_rows_are_forgotten_after_their_time_to_live():
    clock = ManualClock()
    running = operator(JoinKind.INNER, ttls_ms=(1_000, None), clock=clock)
    left, right = pl.DataFrame({"k": [1], "a": ["x"]}, schema=LEFT), pl.DataFrame({"j": [1], "b": [7]}, schema=RIGHT)
    running.process(0, left)
    clock.advance_ms(2_000)
    assert running.process(1, right).batches == ()
    clock.advance_ms(2_000)
    assert running.process(0, left).batches, "the other side is kept for ever"
