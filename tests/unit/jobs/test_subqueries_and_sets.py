"""Subqueries and set operations through a session: DuckDB's answers over random rows, settled and as changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.jobs.session import Session

QUERIES = [
    "SELECT id FROM o WHERE k IN (SELECT k FROM i)",
    "SELECT id FROM o WHERE k NOT IN (SELECT k FROM i)",
    "SELECT id FROM o WHERE k NOT IN (SELECT k FROM i WHERE k IS NOT NULL)",
    "SELECT id FROM o WHERE v NOT IN (SELECT w FROM i WHERE i.k = o.k)",
    "SELECT id FROM o WHERE NOT (k IN (SELECT k FROM i)) AND v > 1",
    "SELECT id FROM o WHERE (id, k) IN (SELECT w, k FROM i)",
    "SELECT id FROM o WHERE k IN (VALUES (1), (2))",
    "SELECT id FROM o WHERE k IN (SELECT k FROM i WHERE w IN (SELECT v FROM o))",
    "SELECT id FROM o WHERE k IN (SELECT k FROM i GROUP BY k HAVING COUNT(*) > 1)",
    "SELECT id FROM o WHERE k IN (SELECT DISTINCT k FROM i WHERE i.w = o.v)",
    "SELECT id FROM o WHERE k IN (SELECT k FROM i UNION SELECT v FROM o)",
    "SELECT id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.k = o.k AND w > 1)",
    "SELECT id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.k = o.k AND w < o.v)",
    "SELECT id FROM o WHERE NOT EXISTS (SELECT * FROM i WHERE i.k = o.k)",
    "SELECT id FROM o WHERE NOT EXISTS (SELECT 1 FROM i WHERE w > o.v)",
    "SELECT id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE w = 2)",
    "SELECT id FROM o WHERE NOT EXISTS (SELECT 1 FROM i WHERE w = 2) AND v > 0",
    "SELECT id FROM o WHERE v > (SELECT MAX(w) FROM i)",
    "SELECT id FROM o WHERE v >= (SELECT MIN(w) FROM i WHERE i.k = o.k)",
    "SELECT id FROM o WHERE (SELECT COUNT(*) FROM i WHERE i.k = o.k) > 1",
    "SELECT id, (SELECT MAX(w) FROM i WHERE i.k = o.k) AS m FROM o",
    "SELECT id, (SELECT COUNT(*) + 1 FROM i WHERE i.k = o.k) AS m FROM o",
    "SELECT id, (SELECT MAX(w) FROM i WHERE i.k = o.k HAVING COUNT(*) > 1) AS m FROM o",
    "SELECT id, k IN (SELECT k FROM i) AS m, v NOT IN (SELECT w FROM i WHERE i.k = o.k) AS n FROM o",
    "SELECT id FROM o WHERE k IN (SELECT k FROM i) OR v > 1",
    "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM i WHERE i.k = o.k) THEN 'y' ELSE 'n' END AS c FROM o",
    "SELECT k, SUM(v) AS s FROM o GROUP BY k HAVING SUM(v) > (SELECT MIN(w) FROM i)",
    "SELECT k, SUM(v) AS s FROM o GROUP BY k HAVING k NOT IN (SELECT k FROM i)",
    "SELECT k, COUNT(*) AS c, (SELECT MAX(w) FROM i WHERE i.k = o.k) AS m FROM o GROUP BY k",
    "SELECT a.id FROM o AS a JOIN i AS b ON a.k = b.k WHERE b.w >= (SELECT MIN(w) FROM i WHERE i.k = a.k)",
    "SELECT k, v FROM o UNION SELECT k, w FROM i",
    "SELECT k FROM o INTERSECT SELECT k FROM i",
    "SELECT k FROM o INTERSECT ALL SELECT k FROM i",
    "SELECT k FROM o EXCEPT SELECT k FROM i",
    "SELECT k FROM o EXCEPT ALL SELECT k FROM i",
    "SELECT k FROM o UNION ALL SELECT w FROM i EXCEPT SELECT 1 INTERSECT SELECT k FROM o",
    "SELECT k, SUM(v) AS s FROM o GROUP BY k INTERSECT SELECT k, MAX(w) FROM i GROUP BY k",
    "SELECT COUNT(*) AS c FROM (SELECT k FROM o EXCEPT SELECT k FROM i) WHERE k > 1 HAVING COUNT(*) > 0",
]
SMALL = st.sampled_from([1, 2, 3, None])


def frame(columns: Sequence[str], rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.Int64), orient="row")


def settled(rows: Sequence[tuple]) -> Counter:
    """What changes add up to; rows without a kind of change stand."""
    if not (rows and rows[0][0] in ("+I", "-U", "+U", "-D")):
        return Counter(rows)
    table: Counter = Counter()
    for kind, *row in rows:
        table[tuple(row)] += 1 if kind[0] == "+" else -1
        assert table[tuple(row)] >= 0
    return +table


@pytest.mark.parametrize("mode", ["automatic", "streaming"])
@given(st.lists(st.tuples(SMALL, SMALL), max_size=8), st.lists(st.tuples(SMALL, SMALL), max_size=8))
@settings(max_examples=4, deadline=None)
def test_answers_are_those_of_duckdb(mode, left, right):
    o = frame(["id", "k", "v"], [(number, *row) for number, row in enumerate(left)])
    i = frame(["k", "w"], right)
    for query in QUERIES:
        with Session({"o": o, "i": i}) as session:
            session.sql(f"SET 'execution.runtime-mode' = '{mode}'").close()
            assert settled(session.sql(query).rows()) == Counter(duckdb.sql(query).fetchall()), query


def test_a_view_with_a_subquery_may_stand_in_a_subquery():
    with Session({"o": frame(["id", "k"], [(1, 1), (2, 2)]), "i": frame(["k"], [(1,)])}) as session:
        session.sql("CREATE VIEW known AS SELECT id FROM o WHERE k IN (SELECT k FROM i)").close()
        assert session.sql("SELECT id FROM o WHERE id NOT IN (SELECT id FROM known)").rows() == [(2,)]
