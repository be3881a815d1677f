"""The temporal join: out of order, cut anywhere, restored anywhere, each row meets the version of its time."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import WATERMARK, WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.engine.operators.joins.temporal import TemporalJoin
from yeoul.plan.join_bounds import AsOf
from yeoul.plan.nodes import JoinKind

LEFT = {"k": pl.Int64(), "t": pl.Datetime("ms"), "a": pl.String()}
RIGHT = {"j": pl.Int64(), "u": pl.Datetime("ms"), "b": pl.Int64()}
KINDS = (JoinKind.INNER, JoinKind.LEFT)

KEYS = st.sampled_from([1, 2, None])
LEFTS = st.tuples(st.just(0), KEYS, st.integers(0, 30), st.sampled_from(["x", "a name longer than twelve bytes"]))
RIGHTS = st.tuples(st.just(1), KEYS, st.integers(0, 30), st.integers(0, 20))
HISTORIES = st.lists(LEFTS | RIGHTS, max_size=40)


def operator(kind: JoinKind, *, condition: bool = False, ttl_ms: int | None = None, clock=SYSTEM_CLOCK) -> TemporalJoin:
    left, right = JoinSide(LEFT, [pl.col("k")]), JoinSide(RIGHT, [pl.col("j")])
    extra = pl.col("b") > pl.col("a").str.len_chars() if condition else None
    sides = JoinSides(left, right, kind, extra, [*LEFT, *RIGHT])
    return TemporalJoin(sides, AsOf("t", "u"), clock=clock, ttl_ms=ttl_ms, judged=True)


def run(kind: JoinKind, history, before: list[int], data: st.DataObject, *, condition: bool) -> Counter:
    """Feeds a history in random cuts, sometimes restored; `before` is the watermark before each row and after all."""
    running, given_out, at = operator(kind, condition=condition), [], 0
    while at < len(history):
        port = history[at][0]
        longest = next((end for end in range(at, len(history)) if history[end][0] != port), len(history))
        end = data.draw(st.integers(at + 1, longest))
        while port and history[end - 1][4:] == (-1,) and end < longest:
            end += 1  # an update's two rows are never parted
        rows = [row[1:4] for row in history[at:end]]
        batch = pl.DataFrame(rows, schema=(LEFT, RIGHT)[port], orient="row")
        if port and len(history[at]) > 4:
            batch = batch.with_columns(pl.Series(WEIGHT, [row[4] for row in history[at:end]], dtype=pl.Int64))
        if any(row[1] <= max(before[at:end]) for row in rows) or data.draw(st.booleans()):
            batch = batch.with_columns(pl.Series(WATERMARK, before[at:end], dtype=pl.Int64))
        given_out += running.process(port, batch).batches
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(kind, condition=condition)
            running.restore(state)
        if data.draw(st.booleans()) or end == len(history):
            given_out += running.advance(before[end]).batches
        at = end
    given_out += running.advance(END_OF_TIME).batches
    found: Counter = Counter()
    for frame in given_out:
        times = [pl.col(name).dt.timestamp("ms") for name in ("t", "u")]
        found.update(frame.select(*LEFT, *RIGHT).with_columns(times).rows())
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@given(HISTORIES, st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_rows_in_time_meet_what_duckdb_finds(kind, history, condition, data):
    times = [row[2] for row in history]
    before = [min(times[at:], default=31) - 1 for at in range(len(history) + 1)]
    frames = [
        pl.DataFrame(
            [(n, *row[1:]) for n, row in enumerate(history) if row[0] == port],
            schema={"n": pl.Int64, "k": pl.Int64, "t": pl.Int64, "v": (pl.String, pl.Int64)[port]},
            orient="row",
        )
        for port in (0, 1)
    ]
    lefts, rights = frames
    versions = rights.sort("n").unique(["k", "t"], keep="last")  # noqa: F841
    query = "select l.k, l.t, l.v, r.k, r.t, r.v from lefts l asof left join versions r on l.k = r.k and l.t >= r.t"
    right = Counter()
    for row in duckdb.sql(query).fetchall():
        meets = row[5] is not None and (not condition or row[5] > len(row[2]))
        if meets or kind is JoinKind.LEFT:
            right[row if meets else (*row[:3], None, None, None)] += 1
    assert lefts.height >= 0
    assert run(kind, history, before, data, condition=condition) == right


class Model:
    """One key's versions, the plain way: (start, time, value); value None: there is nothing from then on."""

    def __init__(self) -> None:
        self.versions: list[tuple[int, int, int | None]] = []

    def add(self, time: int, value: int | None, before: int) -> None:
        start = max(time, before + 1)
        passed = [one for one in self.versions if one[0] < start]
        newest = max(passed, default=None)
        if newest is not None and newest[1] > time and newest[2] is not None:
            return
        same = [one for one in self.versions if one[0] == start]
        if any(one[1] > time for one in same):
            return
        self.versions = sorted([*(one for one in self.versions if one[0] != start), (start, time, value)])

    def at(self, moment: int) -> tuple[int, int] | None:
        counting = [one for one in self.versions if one[0] <= moment]
        return counting[-1][1:] if counting and counting[-1][2] is not None else None


