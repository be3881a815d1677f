"""What watermarks move, beyond its memory: queries give the same rows and set the same ones aside as late.

Under any limit, however the input is cut, with rows and watermarks that wait for rounds, and restored in between.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pipeline_runs import Fed, Query, bind_query

from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.key_groups import divided
from yeoul.engine.state import memory

TABLES = """
SET 'execution.runtime-mode' = 'streaming';
CREATE TABLE a (k STRING, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND);
CREATE TABLE b (k STRING, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '3' SECOND,
  PRIMARY KEY (k) NOT ENFORCED);
CREATE TABLE c (k STRING, v BIGINT, ts TIMESTAMP(3), seen AS PROCTIME());
CREATE TABLE firsts (k STRING, v BIGINT, PRIMARY KEY (k) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:9', 'key.format' = 'json',
        'value.format' = 'json');
CREATE VIEW counted AS SELECT k, window_time AS ts, COUNT(*) AS n
  FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY k, window_start, window_end, window_time;
CREATE VIEW near AS SELECT a.k, b.v AS w, a.ts
  FROM a JOIN b ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '4' SECOND AND b.ts;
CREATE VIEW seen AS SELECT k, v, window_start, window_end, window_time AS at
  FROM TABLE(SESSION(TABLE c PARTITION BY k, DESCRIPTOR(seen), INTERVAL '1' SECOND));
CREATE VIEW seconds AS SELECT k, window_start, window_end, window_time AS at, COUNT(*) AS n
  FROM TABLE(TUMBLE(TABLE c, DESCRIPTOR(seen), INTERVAL '1' SECOND)) GROUP BY k, window_start, window_end, window_time;
