"""Each rule alone, and all of them, change what a plan costs and never what it answers: plans are run both ways."""

from __future__ import annotations

import random

import polars as pl
import pytest

from yeoul.planner import rules
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.queries import bind_query
from yeoul.planner.dialects.flink.dialect import read_script
from yeoul.planner.positions import Positions

TABLES = """
CREATE TABLE e (
  id INT, kind STRING, amount DECIMAL(8, 2), part SMALLINT, ts TIMESTAMP(3),
  loud AS UPPER(kind),
  WATERMARK FOR ts AS ts - INTERVAL '3' SECOND
) WITH ('connector' = 'frame');
CREATE VIEW some AS SELECT id, kind, amount, ts, id * 2 AS twice FROM e WHERE id <> 0;
CREATE VIEW some2 AS SELECT id, kind, part FROM e WHERE part < 4 AND id > 7;
"""
QUERIES = [
    "SELECT id, loud FROM e WHERE amount > 5 AND part = 3",
    "SELECT k, t + t FROM (SELECT kind AS k, twice AS t FROM some) WHERE t > 10 AND k IN ('a', 'b')",
    "SELECT * FROM (SELECT id, 100 / id AS q FROM some) WHERE q BETWEEN 2 AND 20",
    "SELECT id FROM some WHERE 100 / id > 3 AND kind <> 'c' AND TRUE",
    "SELECT kind FROM (SELECT id, kind FROM e UNION ALL SELECT part, loud FROM e) WHERE id > 4",
    "SELECT CASE WHEN FALSE THEN 'x' WHEN id > 50 THEN kind ELSE NULL END, CAST(1 AS DOUBLE) + part FROM e",
    "SELECT a, n FROM (SELECT kind AS a, COUNT(*) AS n, SUM(amount) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts),"
    " INTERVAL '10' SECOND)) GROUP BY window_start, window_end, kind) WHERE a <> 'b' AND n > 1",
    "SELECT window_start, loud, COUNT(DISTINCT part) FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND,"
    " INTERVAL '10' SECOND)) WHERE amount < 7.5 AND window_end > TIMESTAMP '2026-01-01 00:00:20'"
    " GROUP BY window_start, window_end, loud",
    "SELECT id, window_end FROM TABLE(TUMBLE(TABLE some, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE kind = 'a'"
    " AND window_start > TIMESTAMP '2026-01-01 00:00:10'",
    "SELECT window_end, MAX(n) FROM TABLE(TUMBLE((SELECT window_time AS t, kind, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE"
    " some, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, window_time, kind), DESCRIPTOR(t),"
    " INTERVAL '20' SECOND)) WHERE kind <> 'c' GROUP BY window_start, window_end",
    "SELECT s, COUNT(*), MAX(n) FROM (SELECT window_start AS s, window_end AS e, kind, COUNT(*) AS n FROM TABLE(HOP("
    "TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)) GROUP BY window_start, window_end, kind)"
    " WHERE kind <> 'a' GROUP BY s, e",
    "SELECT part FROM (SELECT part, id FROM e LIMIT 7) WHERE id > 2",
    "SELECT a, n FROM (SELECT kind AS a, COUNT(*) AS n, SUM(amount) AS s, MAX(twice) FROM some GROUP BY kind, id > 50)"
    " WHERE a <> 'b' AND n > 1 AND s > 0",
    "SELECT n, COUNT(*) FROM (SELECT loud, id, COUNT(*) AS n, MIN(ts) FROM e GROUP BY loud, id) GROUP BY n",
    "SELECT n + 1 FROM (SELECT COUNT(*) AS n, SUM(amount) AS s FROM e WHERE id > 1000) WHERE n < 5",
    "SELECT 1 FROM (SELECT MAX(amount) AS s, COUNT(*) FILTER (WHERE part < 3 AND TRUE) AS n FROM e)",
    "SELECT k FROM (SELECT DISTINCT UPPER(kind) AS k, part * 2 AS p FROM e) WHERE k <> 'A' AND p > 2",
    "SELECT id FROM e WHERE FALSE UNION ALL SELECT part FROM e WHERE COALESCE(NULL, part, 7) > 1 + 1",
    "SELECT COUNT(*), MAX(id) FROM e WHERE kind = NULL",
    "SELECT UPPER(kind), id FROM e LIMIT 9 OFFSET 3",
    "SELECT * FROM (SELECT id, loud FROM e LIMIT 20 OFFSET 5) LIMIT 20 OFFSET 4",
    "SELECT a.id, b.part FROM e AS a LEFT JOIN some2 AS b ON a.id = b.id WHERE b.part > 1 AND a.id BETWEEN 10 AND 40",
    "SELECT a.id, b.kind FROM e AS a FULL JOIN some2 AS b ON a.id = b.id AND a.part = b.part WHERE a.kind LIKE 'a%'",
    "SELECT id, part FROM e WHERE id IN (SELECT id FROM some2 WHERE id > 30 AND kind = 'a')",
    "SELECT MD5(kind), MD5(kind) || loud, SUBSTRING(MD5(kind) FROM 2) FROM e WHERE MD5(kind) > '1' OR id > 3",
    "SELECT UPPER(kind), COUNT(*) FILTER (WHERE UPPER(kind) = 'A'), MAX(REPEAT(kind, 2)), MIN(REPEAT(kind, 2))"
    " FROM e WHERE UPPER(kind) <> 'B' GROUP BY UPPER(kind)",
    "SELECT CASE WHEN id <> 0 THEN CAST(REPEAT('1', id) AS INT) END,"
    " CASE WHEN id > 5 THEN CAST(REPEAT('1', id) AS INT) END FROM e WHERE id BETWEEN 1 AND 9",
    "WITH g AS (SELECT kind, COUNT(*) AS n FROM e GROUP BY kind) SELECT x.kind, y.n FROM g AS x JOIN g AS y"
    " ON x.kind = y.kind AND x.n = y.n",
    "WITH w AS (SELECT window_start, window_end, kind, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts),"
    " INTERVAL '10' SECOND)) GROUP BY window_start, window_end, kind) SELECT a.window_start, a.kind, a.n FROM w a JOIN"
    " (SELECT window_start, window_end, MAX(n) AS n FROM w GROUP BY window_start, window_end) AS b"
    " ON a.window_start = b.window_start AND a.window_end = b.window_end AND a.n = b.n",
    "SELECT window_start, SUM(part) FROM TABLE(HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND))"
    " WHERE id > 3 OR window_end > TIMESTAMP '2026-01-01 00:00:20' GROUP BY window_start",
]


