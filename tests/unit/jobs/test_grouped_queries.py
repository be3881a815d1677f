"""GROUP BY and aggregates over input that ends, through a session: DuckDB's answers, late and dead rows counted."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

import yeoul
from yeoul.jobs.result import Result
from yeoul.jobs.session import Session

QUERIES = [
    "SELECT COUNT(*) FROM t",
    "SELECT COUNT(*), COUNT(n), SUM(n), MIN(k), MAX(x), COUNT(DISTINCT k), COUNT(DISTINCT n) FROM t",
    "SELECT COUNT(*), SUM(n), MIN(n), MAX(k), COUNT(DISTINCT n) FROM t WHERE n > 1000000",
    "SELECT k, COUNT(*), SUM(n), MIN(x), MAX(x) FROM t GROUP BY k",
    "SELECT k, n, COUNT(*) FROM t GROUP BY k, n",
    "SELECT UPPER(k), COUNT(*) + 1, SUM(n) * 2 FROM t GROUP BY UPPER(k)",
    "SELECT COUNT(*) FROM t GROUP BY k",
    "SELECT k, COUNT(*) FILTER (WHERE n > 0), SUM(n) FILTER (WHERE x > 0.5 AND k <> 'a') FROM t GROUP BY k",
    "SELECT k, SUM(n) FROM t GROUP BY k HAVING COUNT(*) > 300 AND k <> 'b'",
    "SELECT COUNT(*) FROM t HAVING COUNT(*) > 1000000",
    "SELECT n > 0, COUNT(*) FROM t WHERE k IS NOT NULL GROUP BY n > 0",
    "SELECT u, COUNT(*), MAX(n) FROM t GROUP BY u",
    "SELECT c, COUNT(*) FROM (SELECT u, COUNT(*) AS c FROM t GROUP BY u) AS per_user GROUP BY c",
    "SELECT COUNT(*) FROM (SELECT k FROM t UNION ALL SELECT u FROM t UNION ALL SELECT 'one' AS k) AS every",
    "SELECT k, SUM(c) FROM (SELECT k, COUNT(*) AS c FROM t GROUP BY k UNION ALL SELECT u, n FROM t) AS e GROUP BY k",
    "WITH few AS (SELECT k, n FROM t WHERE n < 3) SELECT k, COUNT(DISTINCT n) FROM few GROUP BY k",
    "SELECT k, COUNT(*) FROM positive GROUP BY k",
    "SELECT DISTINCT k FROM t",
    "SELECT DISTINCT k, n FROM t WHERE n IS NULL OR n > 2",
    "SELECT DISTINCT COUNT(*) > 300 FROM t GROUP BY k",
    "SELECT COUNT(*) FROM (SELECT DISTINCT u FROM t) AS users",
    "SELECT COUNT(*), SUM(n) FROM nothing",
    "SELECT k, COUNT(*), SUM(n) FROM nothing GROUP BY k",
    "SELECT x, COUNT(*) FROM (VALUES (1), (2), (2)) AS v(x) GROUP BY x",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of some megabytes, so that there are many batches, read by several threads."""
    chance, folder = random.Random(3), tmp_path_factory.mktemp("rows")
    for number in range(3):
        rows = (
            {
                "k": chance.choice(["a", "b", "c", None, "a name that is longer than twelve bytes"]),
                "u": f"user number {chance.randrange(5_000)}",
                "n": chance.choice([None, *range(-5, 6)]),
                "x": chance.choice([None, 0.25, 0.5, 7.75]),
            }
            for _ in range(12_000)
        )
        (folder / f"{number}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def session(folder: Path) -> Iterator[Session]:
    with Session() as session:
        list(
            session.execute(
                f"""
                CREATE TABLE t (k STRING, u STRING, n BIGINT, x DOUBLE)
                WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'json');
                CREATE VIEW nothing AS SELECT * FROM t WHERE n > 1000000;
                CREATE VIEW positive AS SELECT * FROM t WHERE n > 0;
                """
            )
        )
        yield session


@pytest.mark.parametrize("query", QUERIES)
def test_answers_are_those_of_duckdb(query: str, session: Session, folder: Path) -> None:
    oracle = duckdb.connect()
    oracle.execute(
        f"CREATE VIEW t AS SELECT * FROM read_json('{folder}/*.ndjson',"
        " columns = {k: 'VARCHAR', u: 'VARCHAR', n: 'BIGINT', x: 'DOUBLE'})"
    )
    oracle.execute("CREATE VIEW nothing AS SELECT * FROM t WHERE n > 1000000")
    oracle.execute("CREATE VIEW positive AS SELECT * FROM t WHERE n > 0")
    expected = oracle.execute(query).fetchall()
    assert sorted(session.sql(query).rows(), key=repr) == sorted(expected, key=repr)


def test_a_grouped_query_ends_and_is_written_like_any_other(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    (_, job) = session.execute(
        "CREATE TABLE out (k STRING, n BIGINT)"
        f" WITH ('connector' = 'filesystem', 'path' = '{target}', 'format' = 'json');"
        "INSERT INTO out SELECT k, COUNT(*) FROM t WHERE k IS NOT NULL GROUP BY k"
    )
    job.wait(60)  # type: ignore[union-attr]
    written = [json.loads(line) for line in target.read_text().splitlines()]
    assert sorted((row["k"], row["n"]) for row in written) == sorted(
        session.sql("SELECT k, COUNT(*) FROM t WHERE k IS NOT NULL GROUP BY k").rows()
    )


def test_a_limit_bounds_what_is_below_and_cuts_what_is_above(session: Session) -> None:
    ticks = "CREATE TABLE ticks (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100000');"
    assert session.sql(ticks + "SELECT COUNT(*) FROM (SELECT n FROM ticks LIMIT 700)").rows() == [(700,)]
    assert session.sql("SELECT COUNT(*) FROM ticks /*+ OPTIONS('number-of-rows' = '30') */").rows() == [(30,)]
    assert len(session.sql("SELECT u, COUNT(*) FROM t GROUP BY u LIMIT 7").rows()) == 7
    with session.sql("SELECT COUNT(*) FROM ticks") as endless:
        assert endless.schema.names[0] == "op"


def test_late_and_dead_rows_can_be_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"k": "ab"[n % 2], "ts": f"2024-01-01 10:{n:02}:00"}) for n in range(10)]
    lines += ["oops", json.dumps({"k": "a", "ts": "2024-01-01 10:00:30"}), '{"k": 1}', "again"]
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(lines))
    with Session() as session:
        before = f"""
        CREATE TABLE events (k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
        WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');
        """
        list(session.execute(before))
        assert session.sql("SELECT COUNT(*) FROM events$late").rows() == [(0,)]
        windows = session.sql(
            "SELECT window_start, COUNT(*) FROM TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
            " GROUP BY window_start, window_end"
        ).rows()
        assert len(windows) == 10
        assert session.sql("SELECT COUNT(*) FROM events$late").rows() == [(1,)]
        assert session.sql("SELECT k, COUNT(*) FROM events$late GROUP BY k").rows() == [("a", 1)]
        dead = session.sql("SELECT reason, COUNT(*) AS n FROM events$dead GROUP BY reason").rows()
        assert sum(int(str(n)) for _, n in dead) == session.sql("SELECT COUNT(*) FROM events$dead").rows()[0][0] >= 2


