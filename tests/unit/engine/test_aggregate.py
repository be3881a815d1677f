"""The aggregate without a window: the same groups however its input is cut, given once, at the end and not before."""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import MemoryBatch, aggregates, batch

from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.operators.assign_watermark import AssignWatermark
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.operators.groups.aggregate import Aggregate
from yeoul.engine.operators.rows.union import Union
from yeoul.engine.operators.watermarks import WatermarkMerge
from yeoul.engine.runtime.lanes import Lane
from yeoul.engine.runtime.pipeline import Pipeline
from yeoul.engine.runtime.stages import Stage
from yeoul.engine.state import groups
from yeoul.engine.state.groups import GroupStore
from yeoul.plan.expressions import AggregateCall, ColumnRef
from yeoul.plan.types import BIGINT, STRING, array_of

ROWS = st.lists(
    st.tuples(
        st.just(0),
        st.just(0),
        st.sampled_from(["a", "b", None, "a name that is longer than twelve bytes"]),
        st.one_of(st.none(), st.integers(-3, 3)),
        st.sampled_from([None, 0.5, -1.25, 8.0]),
    ),
    max_size=30,
)


def aggregate(*keys: str) -> Aggregate:
    calls = {
        "first": AggregateCall("first_value", (ColumnRef("n", BIGINT),), BIGINT),
        "all": AggregateCall("array_agg", (ColumnRef("k", STRING),), array_of(STRING)),
    }
    every = [*aggregates(), *(compile_aggregate(call, name) for name, call in calls.items())]
    names = [one.name for one in every]
    nothing = pl.DataFrame({name: [0] for name in names})
    named = [(f"key {key}", pl.col(key)) for key in keys]
    return Aggregate(named, every, nothing, [*names, *(name for name, _ in named)])


def given_out(operator: Aggregate) -> list[tuple[object, ...]]:
    """The groups; sets come without an order."""
    return [row for frame in operator.advance(END_OF_TIME).batches for row in frame.rows()]


@pytest.fixture(params=[True, False], ids=["merged at once", "merged at the end"])
def merging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(groups, "_LEAST_BYTES", 100)
        monkeypatch.setattr(groups, "_MOST_PENDING", 2)


@pytest.mark.usefixtures("merging")
@pytest.mark.parametrize("keys", [(), ("k",), ("k", "n")], ids=["no key", "one key", "two keys"])
def test_neither_cuts_nor_restarts_change_the_groups_or_their_order(keys: tuple[str, ...]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(rows=ROWS, cuts=st.lists(st.integers(0, 30), max_size=6), restart=st.integers(0, 6))
    def check(rows: list[tuple[object, ...]], cuts: list[int], restart: int) -> None:
        whole = aggregate(*keys)
        whole.process(0, batch(rows, zone=False).frame)
        expected = given_out(whole)
        operator = aggregate(*keys)
        bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
        for index, (start, end) in enumerate(itertools.pairwise(bounds)):
            if index == restart:
                state = operator.snapshot()
                operator = aggregate(*keys)
                operator.restore(state)
            assert operator.process(0, batch(rows[start:end], zone=False).frame).batches == ()
            assert operator.advance(index).batches == ()
        assert given_out(operator) == expected

    check()


def test_groups_are_given_once_even_across_a_restore() -> None:
    operator = aggregate("k")
    operator.process(0, batch([(0, 0, "a", 1, None)], zone=False).frame)
    assert len(given_out(operator)) == 1
    assert given_out(operator) == []
    again = aggregate("k")
    again.restore(operator.snapshot())
    assert given_out(again) == []


def test_no_row_is_one_group_without_keys_and_none_with_keys() -> None:
    assert given_out(aggregate()) == [(0,) * 11]
    assert given_out(aggregate("k")) == []
    operator = aggregate()
    operator.process(0, batch([], zone=False).frame)
    assert given_out(operator) == [(0,) * 11]


def test_groups_without_aggregates_are_the_different_keys() -> None:
    operator = Aggregate([("x", pl.col("k"))], [], pl.DataFrame(), ["x"])
    for values in (["a", "b", "a"], [None, "b"], ["c"]):
        operator.process(0, pl.DataFrame({"k": values}, schema={"k": pl.String}))
    assert given_out(operator) == [("a",), ("b",), (None,), ("c",)]


def numbered(start: int, end: int) -> pl.DataFrame:
    return pl.select(k=pl.int_range(start, end)).with_columns(n=pl.col("k") - pl.col("k") + 1)


def test_many_keys_are_merged_a_few_times_each() -> None:
    handled = 0

    def merge(frame: pl.DataFrame) -> pl.DataFrame:
        nonlocal handled
        handled += frame.height
        return frame.group_by("k", maintain_order=True).agg(pl.col("n").sum())

    store, rows, size = GroupStore(merge), 3_000_000, 20_000
    for start in range(0, rows, size):
        store.add(numbered(start, start + size))
    merged = store.merged()
    assert merged is not None
    assert merged.height == rows
    assert handled < 4 * rows


def test_small_batches_do_not_make_the_large_state_be_merged_again_and_again() -> None:
    handled = 0

    def merge(frame: pl.DataFrame) -> pl.DataFrame:
        nonlocal handled
        handled += frame.height
        return frame.group_by("k", maintain_order=True).agg(pl.col("n").sum())

    store = GroupStore(merge)
    store.add(numbered(0, 2_000_000))
    for key in range(3_000):
        store.add(numbered(key, key + 1))
    assert handled < 4_000
    merged = store.merged()
    assert merged is not None
    assert merged["n"].head(3_001).to_list() == [2] * 3_000 + [1]


def counting(lanes: int) -> Pipeline:
    """Lanes with a watermark, a union of them, a count of all."""
    count = compile_aggregate(AggregateCall("count_star", (), BIGINT.not_null()), "n")
    top = Stage("GROUP BY", Aggregate([], [count], pl.DataFrame({"n": [0]}), ["n"]), (None,))
    ports = WatermarkMerge()
    for port in range(lanes):
        ports.add(str(port))
    union = Stage("UNION ALL", Union([("id", pl.Int64())]), ((top, 0),), ports)
    below = [AssignWatermark("ts", pl.col("ts"), judges=False) for _ in range(lanes)]
    return Pipeline([Lane([], one, [_Ids()], (union, lane)) for lane, one in enumerate(below)], [union, top])


class _Ids(Union):
    def __init__(self) -> None:
        super().__init__([("id", pl.Int64())])

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        return batch.select("id")


def test_an_idle_input_beside_one_that_ended_is_not_the_end() -> None:
    pipeline = counting(2)
    pipeline.start()
    rows: list[tuple[object, ...]] = []

    def feed(lane: int, frame: MemoryBatch) -> None:
        effects = pipeline.process(lane, "s", pipeline.lanes[lane].prepare(frame))
        assert effects.rows == []

    for lane in (0, 1):
        pipeline.add_split(lane, "s")
        feed(lane, batch([(1, 10, "a", 1, None)], zone=False))
    assert pipeline.set_idle(1, "s").rows == []
    for effects in (pipeline.finish_split(0, "s"), pipeline.end_lane(0)):
        assert effects.rows == []
    assert START_OF_TIME < pipeline.watermark_ms < END_OF_TIME
    feed(1, batch([(2, 20, "a", 1, None), (3, 30, "a", 1, None)], zone=False))
    assert pipeline.finish_split(1, "s").rows == []
    rows = [row for frame in pipeline.end_lane(1).rows for row in frame.rows()]
    assert rows == [(4,)]
    assert pipeline.is_done
