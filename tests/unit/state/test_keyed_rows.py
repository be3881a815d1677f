"""Rows by key against a plain model: counted, found by key in order, taken back, restored."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.state.rows import KeyedRows

SCHEMA = {"k": pl.Int64(), "v": pl.String()}
ROW = st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "c", None]))


def frame(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(st.lists(st.lists(st.tuples(ROW, st.booleans()), max_size=20), max_size=15), st.data())
@settings(max_examples=120, deadline=None)
def test_rows_by_key_are_what_a_model_holds(batches, data):
    rows, model = KeyedRows(SCHEMA, ["k"]), {}
    for batch in batches:
        taken: list[tuple[tuple, int]] = []
        for row, goes in batch:
            held = model.get(row, 0) + sum(weight for other, weight in taken if other == row)
            taken.append((row, -1 if goes and held > 0 else 1))
        for row, weight in taken:
            model[row] = model.get(row, 0) + weight
        slots = rows.add(frame([row for row, _ in taken]), np.array([weight for _, weight in taken], np.int64))
        rows.remove_gone(slots)
        model = {row: count for row, count in model.items() if count}
        if data.draw(st.booleans()):
            copy = KeyedRows(SCHEMA, ["k"])
            copy.restore(rows.snapshot())
            rows = copy
        found = rows.find(pl.DataFrame({"k": range(6)}, schema={"k": pl.Int64}))
        values = rows.read(found.slots).rows()
        assert dict(zip(values, rows.counts(found.slots).tolist(), strict=True)) == model
        assert [key for key, _ in values] == found.places.tolist()
        assert len(rows) == len(model)


def test_rows_of_a_key_stand_in_the_order_in_which_they_came():
    rows = KeyedRows(SCHEMA, ["k"])
    slots = rows.add(frame([(1, "c"), (2, "x"), (1, "a"), (1, "b")]), np.ones(4, np.int64))
    rows.remove(slots[2:3])
    rows.add(frame([(1, "d")]), np.ones(1, np.int64))
    assert rows.read(rows.find(pl.DataFrame({"k": [1]})).slots)["v"].to_list() == ["c", "b", "d"]


def test_without_a_key_all_rows_are_found():
    rows = KeyedRows(SCHEMA, [])
    rows.add(frame([(1, "a"), (2, "b")]), np.ones(2, np.int64))
    assert rows.find(frame([(9, "z")])).slots.tolist() == [0, 1]


def test_without_a_key_restored_rows_are_found_and_taken_back():
    rows = KeyedRows(SCHEMA, [])
    rows.add(frame([(1, "a"), (2, "b")]), np.ones(2, np.int64))
    again = KeyedRows(SCHEMA, [])
    again.restore(rows.snapshot())
    assert again.find(frame([(9, "z")])).slots.tolist() == [0, 1]
    again.remove_gone(again.add(frame([(1, "a")]), np.array([-1])))
    assert again.read(again.find(frame([(9, "z")])).slots).rows() == [(2, "b")]
