"""A table that a query names twice is read once, equal parts are computed once, and neither changes an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yeoul.engine.runtime.build import build
from yeoul.engine.runtime.settings import Settings
from yeoul.jobs.session import Session
from yeoul.planner.sql import bind, parse

ROWS = 600
GROUPS = "WITH g AS (SELECT k, COUNT(*) AS n FROM e GROUP BY k)"
SAME_TWICE = f"{GROUPS} SELECT a.k, b.n FROM g AS a JOIN g AS b ON a.k = b.k AND a.n = b.n"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    path = tmp_path / "e.ndjson"
    path.write_text("".join(json.dumps({"id": n, "k": n % 3}) + "\n" for n in range(ROWS)))
    made = Session()
    made.sql(f"CREATE TABLE e (id INT, k INT) WITH ('connector' = 'filesystem', 'format' = 'json', 'path' = '{path}')")
    return made


def stages(session: Session, query: str) -> list[str]:
    (parsed,) = parse(query)
    pipeline = build(bind(parsed, session.catalog, session.settings).plan, Settings()).pipeline  # type: ignore[union-attr]
    return sorted(name.partition("/")[2] or name for name in pipeline.snapshot())


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT COUNT(*) FROM (SELECT a.id FROM e AS a JOIN e AS b ON a.id = b.id WHERE a.k = 1)", [(200,)]),
        ("SELECT SUM(id) FROM (SELECT id FROM e WHERE k = 0 UNION ALL SELECT 1 FROM e WHERE k = 1)", [(59900,)]),
        ("SELECT id FROM (SELECT id FROM e LIMIT 1) UNION ALL SELECT CAST(COUNT(*) AS INT) FROM e", [(0,), (ROWS,)]),
        (SAME_TWICE, [(0, 200), (1, 200), (2, 200)]),
    ],
)
def test_a_table_is_read_once_unless_the_session_says_otherwise(session: Session, query: str, rows: object) -> None:
    shared = session.sql(query)
    assert sorted(shared.rows()) == rows
    assert shared.job is not None
    assert shared.job.progress().records_in == ROWS
    session.sql("SET 'table.optimizer.reuse-source-enabled' = 'false'")
    apart = session.sql(query)
    assert sorted(apart.rows()) == rows


def test_equal_parts_are_one_stage_unless_the_session_says_otherwise(session: Session) -> None:
    assert sum(name.startswith("GROUP BY") for name in stages(session, SAME_TWICE)) == 1
    session.sql("SET 'table.optimizer.reuse-sub-plan-enabled' = 'false'")
    assert sum(name.startswith("GROUP BY") for name in stages(session, SAME_TWICE)) == 2
    session.sql("RESET 'table.optimizer.reuse-sub-plan-enabled'")
    chance = SAME_TWICE.replace("FROM e", "FROM e WHERE RAND() >= 0")
    assert sum(name.startswith("GROUP BY") for name in stages(session, chance)) == 2


def test_explain_says_which_settings_change_nothing(session: Session) -> None:
    session.sql("SET 'table.optimizer.agg-phase-strategy' = 'ONE_PHASE'")
    lines = [str(line) for (line,) in session.sql("EXPLAIN SELECT k, COUNT(*) FROM e GROUP BY k").rows()]
    assert lines[-1].startswith(
        "'table.optimizer.agg-phase-strategy' = 'ONE_PHASE' changes nothing. Aggregation has two"
    )
