"""What EXPLAIN STATE says is kept until the end of the input is gone behind it: other inputs of a job may go on."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from tests.pipeline_runs import Fed, bind_query

from yeoul.engine.contract import WEIGHT

TABLES = """CREATE TABLE t (k STRING, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);
  CREATE TABLE c (k STRING, n INT) WITH ('connector' = 'filesystem', 'path' = 'c', 'format' = 'debezium-json')"""
TIMES = [dt.datetime(2024, 1, 1, 0, 0, second) for second in range(3)]
ROWS = pl.DataFrame({"k": ["a", "b", "a"], "n": [1, 2, 3], "ts": TIMES})
STEPS = [Fed("t", ROWS), Fed("c", ROWS.select("k", "n", pl.lit(1).alias(WEIGHT)))]
NUMBERED = "SELECT k, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY {}) AS r FROM {}) WHERE r {}"
QUERIES = {
    "Top-N": NUMBERED.format("n DESC", "t", "<= 2"),
    "the first place": NUMBERED.format("n DESC", "t", "= 1"),
    "Top-N of changes": NUMBERED.format("n", "c", "<= 2"),
    "last rows by the row time": NUMBERED.format("ts DESC", "t", "= 1"),
    "first rows by the row time": NUMBERED.format("ts", "t", "= 1"),
    "last rows by the clock": NUMBERED.format("p DESC", "(SELECT *, PROCTIME() AS p FROM t)", "= 1"),
    "GROUP BY": "SELECT k, COUNT(*) AS c FROM t GROUP BY k",
    "ORDER BY": "SELECT k, n FROM t ORDER BY n",
    "ORDER BY of changes": "SELECT k, n FROM c ORDER BY n LIMIT 2",
    "OVER": "SELECT k, COUNT(*) OVER (PARTITION BY k ORDER BY n) AS c FROM t",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_what_is_kept_until_the_end_of_the_input_is_gone_behind_it(query: str) -> None:
    kept = []
    for steps in ([], STEPS):
        run = bind_query(TABLES, query).fresh()
        run.start()
        given = [row for step in steps for frame in run.take(step) for row in frame.rows()]
        given += [row for frame in run.end() for row in frame.rows()]
        assert bool(given) == bool(steps)
        kept.append(run.kept_rows)
    assert kept[1] == kept[0]