CREATE VIEW counts AS SELECT k, at, n FROM seconds;
"""
EMITTING = """
SET 'table.exec.emit.early-fire.enabled' = 'true';
SET 'table.exec.emit.early-fire.delay' = '{} ms';
SET 'table.exec.emit.late-fire.enabled' = 'true';
SET 'table.exec.emit.late-fire.delay' = '{} ms';
SET 'table.exec.emit.allow-lateness' = '4 s';
"""
SETTINGS = {"early and late firing": EMITTING.format(500, 0), "firing at once and late": EMITTING.format(0, 400)}
TUMBLED = "TABLE(TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '5' SECOND))"
JOINED = """SELECT a.k, a.v, b.v AS w, a.ts FROM a {} JOIN b
  ON a.k = b.k AND a.ts BETWEEN b.ts - INTERVAL '4' SECOND AND b.ts"""
QUERIES = {
    "TUMBLE": f"""SELECT k, window_start, SUM(v), COUNT(*) FROM {TUMBLED.format("a")}
      GROUP BY k, window_start, window_end""",
    "HOP": """SELECT k, window_end, SUM(v)
      FROM TABLE(HOP(TABLE a, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '6' SECOND))
      GROUP BY k, window_start, window_end""",
    "CUMULATE": """SELECT k, window_end, MAX(v)
      FROM TABLE(CUMULATE(TABLE a, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '8' SECOND))
      GROUP BY k, window_start, window_end""",
    "SESSION": """SELECT k, window_start, window_end, COUNT(*)
      FROM TABLE(SESSION(TABLE a PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECOND))
      GROUP BY k, window_start, window_end""",
    "window over window": """SELECT window_end, SUM(n)
      FROM TABLE(TUMBLE(TABLE counted, DESCRIPTOR(ts), INTERVAL '6' SECOND)) GROUP BY window_start, window_end""",
    "window Top-N": f"""SELECT k, v, window_end, n FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY v DESC) AS n
        FROM {TUMBLED.format("a")}
      ) WHERE n <= 2""",
    "window join": f"""SELECT x.k, x.v, y.v AS w FROM (SELECT * FROM {TUMBLED.format("a")}) x
      FULL JOIN (SELECT * FROM {TUMBLED.format("b")}) y
      ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end""",
    "interval join": JOINED.format("INNER"),
    "interval join, FULL": JOINED.format("FULL"),
    "windows over an interval join": """SELECT k, window_end, COUNT(*), SUM(w)
      FROM TABLE(HOP(TABLE near, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '4' SECOND))
      GROUP BY k, window_start, window_end""",
    "temporal join": "SELECT a.k, a.v, b.v AS w FROM a LEFT JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k = b.k",
    "OVER": """SELECT k, v, SUM(v) OVER (
        PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '3' SECOND PRECEDING AND CURRENT ROW
      ) AS s FROM a""",
    "first row": """SELECT k, v, ts FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS n FROM a
      ) WHERE n = 1""",
    "early and late firing": f"""SELECT k, window_start, SUM(v), COUNT(*) FROM {TUMBLED.format("a")}
      GROUP BY k, window_start, window_end""",
    "firing at once and late": """SELECT k, HOP_END(ts, INTERVAL '2' SECOND, INTERVAL '4' SECOND), MAX(v)
      FROM a GROUP BY k, HOP(ts, INTERVAL '2' SECOND, INTERVAL '4' SECOND)""",
    "TUMBLE by the clock": "SELECT * FROM seconds",
    "sessions by the clock": """SELECT k, SESSION_START(seen, INTERVAL '1' SECOND), COUNT(*)
      FROM c GROUP BY k, SESSION(seen, INTERVAL '1' SECOND)""",
    "windows over windows by the clock": """SELECT k, window_end, SUM(n)
      FROM TABLE(TUMBLE(TABLE counts, DESCRIPTOR(at), INTERVAL '2' SECOND)) GROUP BY k, window_start, window_end""",
    "windows over sessions by the clock": """SELECT k, window_start, window_end, SUM(v) FROM seen
      GROUP BY k, window_start, window_end""",
    "window Top-N by the clock": """SELECT k, n, window_end, place FROM (
        SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY n DESC) AS place FROM seconds
      ) WHERE place <= 2""",
    "ON CONFLICT DO NOTHING": "INSERT INTO firsts SELECT k, v FROM a WHERE k IS NOT NULL ON CONFLICT DO NOTHING",
}
BEGINS = datetime(2024, 1, 1)
ROW = st.tuples(st.integers(0, 20), st.integers(-3, 3), st.integers(-6, 2))
BATCH = st.tuples(st.sampled_from("abc"), st.lists(ROW, min_size=1, max_size=25))
STEPS = st.lists(st.one_of(BATCH, BATCH, st.sampled_from(["restore", 300, 900])), min_size=1, max_size=14)


def steps_of(drawn: Sequence[object]) -> list[Fed | int | str]:
    """Turns seconds behind the last one into times: each batch is a bit later than the one before."""
    steps: list[Fed | int | str] = []
    for turn, step in enumerate(drawn):
        if not isinstance(step, tuple):
            steps.append(step)  # type: ignore[arg-type]
            continue
        table, rows = step
        times = [BEGINS + timedelta(seconds=3 * turn + behind) for _, _, behind in rows]
        columns = {"k": [f"k{k}" if k else None for k, _, _ in rows], "v": [v for _, v, _ in rows], "ts": times}
        steps.append(Fed(table, pl.DataFrame(columns, schema={"k": pl.String, "v": pl.Int64, "ts": pl.Datetime("ms")})))
    return steps


def run(query: Query, steps: Sequence[Fed | int | str]) -> tuple[Counter, Counter]:
    """Returns the rows that are left and the late ones."""
    one, passed_ms, late = query.fresh(), 0, []
    given = one.start()
    for step in steps:
        if step == "restore":
            state, late = one.snapshot(), late + one.late
            one = query.fresh(passed_ms)
            given += one.restore(state)
        else:
            assert not isinstance(step, str)
            passed_ms += step if isinstance(step, int) else 0
            given += one.take(step)
    given += one.end()
    rows: Counter = Counter()
    for batch in given:
        marks = batch["op"].to_list() if "op" in batch.columns else ["+I"] * batch.height
        for mark, row in zip(marks, batch.drop("op", strict=False).rows(), strict=True):
            rows[row] += -1 if mark in ("-U", "-D") else 1
    return rows, Counter(row for frame in late + one.late for row in frame.rows())


@pytest.mark.parametrize("name", QUERIES)
def test_the_same_rows_come_and_the_same_are_late_under_any_limit(name, tmp_path_factory):
    query = bind_query(TABLES + SETTINGS.get(name, ""), QUERIES[name])

    @given(drawn=STEPS, limit=st.sampled_from([1, 3_000, 30_000]))
    @settings(max_examples=int(os.environ.get("YEOUL_FUZZ", "5")), deadline=None)
    def check(drawn, limit):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
            patch.setattr(divided, "_MOST_BITS", 3)
            steps, folder = steps_of(drawn), str(tmp_path_factory.mktemp("spilled"))
            limited = replace(query, settings=replace(query.settings, state_memory_bytes=limit, spill_directory=folder))
            assert run(limited, steps) == run(query, steps)

    check()


def test_a_key_that_ends_and_comes_again_while_its_versions_lie_on_disk_has_none_in_between(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
    monkeypatch.setattr(divided, "_MOST_BITS", 3)
    query = bind_query(
        """
        SET 'execution.runtime-mode' = 'streaming';
        CREATE TABLE orders (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts);
        CREATE TABLE rates (k STRING, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (k) NOT ENFORCED)
          WITH ('connector' = 'upsert-kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:9',
                'key.format' = 'json', 'value.format' = 'json');
        """,
        """SELECT o.ts, r.v FROM orders AS o
           LEFT JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.k = r.k""",
    )
    at = [BEGINS + timedelta(minutes=minutes) for minutes in range(4)]
    keys = [f"k{number}" for number in range(40)]
    schema = {"k": pl.String, "v": pl.Int64, "ts": pl.Datetime("ms"), WEIGHT: pl.Int64}
    first = pl.DataFrame([keys, [1] * 40, [at[0]] * 40, [1] * 40], schema=schema)
    again = pl.DataFrame([["k7", "k7"], [None, 2], [None, at[2]], [-1, 1]], schema=schema)
    orders = pl.DataFrame({"k": ["k7", "k7"], "ts": [at[1], at[3]]}, schema_overrides={"ts": pl.Datetime("ms")})
    steps = [Fed("rates", first), 300, Fed("rates", again), Fed("orders", orders)]
    limited = replace(query, settings=replace(query.settings, state_memory_bytes=1, spill_directory=str(tmp_path)))
    assert run(limited, steps) == run(query, steps) == (Counter([(at[1], None), (at[3], 2)]), Counter())