def test_rows_of_windows_are_grouped_by_anything_and_none_is_late() -> None:
    """A row counts in its window whenever it comes, where the windows are keys like any other."""
    minutes = pl.DataFrame({"k": ["a", "b", "a", "b"], "at": [0, 65_000, 130_000, 5_000]}).with_columns(
        pl.col("at").cast(pl.Datetime("ms"))
    )
    create = "CREATE TABLE t (k STRING, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'frame');"
    tumble = "TUMBLE(TABLE t, DESCRIPTOR(at), INTERVAL '1' MINUTE)"

    def answer(query: str) -> list[tuple[object, ...]]:
        result = yeoul.sql(create + query, t=minutes)
        assert isinstance(result, Result)
        return sorted(result.rows(), key=repr)

    by_start = answer(f"SELECT MINUTE(window_start), COUNT(*) FROM {tumble} GROUP BY window_start")
    assert by_start == [(0, 2), (1, 1), (2, 1)]
    assert answer(f"SELECT COUNT(*), COUNT(DISTINCT window_end) FROM {tumble}") == [(4, 3)]
    of_windows = f"SELECT k, COUNT(*) AS n FROM {tumble} GROUP BY window_start, window_end, k"
    assert answer(f"SELECT k, COUNT(*), SUM(n) FROM ({of_windows}) GROUP BY k") == [("a", 2, 2), ("b", 1, 1)]
