"""Windows of times before 1970, one of which ends when the epoch begins."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from tests.pipeline_runs import Fed, bind_query, run_in_one_go, run_restored_after_each

_EPOCH = dt.datetime(1970, 1, 1)
_TABLE = "CREATE TABLE t (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)"
_CUMULATED = "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '40' SECOND)"


@pytest.mark.parametrize("run", [run_in_one_go, run_restored_after_each])
def test_a_window_that_ends_at_the_epoch_is_given(run) -> None:
    query = bind_query(
        f"{_TABLE}; SET 'execution.runtime-mode' = 'streaming'",
        f"SELECT window_end, COUNT(*) AS c FROM TABLE({_CUMULATED}) GROUP BY window_start, window_end",
    )
    steps = [Fed("t", _rows(second)) for second in (-15, -8, 5)]
    found = [row for frame in run(query, steps) for row in frame.rows()]
    ends = [(-10, 1), (0, 2), (10, 1), (20, 1), (30, 1), (40, 1)]
    assert found == [(_EPOCH + dt.timedelta(seconds=end), count) for end, count in ends]


def _rows(second: int) -> pl.DataFrame:
    time = pl.Series([_EPOCH + dt.timedelta(seconds=second)], dtype=pl.Datetime("ms"))
    return pl.DataFrame({"k": pl.Series([1], dtype=pl.Int32), "ts": time})
