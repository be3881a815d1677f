"""Upserts in and out: versions of keys become changes, changes become one record a key, conflicts are settled."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import CHANGE, ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.changes.encode import DELETE
from yeoul.engine.operators.changes.materialize import FirstRows, LatestRows
from yeoul.engine.operators.changes.normalize import ChangelogNormalize
from yeoul.engine.operators.changes.upserts import EncodeUpserts
from yeoul.engine.operators.contract import END_OF_TIME, Output
from yeoul.errors import UserError

SCHEMA = {"k": pl.String(), "n": pl.Int64(), "l": pl.List(pl.Int64())}
VALUES = st.tuples(st.sampled_from([1, 2, None]), st.sampled_from([[], [1], None]))
UPSERTS = st.lists(st.tuples(st.sampled_from(["a", "b", "a key of more than twelve bytes"]), st.none() | VALUES))


def weighted(rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={**SCHEMA, WEIGHT: pl.Int64()}, orient="row")


def carried_out(table: Counter, output: Output) -> None:
    for batch in output.batches:
        for *values, weight in batch.select(*SCHEMA, WEIGHT).rows():
            table[repr(values)] += weight
            assert table[repr(values)] in (0, 1), "a change of a row that is not as it says"


# --- upserts become changes


def normalize(**more) -> ChangelogNormalize:
    return ChangelogNormalize(SCHEMA, ["k"], **{"clock": SYSTEM_CLOCK, **more})


def versions(upserts) -> list[tuple]:
    """The changes that upserts stand for, by hand."""
    table, changes = {}, []
    for key, values in upserts:
        if key in table and table[key] != values:
            changes.append((key, *table[key], -1))
        if values is not None and table.get(key) != values:
            changes.append((key, *values, 1))
        table[key] = values
        if values is None:
            del table[key]
    return changes


@given(UPSERTS, st.data())
@settings(max_examples=150, deadline=None)
def test_every_version_of_a_key_is_given_however_the_input_is_cut_and_restored(upserts, data):
    running, given_out, left = normalize(), [], list(upserts)
    while left:
        size = data.draw(st.integers(1, len(left)))
        batch = weighted([(key, *(values or (None, None)), 1 if values else -1) for key, values in left[:size]])
        left = left[size:]
        if (batch[WEIGHT] > 0).all() and data.draw(st.booleans()):
            batch = batch.drop(WEIGHT)
        given_out += [row for one in running.process(0, batch).batches for row in one.rows()]
        if data.draw(st.booleans()):
            state, running = running.snapshot(), normalize()
            running.restore(state)
    assert given_out == versions(upserts)


def test_both_halves_of_an_update_are_judged_by_the_watermark_of_the_record_that_brought_it():
    running = normalize()
    running.process(0, weighted([("a", 1, None, 1)]))
    batch = weighted([("a", 2, None, 1)]).with_columns(
        pl.Series(WATERMARK, [500]), pl.Series(ROW, [7], dtype=pl.UInt32)
    )
    (changes,) = running.process(0, batch).batches
    assert changes.select("n", WEIGHT, WATERMARK, ROW).rows() == [(1, -1, 500, None), (2, 1, 500, 7)]


def test_a_key_that_nothing_touched_for_its_time_to_live_begins_anew():
    clock = ManualClock()
    running = normalize(clock=clock, ttl_ms=1_000)
    running.process(0, weighted([("a", 1, None, 1)]))
    clock.advance_ms(2_000)
    (changes,) = running.process(0, weighted([("a", 2, None, 1)])).batches
    assert changes.rows() == [("a", 2, None, 1)]


# --- changes become upserts


@st.composite
def histories(draw: st.DrawFn) -> list[list[tuple]]:
    """Batches of changes to a table that has one row for each key; within a batch in any order."""
    table: dict[str, tuple] = {}
    batches = []
    for upserts in draw(st.lists(UPSERTS, max_size=6)):
        changes = []
        for key, values in upserts:
            if key in table:
                changes.append((key, *table.pop(key), -1))
            if values is not None:
                table[key] = values
                changes.append((key, *values, 1))
        batches.append(draw(st.permutations(changes)))
    return batches


@given(histories())
@settings(max_examples=150, deadline=None)
def test_one_record_for_each_key_that_changes_leaves_the_table_as_it_is(batches):
    encode, told, right = EncodeUpserts(["k"]), {}, Counter()
    for changes in batches:
        records = encode.transform(weighted(changes))
        assert records["k"].is_unique().all()
        for key, n, items, change in records.rows():
            told.pop(key, None)
            if change != DELETE:
                told[key] = (n, items)
        for *row, weight in changes:
            right[repr(row)] += weight
        assert Counter(repr([key, *values]) for key, values in told.items()) == +right


def test_of_rows_that_only_append_the_last_of_each_key_is_told():
    records = EncodeUpserts(["k"]).transform(
        weighted([("a", 1, None, 1), ("b", 2, None, 1), ("a", 3, None, 1)]).drop(WEIGHT)
    )
    assert records.select("k", "n").rows() == [("b", 2), ("a", 3)]
    assert (records[CHANGE] != DELETE).all()


# --- ON CONFLICT


ROWS = st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.just(None))


@st.composite
def conflicting(draw: st.DrawFn) -> list[list[tuple]]:
    """Batches of changes; rows come and go, several for one key."""
    living: list[tuple] = []
    batches = []
    for coming in draw(st.lists(st.lists(ROWS, max_size=4), max_size=8)):
        changes = []
        for row in coming:
            living.append(row)
            changes.append((*row, 1))
            if draw(st.booleans()):
                changes.append((*living.pop(draw(st.integers(0, len(living) - 1))), -1))
        batches.append(changes)
    return batches


def latest(history) -> Counter:
    """The latest row of each key that stands, by hand; of equal rows the first goes."""
    living: list[tuple] = []
    for *row, weight in history:
        if weight > 0:
            living.append(tuple(row))
        else:
            living.remove(tuple(row))
    return Counter(repr(list(row)) for row in {row[0]: row for row in living}.values())


@given(conflicting(), st.data())
@settings(max_examples=150, deadline=None)
def test_the_latest_row_of_each_key_stands_and_falls_back_when_it_is_taken_back(batches, data):
    def made() -> LatestRows:
        return LatestRows(SCHEMA, ["k"], "t", strict=False, clock=SYSTEM_CLOCK)

    running, table, history = made(), Counter(), []
    for changes in batches:
        history += changes
        carried_out(table, running.process(0, weighted(changes)))
        if data.draw(st.booleans()):
            state, running = running.snapshot(), made()
            running.restore(state)
        assert +table == latest(history)


def first(**more) -> FirstRows:
    return FirstRows(SCHEMA, ["k"], **{"own": ["n"], "clock": SYSTEM_CLOCK, **more})


def test_the_first_row_of_a_key_stays_and_what_was_dropped_does_not_come_back():
    running, table = first(), Counter()
    assert running.process(0, weighted([("a", 1, None, 1), ("a", 2, None, 1)])).batches == ()
    carried_out(table, running.advance(1))
    assert +table == Counter([repr(["a", 1, None])])
    state, running = running.snapshot(), first()
    running.restore(state)
    running.process(0, weighted([("a", 2, None, -1), ("a", 1, None, -1), ("a", 3, None, 1), ("a", 1, [1], 1)]))
    carried_out(table, running.advance(2))
    assert +table == Counter([repr(["a", 1, [1]])]), "the row that stands is changed; a newer one is dropped"
    running.process(0, weighted([("a", 1, [1], -1)]))
    carried_out(table, running.advance(END_OF_TIME))
    assert +table == Counter()


def test_several_rows_for_a_key_are_an_error_only_if_they_are_left_when_the_watermark_moves():
    running, table = LatestRows(SCHEMA, ["k"], "t", strict=True, clock=SYSTEM_CLOCK), Counter()
    running.process(0, weighted([("a", 1, None, 1)]))
    running.process(0, weighted([("a", 2, None, 1)]))
    running.process(0, weighted([("a", 1, None, -1)]))
    carried_out(table, running.advance(1))
    assert +table == Counter([repr(["a", 2, None])])
    running.process(0, weighted([("a", 3, None, 1)]))
    with pytest.raises(UserError, match=r"Table 't': the query gives several rows for the key k = 'a'"):
        running.advance(2)
