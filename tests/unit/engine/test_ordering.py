"""Deduplication and ORDER BY: the same rows however the input is cut, late rows told apart by the watermark alone."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.operators.ordered.deduplicate import FirstRows, LastRows
from yeoul.engine.operators.ordered.sort import SortAtEnd, SortByTime
from yeoul.plan.ordering import OverTime, SortKey

COLUMNS = {"k": pl.String(), "ts": pl.Datetime("ms"), "id": pl.Int64()}
DELAY_MS = 3
EVENTS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 30)), max_size=30)


def rows(*values: tuple) -> pl.DataFrame:
    frame = pl.DataFrame(values, schema={**COLUMNS, "ts": pl.Int64()}, orient="row")
    return frame.with_columns(pl.col("ts").cast(pl.Datetime("ms")))


def driven(make, events, data):
    """Runs events through an operator, cut at random and restored now and then; returns batches and late `$row`s."""
    history = [(key, time, index) for index, (key, time) in enumerate(events)]
    running, watermark = make(), START_OF_TIME
    batches, late = [], []
    at = 0
    while at < len(history):
        size = data.draw(st.integers(1, len(history) - at))
        part, before = history[at : at + size], []
        at += size
        for _, time, _ in part:
            before.append(watermark)
            watermark = max(watermark, time - DELAY_MS)
        numbers = pl.Series(ROW, [index for _, _, index in part], dtype=pl.UInt32)
        batch = rows(*part).with_columns(pl.Series(WATERMARK, before, dtype=pl.Int64), numbers)
        for output in (running.process(0, batch), running.advance(watermark)):
            batches += output.batches
            if output.late is not None:
                late += output.late.frame[ROW].to_list()
        if data.draw(st.booleans()):
            state, running = running.snapshot(), make()
            running.restore(state)
    batches += running.advance(END_OF_TIME).batches
    return batches, late


def late_of(events) -> list[int]:
    watermark, late = START_OF_TIME, []
    for index, (_, time) in enumerate(events):
        if time <= watermark:
            late.append(index)
        watermark = max(watermark, time - DELAY_MS)
    return late


def in_time(events) -> list[tuple]:
    gone = set(late_of(events))
    return [(key, time, index) for index, (key, time) in enumerate(events) if index not in gone]


@given(EVENTS, st.data())
@settings(max_examples=200, deadline=None)
def test_the_first_row_of_each_key_by_event_time_is_given_once(events, data):
    batches, late = driven(lambda: FirstRows(COLUMNS, ["k"], "ts", OverTime.EVENT, clock=SYSTEM_CLOCK), events, data)
    assert late == late_of(events)
    first: dict = {}
    for key, time, index in in_time(events):
        if key not in first or time < first[key][0]:
            first[key] = (time, index)
    assert sorted(row for frame in batches for row in frame["id"].to_list()) == sorted(at for _, at in first.values())


@given(EVENTS, st.booleans(), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_the_last_row_of_each_key_takes_the_place_of_the_one_before(events, by_event, updating, data):
    column = "ts" if by_event else None
    make = lambda: LastRows(COLUMNS, ["k"], column, updating=updating, clock=SYSTEM_CLOCK)  # noqa: E731
    batches, _ = driven(make, events, data)
    table: Counter = Counter()
    for frame in batches:
        for row in (frame if updating else frame.with_columns(pl.lit(1).alias(WEIGHT))).rows():
            table[row[:-1]] += row[-1]
            assert table[row[:-1]] in (0, 1)
    last: dict = {}
    for index, (key, time) in enumerate(events):
        if key not in last or not by_event or time >= last[key][0]:
            last[key] = (time, index)
    assert Counter(row[2] for row in (+table).elements()) == Counter(at for _, at in last.values())


@given(EVENTS, st.data())
@settings(max_examples=100, deadline=None)
def test_the_first_row_of_each_key_as_it_arrives(events, data):
    batches, _ = driven(lambda: FirstRows(COLUMNS, ["k"], "ts", OverTime.PROCESSING, clock=SYSTEM_CLOCK), events, data)
    first: dict = {}
    for index, (key, _) in enumerate(events):
        first.setdefault(key, index)
    assert [one for frame in batches for one in frame["id"].to_list()] == list(first.values())


def test_first_rows_pass_on_what_lateness_is_judged_by():
    running = FirstRows(COLUMNS, ["k"], "ts", OverTime.PROCESSING, clock=SYSTEM_CLOCK)
    batch = rows(("a", 1, 1)).with_columns(pl.lit(0).alias(WATERMARK), pl.lit(0, dtype=pl.UInt32).alias(ROW))
    assert running.process(0, batch).batches[0].columns == ["k", "ts", "id", WATERMARK, ROW]


def test_an_untouched_key_is_forgotten_after_its_time_to_live():
    clock = ManualClock()
    running = FirstRows(COLUMNS, ["k"], "ts", OverTime.PROCESSING, clock=clock, ttl_ms=1_000)
    running.process(0, rows(("a", 1, 1)))
    clock.advance_ms(2_000)
    assert running.process(0, rows(("a", 2, 2))).batches[0]["id"].to_list() == [2]


@given(EVENTS, st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_rows_come_in_order_of_event_time(events, descending, data):
    order = [SortKey("ts"), SortKey("k", descending, descending)]
    batches, late = driven(lambda: SortByTime(list(COLUMNS), order), events, data)
    assert late == late_of(events)
    rank = {None: 0, "a": 1, "b": 2}
    wanted = sorted(in_time(events), key=lambda row: (row[1], -rank[row[0]] if descending else rank[row[0]]))
    assert [one for frame in batches for one in frame["id"].to_list()] == [row[2] for row in wanted]


@pytest.mark.parametrize("count", [None, 0, 2, 5])
@given(EVENTS, st.integers(0, 3), st.data())
@settings(max_examples=50, deadline=None)
def test_all_rows_are_sorted_at_the_end(count, events, offset, data):
    make = lambda: SortAtEnd(list(COLUMNS), [SortKey("ts", True)], offset, count, retracts=False)  # noqa: E731
    batches, _ = driven(make, events, data)
    wanted = sorted(range(len(events)), key=lambda at: -events[at][1])
    wanted = wanted[offset:] if count is None else wanted[offset : offset + count]
    assert [one for frame in batches for one in frame["id"].to_list()] == wanted


def test_what_is_taken_back_is_not_sorted():
    running = SortAtEnd(list(COLUMNS), [SortKey("id", True)], 0, None, retracts=True)
    running.process(0, rows(("a", 1, 1), ("a", 2, 2), ("b", 1, 3)).with_columns(pl.Series(WEIGHT, [1, 1, 1])))
    running.process(0, rows(("a", 2, 2)).with_columns(pl.Series(WEIGHT, [-1])))
    assert running.advance(END_OF_TIME).batches[0]["id"].to_list() == [3, 1]
