"""A table that meets itself: a row comes to all that read it before the next does, wherever batches are cut."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pipeline_runs import Fed, Run, bind_query

_EPOCH = dt.datetime(2024, 1, 1)
_TABLE = "CREATE TABLE t (id BIGINT, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)"
_WINDOWS = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND))"
_QUERIES = {
    "window join": f"SELECT a.id, b.id AS other FROM {_WINDOWS} a {{}} JOIN {_WINDOWS} b"
    " ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.n <= b.n",
    "interval join": "SELECT a.id, b.id AS other FROM t a {} JOIN t b"
    " ON a.ts BETWEEN b.ts - INTERVAL '1' SECOND AND b.ts + INTERVAL '8' SECOND AND a.n <= b.n",
    "interval join of what is before": "SELECT a.id, b.id AS other FROM t a {} JOIN t b"
    " ON a.ts BETWEEN b.ts + INTERVAL '3' SECOND AND b.ts + INTERVAL '30' SECOND",
    "windows of a union": "SELECT COUNT(*) AS c, MAX(id) AS id FROM TABLE(TUMBLE((SELECT * FROM t WHERE n > 0"
    " UNION ALL SELECT * FROM t WHERE n < 2), DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end",
}
_CASES = [
    *((name, kind) for name in ("window join", "interval join") for kind in ("INNER", "LEFT", "FULL")),
    ("interval join of what is before", "INNER"),
    ("interval join of what is before", "LEFT"),
    ("windows of a union", ""),
]
_ROWS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.sampled_from("ab"), st.booleans()), max_size=20)


def _batches(rows: list[tuple[int, int, str, bool]], *, one_by_one: bool = False) -> list[Fed]:
    """Returns rows (second, n, split, whether a batch ends with it) as batches."""
    fed: list[Fed] = []
    batch: list[tuple[int, int, dt.datetime]] = []
    for number, (second, n, split, ends) in enumerate(rows):
        batch.append((number, n, _EPOCH + dt.timedelta(seconds=second)))
        if ends or one_by_one or number + 1 == len(rows) or rows[number + 1][2] != split:
            schema = {"id": pl.Int64, "n": pl.Int32, "ts": pl.Datetime("ms")}
            fed.append(Fed("t", pl.DataFrame(batch, schema=schema, orient="row"), split))
            batch = []
    return fed


def _given(run: Run, batches: list[Fed]) -> tuple[Counter[object], Counter[object]]:
    """Returns the rows that come out, and those that are set aside."""
    frames = run.start()
    for one in batches:
        frames += run.take(one)
    frames += run.end()
    late = [frame.select("id", "late_watermark") for frame in run.set_aside]
    return tuple(Counter(row for frame in part for row in frame.iter_rows()) for part in (frames, late))  # type: ignore[return-value]


@pytest.mark.parametrize(("name", "kind"), _CASES)
@settings(max_examples=40, deadline=None)
@given(_ROWS)
def test_the_answer_is_that_of_rows_that_come_one_by_one(
    name: str, kind: str, rows: list[tuple[int, int, str, bool]]
) -> None:
    query = bind_query(_TABLE, _QUERIES[name].format(kind))
    splits = sorted({split for _, _, split, _ in rows}) or ["a"]
    wanted, got = (
        _given(replace(query, splits=splits).fresh(), _batches(rows, one_by_one=each)) for each in (True, False)
    )
    assert got == wanted


def test_a_row_that_another_of_its_batch_makes_late_is_late_on_both_sides() -> None:
    query = bind_query(_TABLE, _QUERIES["window join"].format("INNER"))
    run = query.fresh()
    rows = [(0, 0, "s", True), (20, 0, "s", False), (1, 0, "s", True), (21, 0, "s", True)]
    given_rows, late = _given(run, _batches(rows))
    assert given_rows == Counter({(0, 0): 1, (1, 1): 1, (1, 3): 1, (3, 1): 1, (3, 3): 1})
    assert late == Counter({(2, _EPOCH + dt.timedelta(seconds=18)): 2})
