"""What a reader of a shared aggregate is told is what one of its own would tell it, change by change."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from tests.pipeline_runs import Fed, Query, bind_query

from yeoul.errors import UserError
from yeoul.plan.nodes import Aggregate, WindowAggregate, readers_of, walk

EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "40"))
pytestmark = pytest.mark.timeout(60 + 3 * EXAMPLES)
APART = "SET 'table.optimizer.reuse-sub-plan-enabled' = 'false';"
SOURCE = """
SET 'execution.runtime-mode' = 'streaming';
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
CREATE TABLE t (k STRING, v INT, w INT, r ROW<a INT, b STRING>, ts TIMESTAMP(3), twice AS v * 2,
  loud AS UPPER(k), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND);
"""
UPSERTS = (
    "'connector' = 'upsert-kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:9',"
    " 'key.format' = 'json', 'value.format' = 'json'"
)
SINKS = {
    "print": "CREATE TABLE {} (k STRING, n BIGINT) WITH ('connector' = 'print');",
    "upserts": "CREATE TABLE {} (k STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH (" + UPSERTS + ");",
}
WINDOWS = {
    "": "",
    "tumble": "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '4' SECOND)",
    "hop": "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '6' SECOND)",
    "cumulate": "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '6' SECOND)",
    "session": "SESSION(TABLE t PARTITION BY {key}, DESCRIPTOR(ts), INTERVAL '3' SECOND)",
}
CALLS = [
    *("COUNT(*)", "COUNT(v)", "SUM(v)", "MAX(w)", "MIN(r.a)", "SUM(twice)", "COUNT(DISTINCT w)", "MAX(r.a + w)"),
    *(
        "COUNT(*) FILTER (WHERE v > 2)",
        "SUM(w) FILTER (WHERE r.b = 'x')",
        "CAST(AVG(v) AS BIGINT)",
        "CHAR_LENGTH(MAX(r.b))",
    ),
]
CONDITIONS = ["", "WHERE v > 1", "WHERE r.b <> 'y'", "WHERE loud <> 'B'"]


@st.composite
def inserts(draw: st.DrawFn, window: str, condition: str, number: int) -> str:
    key = draw(st.sampled_from(["k", "k", "k", "loud"]))
    call, where = draw(st.sampled_from(CALLS)), draw(st.sampled_from([condition, condition, *CONDITIONS]))
    having = draw(st.sampled_from(["", "", "HAVING COUNT(*) > 1"]))
    if not window:
        return f"INSERT INTO s{number} SELECT {key}, {call} FROM t {where} GROUP BY {key} {having};"
    source, by = f"TABLE({WINDOWS[window].format(key=key)})", f"GROUP BY {key}, window_start, window_end"
    return f"INSERT INTO s{number} SELECT {key}, {call} FROM {source} {where} {by} {having};"


@st.composite
def sets(draw: st.DrawFn) -> tuple[str, str]:
    """Declarations, and the INSERTs of a statement set over one table."""
    window = draw(st.sampled_from(["", "", *WINDOWS]))
    count = draw(st.integers(2, 3))
    is_bounded = draw(st.integers(0, 3)) == 0
    sinks = "".join(
        SINKS["print" if window or is_bounded else draw(st.sampled_from([*SINKS]))].format(f"s{number}")
        for number in range(count)
    )
    mode = "SET 'execution.runtime-mode' = 'automatic';" if is_bounded else ""
    ttl = draw(st.sampled_from(["", "", "SET 'table.exec.state.ttl' = '1 h';"]))
    early = "SET 'table.exec.emit.early-fire.enabled' = 'true'; SET 'table.exec.emit.early-fire.delay' = '0 s';"
    emits = early if window in ("tumble", "hop") and draw(st.booleans()) else ""
    condition = draw(st.sampled_from(CONDITIONS))
    body = " ".join(draw(inserts(window, condition, number)) for number in range(count))
    return f"{SOURCE} {mode} {ttl} {emits} {sinks}", body


ROWS = st.tuples(
    st.sampled_from(["a", "A", "b", None]),
    st.integers(0, 4) | st.none(),
    st.integers(0, 2),
    st.tuples(st.integers(0, 2) | st.none(), st.sampled_from(["x", "y"])),
    st.integers(0, 30),
)


def frame(rows: list[tuple]) -> pl.DataFrame:
    row = pl.Struct({"a": pl.Int32, "b": pl.String})
    columns = {
        "k": pl.Series([one[0] for one in rows], dtype=pl.String),
        "v": pl.Series([one[1] for one in rows], dtype=pl.Int32),
        "w": pl.Series([one[2] for one in rows], dtype=pl.Int32),
        "r": pl.Series([dict(zip("ab", one[3], strict=True)) for one in rows], dtype=row),
        "ts": pl.Series([one[4] * 1_000 for one in rows], dtype=pl.Datetime("ms")),
    }
    return pl.DataFrame(columns)


def told(query: Query, batches: list[list[tuple]], restores: frozenset[int]) -> list[list[tuple]]:
    """Returns what a sink is told at the beginning, of each batch, and at the end."""
    run = query.fresh()
    steps = [run.start()]
    for place, rows in enumerate(batches):
        if place in restores:
            state, run = run.snapshot(), query.fresh()
            steps.append(run.restore(state))
        steps.append(run.feed(Fed("t", frame(rows))))
    steps.append(run.end())
    return [[row for one in step for row in one.rows()] for step in steps]


def groupings(query: Query) -> int:
    nodes = {id(node): node for plan in query.plan for node in walk(plan)}
    shared = readers_of(*query.plan)
    return sum(isinstance(node, Aggregate | WindowAggregate) for place, node in nodes.items() if place in shared)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sets(),
    st.lists(st.lists(ROWS, min_size=1, max_size=8), max_size=5),
    st.frozensets(st.integers(0, 4), max_size=2),
    st.booleans(),
)
@example(
    (
        SOURCE + SINKS["print"].format("s0") + SINKS["upserts"].format("s1"),
        "INSERT INTO s0 SELECT k, COUNT(*) FROM t GROUP BY k; INSERT INTO s1 SELECT k, MAX(v) FROM t GROUP BY k;",
    ),
    [[("a", 3, 0, (0, "x"), 1), ("b", 1, 0, (0, "x"), 1)], [("a", 2, 0, (0, "x"), 2)], [("b", 4, 0, (0, "x"), 3)]],
    frozenset({1}),
    False,
)
def test_sinks_are_told_the_same_by_one_aggregate_as_by_several(case, batches, restores, spills):
    declarations, body = case
    statement = f"EXECUTE STATEMENT SET BEGIN {body} END"
    try:
        one, several = bind_query(declarations, statement), bind_query(APART + declarations, statement)
    except UserError as refused:
        event(f"refused: {refused.message}")
        return
    event(f"{groupings(several)} aggregates become {groupings(one)}")
    if spills:
        one, several = (
            replace(each, settings=replace(each.settings, state_memory_bytes=2_000)) for each in (one, several)
        )
    for plan in one.plan:
        name = plan.table.name
        given_by_one, given_by_several = (told(each.into(name), batches, restores) for each in (one, several))
        if spills:  # how rows wait for state on the disk depends on how much of it there is
            by_key = bool(plan.table.primary_key)
            given_by_one, given_by_several = (left(each, by_key) for each in (given_by_one, given_by_several))
        assert given_by_one == given_by_several


def left(steps: list[list[tuple]], by_key: bool) -> Counter:
    """Returns what is left of changes when they are carried out, where `by_key` by their first column, the key."""
    rows: Counter = Counter()
    latest: dict[object, tuple] = {}
    for mark, *row in (one if one[0] in MARKS else ("+I", *one) for step in steps for one in step):
        is_gone = mark in ("-U", "-D")
        rows[tuple(row)] += -1 if is_gone else 1
        latest.pop(row[0], None)
        if not is_gone:
            latest[row[0]] = tuple(row)
    return Counter(latest.values()) if by_key else +rows


MARKS = ("+I", "-U", "+U", "-D")


@pytest.mark.parametrize(
    ("one", "other", "aggregates"),
    [
        ("SELECT k, COUNT(*) FROM t GROUP BY k", "SELECT k, SUM(v) FROM t GROUP BY k", 1),
        ("SELECT r.b, SUM(r.a) FROM t GROUP BY r.b", "SELECT r.b, COUNT(*) FROM t GROUP BY r.b", 1),
        ("SELECT k, SUM(v) FROM t GROUP BY k", "SELECT k, SUM(v) FROM t WHERE v > 1 GROUP BY k", 2),
        ("SELECT k, COUNT(*) FROM t GROUP BY k", "SELECT loud, SUM(v) FROM t GROUP BY loud", 2),
        ("SELECT k, COUNT(*) FROM t GROUP BY k", "SELECT k, SUM(v) FROM t WHERE RAND() < 2 GROUP BY k", 2),
        ("SELECT k, COUNT(*) FROM t GROUP BY k", "SELECT /*+ STATE_TTL('t' = '1 d') */ k, SUM(v) FROM t GROUP BY k", 2),
    ],
    ids=["columns", "fields of a row", "conditions", "keys", "chance", "time to live"],
)
def test_aggregates_that_differ_in_columns_alone_are_one(one, other, aggregates):
    sinks = "".join(SINKS["print"].format(name) for name in ("s0", "s1"))
    declarations = f"{SOURCE} {sinks}"
    statement = f"EXECUTE STATEMENT SET BEGIN INSERT INTO s0 {one}; INSERT INTO s1 {other}; END"
    assert groupings(bind_query(declarations, statement)) == aggregates