@pytest.fixture(scope="module")
def frame():
    chance = random.Random(7)
    count = 400
    start = pl.datetime(2026, 1, 1, time_unit="ms")
    seconds = [index / 8 + chance.uniform(-2, 2) + (-9 if chance.random() < 0.05 else 0) for index in range(count)]
    return pl.DataFrame(
        {
            "id": [chance.choice([None, *range(100)]) for _ in range(count)],
            "kind": [chance.choice([None, "a", "b", "c"]) for _ in range(count)],
            "amount": [chance.choice([None, f"{chance.uniform(-10, 10):.2f}"]) for _ in range(count)],
            "part": [chance.randrange(5) for _ in range(count)],
            "ms": [int(second * 1000) for second in seconds],
        },
        schema_overrides={"id": pl.Int32, "part": pl.Int16},
    ).select(
        "id",
        "kind",
        pl.col("amount").cast(pl.Decimal(8, 2)),
        "part",
        ts=start + pl.duration(milliseconds="ms", time_unit="ms"),
    )


@pytest.mark.parametrize("query", QUERIES)
def test_rules_keep_the_answer(query, frame, empty, answer):
    empty.run(TABLES)
    (tree, _, _) = next(iter(read_script(query)))
    plan = bind_query(BindContext(empty, {}, Positions(query)), tree)
    frames = {"e": frame}
    expected = answer(plan, frames, shares_scans=False)
    assert expected, "the query answers nothing: it would prove nothing"
    for rule in dict.fromkeys(rules.RULES):
        assert answer(rule(plan), frames) == expected, rule.__name__
    best = rules.optimised(plan)
    assert answer(best, frames) == expected
    assert rules.optimised(best) == best


@pytest.mark.parametrize(
    "function",
    [
        "TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '3' SECOND)",
        "HOP(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)",
        "CUMULATE(TABLE e, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND)",
    ],
    ids=["tumble", "hop", "cumulate"],
)
def test_grouping_windows_again_adds_up_to_grouping_once(function, frame, empty, answer):
    empty.run(TABLES)
    once = f"SELECT window_start, window_end, COUNT(*), SUM(part) FROM {function} GROUP BY window_start, window_end"
    again = (
        "SELECT window_start, window_end, SUM(n), SUM(p) FROM (SELECT window_start, window_end, kind, COUNT(*) AS n,"
        f" SUM(part) AS p FROM {function} GROUP BY window_start, window_end, kind) GROUP BY window_start, window_end"
    )
    expected = answer(empty.one(once).plan, {"e": frame})
    assert len(expected) > 4
    assert answer(empty.one(again).plan, {"e": frame}) == expected
