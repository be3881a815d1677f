"""The regular join: whatever comes on either side in whatever order and cut, the changes add up to DuckDB's join."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engine.regular_joins import (
    BY_NUMBER,
    COUNTED,
    LEFT,
    ONE_PER_KEY,
    RIGHT,
    STATES,
    cut,
    expected,
    histories,
    operator,
    sides_left,
)

from yeoul.clock import ManualClock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.state.unique_rows import UniqueRows
from yeoul.plan.nodes import JoinKind


@pytest.mark.parametrize("kind", list(JoinKind), ids=lambda kind: kind.value)
@given(st.sampled_from(STATES), st.booleans(), st.booleans(), st.data())
@settings(max_examples=120, deadline=None)
def test_changes_add_up_to_the_batch_join(kind, states, condition, nulls_meet, data):
    history = data.draw(histories(states, nulls_meet=nulls_meet))
    running = operator(kind, condition=condition, states=states, nulls_meet=nulls_meet)
    table: Counter = Counter()
    for port, batch in cut(data, history):
        for given_out in running.process(port, batch).batches:
            for *values, weight in given_out.rows():
                table[tuple(values)] += weight
        assert all(count >= 0 for count in table.values())
        if data.draw(st.booleans()):
            state = running.snapshot()
            running = operator(kind, condition=condition, states=states, nulls_meet=nulls_meet)
            running.restore(state)
    assert +table == expected(kind, sides_left(history), condition=condition, nulls_meet=nulls_meet)


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