@st.composite
def changing(draw: st.DrawFn) -> list[tuple]:
    """Rows of the left, and changes to a table of the right: an update is two rows, a delete has a time of its own."""
    history: list[tuple] = []
    standing: dict[int, tuple[int, int]] = {}
    for row in draw(HISTORIES):
        if row[0] == 0:
            history.append(row)
            continue
        _, key, time, value = row
        key = key or 1
        is_delete = value % 3 == 0
        if key in standing:
            old_time, old = standing.pop(key)
            history.append((1, key, time if is_delete else old_time, old, -1))
            if is_delete:
                continue
        history.append((1, key, time, value, 1))
        standing[key] = (time, value)
    return history


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@given(changing(), st.integers(0, 12), st.data())
@settings(max_examples=200, deadline=None)
def test_late_rows_updates_and_deletes_count_from_when_they_came(kind, history, lateness, data):
    highest, before = [START_OF_TIME, START_OF_TIME], [START_OF_TIME]
    for row in history:
        highest[row[0]] = max(highest[row[0]], row[2] - lateness)
        before.append(min(highest))
    models: dict[int | None, Model] = {}
    waiting, right = [], Counter()

    def answer(key, time, name, found) -> None:
        if found is not None or kind is JoinKind.LEFT:
            right[key, time, name, *((None,) * 3 if found is None else (key, *found))] += 1

    for at, row in enumerate(history):
        port, key, time, value, *weight = row
        model = models.setdefault(key, Model())
        if port == 0:
            if time > before[at]:
                waiting.append((key, time, value))
            else:
                found = model.at(before[at]) if key is not None else None
                answer(key, time, value, found if found is not None and found[0] <= time else None)
        elif weight == [1]:
            model.add(time, value, before[at])
        elif not (history[at + 1 :] and history[at + 1][:2] == (1, key) and history[at + 1][4] == 1) or (
            time > before[at] and all(one[1] != time for one in model.versions)
        ):
            model.add(time, None, before[at])
    for key, time, value in waiting:
        answer(key, time, value, models[key].at(time) if key is not None else None)
    assert run(kind, history, before, data, condition=False) == right


def test_versions_that_no_row_can_meet_any_more_are_dropped():
    running = operator(JoinKind.INNER)
    times = pl.Series("u", range(1_000), dtype=pl.Int64).cast(pl.Datetime("ms"))
    running.process(1, pl.DataFrame({"j": [1] * 1_000, "u": times, "b": range(1_000)}))
    running.advance(990)
    assert running.snapshot()["right"]["b"].to_list() == list(range(990, 1_000))


def test_rows_come_out_in_order_of_time_however_often_the_watermark_moves():
    outputs = []
    for moments in ([END_OF_TIME], [5, 17, END_OF_TIME]):
        running = operator(JoinKind.LEFT)
        for times in ([9, 3, 20], [3, 12]):
            column = pl.Series("t", times, dtype=pl.Int64).cast(pl.Datetime("ms"))
            running.process(0, pl.DataFrame({"k": [1] * len(times), "t": column, "a": [f"{len(times)}"] * len(times)}))
        frames = [frame for moment in moments for frame in running.advance(moment).batches]
        outputs.append(pl.concat(frames).select(pl.col("t").dt.timestamp("ms"), "a").rows())
    assert outputs[0] == outputs[1] == [(3, "3"), (3, "2"), (9, "3"), (12, "2"), (20, "3")]


def test_keys_that_are_not_in_use_are_forgotten_after_their_time_to_live():
    clock = ManualClock()
    running = operator(JoinKind.LEFT, ttl_ms=1_000, clock=clock)
    at = pl.Series([1], dtype=pl.Int64).cast(pl.Datetime("ms"))
    running.process(1, pl.DataFrame({"j": [1], "u": at, "b": [7]}))
    for passed_ms, found in ((900, 7), (900, 7), (2_000, None)):
        clock.advance_ms(passed_ms)
        running.advance(1)
        running.process(0, pl.DataFrame({"k": [1], "t": at.dt.offset_by("5ms"), "a": ["x"]}))
        (given_out,) = running.advance(10).batches
        assert given_out["b"].to_list() == [found]
        running._watermark_ms = 1
