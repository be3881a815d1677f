"""The operators one by one: what they do to a batch, and that a restored one goes on where it was."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import window_aggregate, with_ms
from window_oracle import WindowSpec

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.assign_watermark import AssignWatermark
from yeoul.engine.operators.contract import START_OF_TIME
from yeoul.engine.operators.rows.filter import Filter
from yeoul.engine.operators.rows.limit import Limit
from yeoul.engine.operators.rows.project import Project
from yeoul.engine.operators.rows.relabel import Relabel
from yeoul.engine.operators.rows.union import Union
from yeoul.engine.operators.rows.values import Values
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.watermarks import WatermarkMerge
from yeoul.engine.operators.windows.assign import WindowAssign
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.engine.state.compact import compacted
from yeoul.errors import UserError
from yeoul.plan.nodes import WindowKind

NUMBERS = pl.DataFrame({"x": [1, 2, None], ROW: pl.Series([0, 1, 2], dtype=pl.UInt32)})


def test_a_projection_keeps_reserved_columns_and_the_height() -> None:
    doubled = Project([("y", pl.col("x") * 2), ("one", pl.lit(1))]).transform(NUMBERS)
    assert doubled.columns == ["y", "one", ROW]
    assert doubled["y"].to_list() == [2, 4, None]
    constant = Project([("one", pl.lit(1))]).transform(NUMBERS.select("x"))
    assert constant.rows() == [(1,), (1,), (1,)]
    assert Project([("one", pl.lit(1))]).transform(pl.DataFrame(height=2)).rows() == [(1,), (1,)]
    assert Project([("one", pl.lit(1))]).transform(NUMBERS.head(0)).height == 0


def test_a_filter_drops_false_and_null() -> None:
    assert Filter(pl.col("x") > 1).transform(NUMBERS)["x"].to_list() == [2]


def test_few_rows_left_of_many_do_not_keep_the_buffers_of_all() -> None:
    big = pl.DataFrame({"s": [f"a rather long string number {number}" for number in range(1_000)]})
    kept = Filter(pl.col("s").str.ends_with(" 500")).transform(big)
    assert kept["s"].to_list() == ["a rather long string number 500"]
    assert _buffer_bytes(kept) < 100 < _buffer_bytes(big.filter(pl.col("s").str.ends_with(" 500")))


def _buffer_bytes(frame: pl.DataFrame) -> int:
    """The size of the variable buffers behind a column of string views."""
    buffers = frame.to_arrow(compat_level=pl.CompatLevel.newest()).column("s").combine_chunks()
    chunks = buffers.chunks if hasattr(buffers, "chunks") else [buffers]
    return sum(buffer.size for chunk in chunks for buffer in chunk.buffers()[2:] if buffer is not None)


def test_compacting_changes_nothing_that_can_be_seen() -> None:
    frame = pl.DataFrame(
        {
            "s": ["a", None, "longer than twelve bytes"],
            "b": [b"\xff", None, b"longer than twelve bytes"],
            "l": [["x"], None, ["longer than twelve bytes", None]],
            "r": [{"f": "x", "n": 1}, None, {"f": None, "n": 2}],
            "n": [1, 2, 3],
        }
    )
    assert compacted(frame).equals(frame)
    assert compacted(frame).schema == frame.schema
    assert compacted(frame.head(0)).schema == frame.schema


def test_a_union_matches_columns_by_position_and_type() -> None:
    union = Union([("a", pl.Int64()), ("b", pl.String())])
    one = pl.DataFrame({"x": pl.Series([1], dtype=pl.Int32), "y": ["z"], WATERMARK: [5]})
    (batch,) = union.process(1, one).batches
    assert batch.schema == {"a": pl.Int64(), "b": pl.String(), WATERMARK: pl.Int64()}


def test_renaming_leaves_the_batch_that_came_as_it_was() -> None:
    batch = pl.DataFrame({"a": [1], "b": ["x"]})
    given = Relabel([("m", pl.Int64()), ("n", pl.String())]).transform(batch)
    assert given.to_dict(as_series=False) == {"m": [1], "n": ["x"]}
    assert batch.columns == ["a", "b"]
    assert batch["a"].name == "a"


def test_a_limit_counts_on_after_a_restore() -> None:
    limit = Limit(3)
    assert [batch.height for batch in limit.process(0, NUMBERS.head(2)).batches] == [2]
    again = Limit(3)
    again.restore(limit.snapshot())
    assert [batch.height for batch in again.process(0, NUMBERS).batches] == [1]
    assert again.is_done
    assert again.process(0, NUMBERS).batches == ()


def test_values_are_given_once_even_across_a_restore() -> None:
    values = Values(NUMBERS)
    assert len(values.start().batches) == 1
    again = Values(NUMBERS)
    again.restore(values.snapshot())
    assert again.start().batches == ()


def test_each_row_is_measured_by_the_rows_before_it_alone() -> None:
    assign = AssignWatermark("t", pl.col("w"), judges=True)
    times = {"t": [10, 40, 20, 30], "w": [10, 40, None, 30]}
    batch = pl.DataFrame(times).with_columns(pl.all().cast(pl.Datetime("ms")))
    measured = assign.measure(batch)
    assert measured.frame[WATERMARK].to_list() == [START_OF_TIME, 10, 40, 40]
    assert measured.frame[ROW].to_list() == [0, 1, 2, 3]
    assert (measured.watermark_ms, measured.latest_ms) == (40, 40)


def test_no_column_is_added_where_no_row_can_be_late() -> None:
    assign = AssignWatermark("t", pl.col("t") - pl.duration(milliseconds=100), judges=True)
    batch = pl.DataFrame({"t": [10, 40, 20]}).with_columns(pl.all().cast(pl.Datetime("ms")))
    assert assign.measure(batch).frame.columns == ["t"]
    assert assign.measure(batch, full=True).frame.columns == ["t", WATERMARK, ROW]
    assert AssignWatermark("t", pl.col("t"), judges=False).measure(batch).frame.columns == ["t"]


def test_a_batch_of_rows_without_row_time_is_dead_as_a_whole() -> None:
    assign = AssignWatermark("t", pl.col("t"), judges=True)
    batch = pl.DataFrame({"t": [None, None]}, schema={"t": pl.Datetime("ms")})
    measured = assign.measure(batch)
    assert measured.frame.height == 0
    assert measured.dead is not None
    assert measured.dead.to_list() == [0, 1]
    assert measured.watermark_ms is None


@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.just("finish"), st.integers(0, 50))), max_size=30
    )
)
def test_the_merged_watermark_never_falls_and_survives_a_restore(steps: list[tuple[str, object]]) -> None:
    merge, last = WatermarkMerge(), START_OF_TIME
    for name in "abc":
        merge.add(name)
    finished: set[str] = set()
    for name, what in steps:
        if name in finished:
            continue
        if what is None:
            merge.set_idle(name)
        elif isinstance(what, int):
            merge.observe(name, what)
        else:
            finished.add(name)
            merge.finish(name)
        assert merge.current_ms >= last
        last = merge.current_ms
        again = WatermarkMerge()
        again.restore(merge.snapshot())
        assert (again.current_ms, again.inputs()) == (merge.current_ms, merge.inputs())
        assert again.holder() == merge.holder()


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(["TUMBLE", "HOP", "CUMULATE"]),
    slide=st.integers(1, 5),
    times=st.integers(1, 4),
    offset=st.integers(-6, 6),
    rows=st.lists(st.one_of(st.none(), st.integers(-40, 40)), max_size=8),
)
def test_the_bare_window_function_repeats_each_row_once_a_window(
    kind: str, slide: int, times: int, offset: int, rows: list[int | None]
) -> None:
    size = slide * times
    spec = WindowSpec(kind, size, size if kind == "TUMBLE" else slide, offset)
    layout = WindowLayout(WindowKind(kind), size, spec.slide, offset)
    assign = WindowAssign(layout, TimeAxis(None), "t", ("window_start", "window_end", "window_time"))
    batch = pl.DataFrame({"t": rows}, schema={"t": pl.Int64}).with_columns(pl.col("t").cast(pl.Datetime("ms")))
    expected = [
        (time, start, end, end - 1)
        for time in rows
        if time is not None
        for start, end in sorted(spec.windows_of(time), key=lambda window: window[1])
    ]
    assert with_ms(assign.transform(batch)).rows() == expected


def test_a_row_time_that_turned_null_above_the_watermark_is_an_error() -> None:
    window = window_aggregate("TUMBLE", 10, 10, 0, None)
    batch = pl.DataFrame({"ts": [None], "k": ["a"], "n": [1], "p": [1.0]}, schema_overrides={"ts": pl.Datetime("ms")})
    with pytest.raises(UserError, match="Row time 'ts' is NULL in 1 rows"):
        window.process(0, batch)
