"""Any small query answers the same with all rules and with none, its tables read once or once each."""

from __future__ import annotations

import os

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from yeoul.planner import rules
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.queries import bind_query
from yeoul.planner.dialects.flink.dialect import read_script
from yeoul.planner.positions import Positions

TABLES = """
CREATE TABLE t (a INT, b INT, s STRING) WITH ('connector' = 'frame');
CREATE VIEW v AS SELECT a, b + 1 AS b, UPPER(s) AS s FROM t WHERE b <> 2;
CREATE VIEW g AS SELECT a, COUNT(*) AS b, MAX(s) AS s FROM t GROUP BY a;
"""
EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "25"))

numbers = st.sampled_from(
    ["x.a", "x.b", "1", "x.a + x.b", "COALESCE(x.a, 7)", "CHAR_LENGTH(UPPER(x.s))", "CASE WHEN x.b > 1 THEN x.a END"]
)
texts = st.sampled_from(["x.s", "'B'", "UPPER(x.s)", "UPPER(x.s) || 'x'", "COALESCE(NULL, x.s, 'z')"])
comparisons = st.sampled_from(["=", "<>", "<", ">="])


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 6 if depth else 3))
    match kind:
        case 0:
            return f"{draw(numbers)} {draw(comparisons)} {draw(numbers)}"
        case 1:
            return f"{draw(texts)} {draw(comparisons)} {draw(texts)}"
        case 2:
            return draw(
                st.sampled_from(["TRUE", "FALSE", "1 < 2", "x.s IS NULL", "x.a IN (1, 3)", "x.a BETWEEN 1 AND 2"])
            )
        case 3:
            return draw(st.sampled_from(["x.a = NULL", "x.b IS NOT NULL", "x.s LIKE 'a%'", "NOT (x.a > 1)"]))
        case _:
            word = draw(st.sampled_from(["AND", "AND", "OR"]))
            return f"({draw(conditions(depth - 1))} {word} {draw(conditions(depth - 1))})"


@st.composite
def sources(draw: st.DrawFn, depth: int) -> str:
    if not depth or draw(st.booleans()):
        return draw(st.sampled_from(["t", "v", "g"]))
    return f"({draw(queries(depth - 1))})"


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> str:
    """A query with columns a, b and s."""
    where = f" WHERE {draw(conditions())}" if draw(st.booleans()) else ""
    of = f"FROM {draw(sources(depth))} AS x"
    match draw(st.integers(0, 4)):
        case 0:
            return f"SELECT CAST(x.a AS INT) AS a, CAST(COUNT(*) AS INT) AS b, MAX(x.s) AS s {of}{where} GROUP BY x.a"
        case 1:
            kind = draw(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]))
            other = f"{draw(sources(depth - 1 if depth else 0))} AS y"
            return f"SELECT x.a, CAST(y.b AS INT) AS b, y.s {of} {kind} {other} ON x.a = y.a{where}"
        case 2:
            word = draw(st.sampled_from(["UNION ALL", "INTERSECT", "EXCEPT"]))
            one = f"SELECT x.a, CAST(x.b AS INT) AS b, x.s {of}{where}"
            return f"{one} {word} SELECT a, CAST(b AS INT), s FROM {draw(sources(depth - 1 if depth else 0))}"
        case 3:
            inner = draw(sources(depth - 1 if depth else 0))
            more = "AND" if where else "WHERE"
            return f"SELECT x.a, CAST(x.b AS INT) AS b, x.s {of}{where} {more} x.a IN (SELECT a FROM {inner})"
        case _:
            return f"SELECT {draw(numbers)} AS a, CAST({draw(numbers)} AS INT) AS b, {draw(texts)} AS s {of}{where}"


FRAME = pl.DataFrame(
    {"a": [1, 2, 2, 3, None, 1, 4], "b": [1, 2, 3, None, 5, 1, 2], "s": ["a", "B", None, "ab", "c", "a", "B"]},
    schema={"a": pl.Int32, "b": pl.Int32, "s": pl.String},
)


@pytest.fixture
def tables(empty):
    empty.run(TABLES)
    return empty


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(queries())
@example(
    "SELECT x.a, y.b, y.s FROM t AS x JOIN (SELECT * FROM t WHERE a IN (SELECT a FROM t)) AS y"
    " ON x.a = y.a WHERE x.a = x.a"
)
@example(
    "SELECT x.a, COUNT(*) AS b, 'B' AS s FROM (SELECT x.a FROM (SELECT y.a FROM t AS x RIGHT JOIN t AS y"
    " ON x.a = y.a) AS x RIGHT JOIN t AS y ON x.a = y.a) AS x WHERE x.a = x.a GROUP BY x.a"
)
@example(
    "SELECT x.a, CAST(y.b AS INT) AS b, y.s FROM (SELECT x.a, CAST(y.b AS INT) AS b, y.s FROM t AS x FULL JOIN g AS y"
    " ON x.a = y.a) AS x FULL JOIN t AS y ON x.a = y.a WHERE NOT (x.a > 1) AND CHAR_LENGTH(UPPER(x.s)) = x.a + x.b"
)
@example(
    "SELECT x.a, COUNT(*) AS b, MAX(x.s) AS s FROM (SELECT x.a AS a, CHAR_LENGTH(UPPER(x.s)) AS b, x.s FROM t AS x)"
    " AS x WHERE CHAR_LENGTH(UPPER(x.s)) = CASE WHEN x.b > 1 THEN x.a END OR UPPER(x.s) || 'x' = x.s GROUP BY x.a"
)
def test_all_rules_answer_as_none(tables, answer, query):
    (tree, _, _) = next(iter(read_script(query)))
    plan = bind_query(BindContext(tables, {}, Positions(query)), tree)
    best = rules.optimised(plan)
    assert answer(best, {"t": FRAME}) == answer(plan, {"t": FRAME}, shares_scans=False)
    assert rules.optimised(best) == best
