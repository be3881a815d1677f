"""CURRENT_WATERMARK is a property of the rows in their order of arrival, worked out here one by one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pipeline_runs import Fed, bind_query, run_in_one_go, run_restored_after_each

_EPOCH = dt.datetime(2024, 1, 1)
_SPLITS = ("a", "b", "c")
_TABLE = "CREATE TABLE t (id INT, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND)"
_DELAY_S = 3


@dataclass(frozen=True)
class Row:
    """A row of a split, and whether the batch ends with it."""

    split: str
    second: int | None
    n: int
    ends: bool


_ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(_SPLITS),
        st.one_of(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.none()),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=25,
)


def _told(rows: list[Row], splits: int) -> dict[int, int | None]:
    """Returns the watermark before each row with a time, in seconds; None: there was none."""
    own: dict[str, int] = {}
    told: dict[int, int | None] = {}
    for number, row in enumerate(rows):
        if row.second is None:
            continue
        told[number] = min(own.values()) if len(own) == splits else None
        own[row.split] = max(own.get(row.split, row.second - _DELAY_S), row.second - _DELAY_S)
    return told


def _batches(rows: list[Row]) -> list[Fed]:
    steps: list[Fed] = []
    batch: list[tuple[int, Row]] = []
    for number, row in enumerate(rows):
        batch.append((number, row))
        if row.ends or number + 1 == len(rows) or rows[number + 1].split != row.split:
            times = [None if one.second is None else _EPOCH + dt.timedelta(seconds=one.second) for _, one in batch]
            numbers, values = [each for each, _ in batch], [one.n for _, one in batch]
            schema = {"id": pl.Int32, "n": pl.Int32, "ts": pl.Datetime("ms")}
            steps.append(Fed("t", pl.DataFrame({"id": numbers, "n": values, "ts": times}, schema=schema), row.split))
            batch = []
    return steps


def _seconds(value: dt.datetime | None) -> int | None:
    return None if value is None else int((value - _EPOCH).total_seconds())


def _rows_of(batches: list[pl.DataFrame]) -> list[tuple]:
    return [row for batch in batches for row in batch.rows()]


@settings(deadline=None)
@given(rows=_ROWS, splits=st.integers(1, 3))
def test_each_row_is_told_the_watermark_before_it_however_batches_are_cut(rows, splits):
    rows = [replace(row, split=_SPLITS[_SPLITS.index(row.split) % splits]) for row in rows]
    query = replace(bind_query(_TABLE, "SELECT id, CURRENT_WATERMARK(ts) AS wm FROM t"), splits=_SPLITS[:splits])
    right = list(_told(rows, splits).items())
    for run in (run_in_one_go, run_restored_after_each):
        assert [(id, _seconds(wm)) for id, wm in _rows_of(run(query, _batches(rows)))] == right


@settings(deadline=None)
@given(rows=_ROWS, splits=st.integers(1, 3))
def test_rows_that_are_late_are_told_apart_from_the_others(rows, splits):
    rows = [replace(row, split=_SPLITS[_SPLITS.index(row.split) % splits]) for row in rows]
    told = _told(rows, splits)
    late = [id for id, wm in told.items() if wm is not None and (rows[id].second or 0) <= wm]
    wanted = {"ts <= CURRENT_WATERMARK(ts)": late}
    wanted["CURRENT_WATERMARK(ts) IS NULL OR ts > CURRENT_WATERMARK(ts)"] = [id for id in told if id not in late]
    for condition, right in wanted.items():
        text = f"SELECT id FROM t WHERE n > 0 AND ({condition})"
        query = replace(bind_query(_TABLE, text), splits=_SPLITS[:splits])
        right = [(id,) for id in right if rows[id].n > 0]
        assert _rows_of(run_in_one_go(query, _batches(rows))) == right


def test_windows_above_get_no_row_that_the_condition_keeps_out():
    text = """
        SELECT window_start, COUNT(*) AS n FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)
        WHERE CURRENT_WATERMARK(ts) IS NULL OR ts > CURRENT_WATERMARK(ts) GROUP BY window_start, window_end"""
    rows = [Row("a", second, 0, False) for second in (5, 9, 7, 3, 14, 8, 12)]
    run = bind_query(_TABLE, text).fresh()
    run.start()
    given = [one for batch in _batches([replace(row, split="s") for row in rows]) for one in run.take(batch)]
    assert [(_seconds(start), n) for start, n in _rows_of([*given, *run.end()])] == [(0, 3), (10, 2)]
    assert run.late == []


def test_of_an_instant_it_is_an_instant():
    table = "CREATE TABLE t (ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts)"
    query = bind_query(table, "SELECT CURRENT_WATERMARK(ts) AS wm FROM t")
    (given,) = run_in_one_go(query, [Fed("t", pl.DataFrame({"ms": [5_123, 4_000]}))])
    assert given["wm"].dtype == pl.Datetime("ms", "UTC")
    assert given["wm"].dt.epoch("ms").to_list() == [None, 5_123]
