"""Jobs whose state takes more than it may: a snapshot in the middle has the rows that wait, and they count once."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.pipeline_runs import Fed, Query, bind_query, run_in_one_go

from yeoul import Session
from yeoul.engine.operators.key_groups.group import KeyGroup
from yeoul.errors import UserError

TABLES = "SET 'execution.runtime-mode' = 'streaming'; CREATE TABLE t (k INT, n INT); CREATE TABLE u (k INT)"
QUERIES = [
    "SELECT k, MAX(n) AS n FROM t GROUP BY k",
    "SELECT DISTINCT k, n FROM t",
    "SELECT k, COUNT(DISTINCT n) AS c, SUM(DISTINCT n) FILTER (WHERE n > 1) AS s FROM t GROUP BY k",
    "SELECT n, COUNT(DISTINCT c) AS d FROM (SELECT k, n, COUNT(*) AS c FROM t GROUP BY k, n) GROUP BY n",
    "SELECT t.k, t.n FROM t WHERE k IN (SELECT k FROM u)",
    "SELECT u.k, m.n FROM u LEFT JOIN (SELECT k, MAX(n) AS n FROM t GROUP BY k) AS m ON u.k = m.k",
]
STEPS = [
    Fed("t", pl.DataFrame({"k": [1, 2], "n": [0, 5]}).cast(pl.Int32)),
    Fed("u", pl.DataFrame({"k": [1, 3]}).cast(pl.Int32)),
    Fed("t", pl.DataFrame({"k": [1], "n": [3]}).cast(pl.Int32)),
    Fed("t", pl.DataFrame({"k": [1, 3], "n": [2, 1]}).cast(pl.Int32)),
    Fed("u", pl.DataFrame({"k": [2]}).cast(pl.Int32)),
    Fed("t", pl.DataFrame({"k": [1], "n": [2]}).cast(pl.Int32)),
]


def left(frames: list[pl.DataFrame]) -> Counter[tuple[object, ...]]:
    table: Counter[tuple[object, ...]] = Counter()
    for op, *row in (row for frame in frames for row in frame.rows()):
        table[tuple(row)] += -1 if op in ("-U", "-D") else 1
        assert table[tuple(row)] >= 0, "what is taken back was there"
    return +table


def run_restored(query: Query, every: int) -> list[pl.DataFrame]:
    """Runs with a new pipeline, from a snapshot, after every so many steps."""
    run = query.fresh()
    given = run.start()
    for place, step in enumerate(STEPS, 1):
        given += run.take(step)
        if place % every == 0:
            state, run = run.snapshot(), query.fresh()
            given += run.restore(state)
    return given + run.end()


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("memory_bytes", [1, 2_000])
def test_a_job_beyond_its_memory_answers_the_same_wherever_it_was_restored(query, memory_bytes, tmp_path):
    free = bind_query(TABLES, query)
    settings = replace(free.settings, state_memory_bytes=memory_bytes, spill_directory=str(tmp_path))
    spilling = replace(free, settings=settings)
    wanted = left(run_in_one_go(free, STEPS))
    assert left(run_in_one_go(spilling, STEPS)) == wanted
    for every in (1, 2, 3):
        assert left(run_restored(spilling, every)) == wanted


TIMED = (
    "CREATE TABLE t (k INT, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);"
    " CREATE TABLE u (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)"
)
OF_WINDOWS = "SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY n) AS place FROM {}"
WINDOWED = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND))"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, MAX(n) AS n FROM t GROUP BY k",
        "SELECT k, COUNT(DISTINCT n) AS c FROM t GROUP BY k",
        f"SELECT k, window_end, SUM(n) AS n FROM {WINDOWED} GROUP BY window_start, window_end, k",
        f"SELECT k, n FROM ({OF_WINDOWS.format(WINDOWED)}) WHERE place = 1",
        "SELECT k, SUM(n) AS n FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' SECOND))"
        " GROUP BY window_start, window_end, k",
        "SELECT t.k, n FROM t LEFT JOIN u ON t.k = u.k",
        "SELECT t.k, n FROM t JOIN u ON t.k = u.k AND t.ts BETWEEN u.ts AND u.ts + INTERVAL '1' HOUR",
        "SELECT k, SUM(n) OVER (PARTITION BY k ORDER BY ts) AS n FROM t",
        "SELECT k, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n) AS place FROM t) WHERE place < 3",
        "SELECT k, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS place FROM t)"
        " WHERE place = 1",
        "SELECT k FROM t INTERSECT SELECT k FROM u",
    ],
)
@pytest.mark.parametrize("mode", ["batch", "streaming"])
def test_state_that_went_to_disk_leaves_memory_at_once(query, mode, tmp_path, monkeypatch):
    evict, gone = KeyGroup.evict, []

    def evicted(group: KeyGroup) -> None:
        gone.append(weakref.ref(group.operator))
        evict(group)

    monkeypatch.setattr(KeyGroup, "evict", evicted)
    free = bind_query(f"SET 'execution.runtime-mode' = '{mode}'; {TIMED}", query)
    spilling = replace(free, settings=replace(free.settings, state_memory_bytes=2_000, spill_directory=str(tmp_path)))
    rows = pl.DataFrame({"k": range(500), "n": range(500)}).cast(pl.Int32)
    times = [rows.with_columns(ts=pl.lit(step).cast(pl.Datetime("ms"))) for step in range(4)]
    steps = [step for one in times for step in (Fed("t", one), Fed("u", one.select("k", "ts")))]
    gc.collect()
    gc.disable()
    try:
        run_in_one_go(spilling, steps)
        assert gone
        assert [type(one()).__name__ for one in gone if one() is not None] == []
    finally:
        gc.enable()


def test_rows_from_before_and_behind_an_operator_that_began_to_spill_wait_together(tmp_path):
    table = (
        "CREATE TABLE v (k INT, n INT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 't',"
        " 'properties.bootstrap.servers' = 'h:9', 'key.format' = 'json', 'value.format' = 'json',"
        " 'scan.bounded.mode' = 'latest-offset')"
    )
    free = bind_query(table, "SELECT k, n FROM v UNION ALL SELECT n, k FROM v")
    spilling = replace(free, settings=replace(free.settings, state_memory_bytes=2_000, spill_directory=str(tmp_path)))
    weight = pl.Series("$weight", [1], dtype=pl.Int64)
    steps = [Fed("v", pl.DataFrame({"k": [1], "n": [n]}).cast(pl.Int32).with_columns(weight)) for n in range(8)]
    rows = [row for frame in run_in_one_go(spilling, steps) for row in frame.rows()]
    assert sorted(rows) == [(1, 7), (7, 1)]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("SELECT * FROM t ORDER BY n", "ORDER BY"),
        ("SELECT COUNT(DISTINCT n) FROM t", "GROUP BY"),
        ("SELECT t.k FROM t JOIN u ON t.k < u.k", "INNER JOIN"),
    ],
)
def test_what_has_no_key_to_divide_it_by_ends_with_an_error_at_the_limit(query, name, tmp_path):
    mode = "batch" if name == "ORDER BY" else "streaming"
    asked = bind_query(TABLES.replace("streaming", mode), query)
    settings = replace(asked.settings, state_memory_bytes=2 << 20, spill_directory=str(tmp_path))
    rows = pl.DataFrame({"k": np.zeros(100_000, np.int32), "n": np.arange(1_000_000, 1_100_000, dtype=np.int32)})
    steps = [Fed("t", rows.with_columns(n=pl.col("n") + 100_000 * step)) for step in range(5)]
    assert run_in_one_go(replace(asked, settings=replace(settings, state_memory_bytes=1 << 30)), steps) is not None
    with pytest.raises(UserError) as caught:
        run_in_one_go(replace(asked, settings=settings), steps)
    assert caught.value.message.startswith(f"{name} keeps ")
    assert caught.value.message.endswith(
        " MB that cannot go to disk, since it has no key to divide it by; 'state.memory.limit' is 2.0 MB"
    )


def test_a_job_that_spilled_tells_its_progress_when_it_has_ended(tmp_path):
    with Session({"t": pl.DataFrame({"k": np.arange(100_000)})}) as session:
        session.sql("SET 'execution.runtime-mode' = 'streaming'")
        session.sql("SET 'state.memory.limit' = '1 MB'")
        session.sql(f"SET 'state.spill.directory' = '{tmp_path}'")
        session.sql("CREATE TABLE o (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole')")
        job = session.sql("INSERT INTO o SELECT k, COUNT(*) FROM t GROUP BY k").job
        job.wait()
        (groups,) = (one for one in job.progress().operators if "GROUP BY" in one.name)
        assert groups.spilled_bytes == 0
        assert list(tmp_path.iterdir()) == []
