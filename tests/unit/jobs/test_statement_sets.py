"""Statement sets: several INSERTs as one job, each table read and decoded once for all of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from yeoul.engine.runtime.build import build
from yeoul.engine.runtime.settings import Settings
from yeoul.errors import UserError
from yeoul.jobs.job import Job
from yeoul.jobs.session import Session
from yeoul.plan.statements import StatementSet
from yeoul.planner.sql import bind, parse

ROWS = [{"user": f"u{n % 3}", "n": n, "ts": f"2024-01-01 00:{n // 60:02d}:{n % 60:02d}"} for n in range(600)]


def table(name: str, columns: str, path: Path) -> str:
    return f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');"


def declared(folder: Path) -> str:
    (folder / "rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in ROWS) + "not json\n")
    source = "`user` STRING, n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts"
    return (
        table("rows_in", source, folder / "rows.ndjson")
        + table("totals", "`user` STRING, total BIGINT", folder / "totals")
        + table("odd", "n BIGINT", folder / "odd")
        + table("windows", "at_time TIMESTAMP(3), n BIGINT", folder / "windows")
    )


INSERTS = """
  INSERT INTO totals SELECT `user`, SUM(n) FROM rows_in GROUP BY `user`;
  INSERT INTO odd SELECT n FROM rows_in WHERE n % 2 = 1 AND n IN (SELECT n FROM rows_in);
  INSERT INTO windows SELECT window_start, COUNT(*)
  FROM TABLE(TUMBLE(TABLE rows_in, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
"""


def written(path: Path) -> list[dict]:
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    "spelling", ["EXECUTE STATEMENT SET BEGIN {} END;", "BEGIN STATEMENT SET; {} END;"], ids=["execute", "begin"]
)
def test_each_table_is_read_once(tmp_path: Path, spelling: str) -> None:
    with Session() as session:
        list(session.execute(declared(tmp_path)))
        (job,) = session.execute(spelling.format(INSERTS))
        assert isinstance(job, Job)
        assert job.wait(60)
        progress = job.progress()
        assert (job.name, progress.records_in, progress.dead) == ("totals, odd, windows", len(ROWS) + 1, 1)
        assert session.sql("SELECT COUNT(*) FROM rows_in$dead").rows() == [(1,)]
    totals = Counter[str]()
    for row in ROWS:
        totals[str(row["user"])] += int(str(row["n"]))
    assert {row["user"]: row["total"] for row in written(tmp_path / "totals")} == totals
    assert sorted(row["n"] for row in written(tmp_path / "odd")) == list(range(1, 600, 2))
    assert [row["n"] for row in written(tmp_path / "windows")] == [60] * 10


def test_a_scan_reads_what_any_insert_needs_and_state_can_be_taken_over(tmp_path: Path) -> None:
    with Session() as session:
        list(session.execute(declared(tmp_path)))
        (parsed,) = parse(f"EXECUTE STATEMENT SET BEGIN {INSERTS} END")
        statement = bind(parsed, session.catalog, {})
    assert isinstance(statement, StatementSet)
    built = build(statement.plans, Settings())
    assert [scan.schema.names for scan in built.scans] == [("user", "n", "ts")]
    again = build(statement.plans, Settings())
    again.pipeline.restore(built.pipeline.snapshot())
    assert again.pipeline.snapshot().keys() == built.pipeline.snapshot().keys()


COUNTED = (
    "SELECT window_start AS s, COUNT(*) AS n, SUM(n) AS total FROM TABLE(TUMBLE(TABLE rows_in, DESCRIPTOR(ts),"
    " INTERVAL '1' MINUTE)) GROUP BY window_start, window_end"
)
COMMON = f"""
  INSERT INTO windows SELECT s, n FROM ({COUNTED}) WHERE total > 3000;
  INSERT INTO totals SELECT CAST(s AS STRING), total + n FROM ({COUNTED});
  INSERT INTO odd SELECT n FROM rows_in WHERE n < 3;
"""


def test_what_several_inserts_compute_alike_is_computed_once(tmp_path: Path) -> None:
    with Session() as session:
        list(session.execute(declared(tmp_path)))
        (parsed,) = parse(f"EXECUTE STATEMENT SET BEGIN {COMMON} END")
        once, apart = (
            bind(parsed, session.catalog, settings)
            for settings in ({}, {"table.optimizer.reuse-sub-plan-enabled": "false"})
        )
        assert isinstance(once, StatementSet)
        assert isinstance(apart, StatementSet)
        states = [build(one.plans, Settings()).pipeline.snapshot() for one in (once, apart)]
        assert [sum("TUMBLE" in name for name in state) for state in states] == [1, 2]
        text = "\n".join(str(row[0]) for row in session.sql(f"EXPLAIN STATEMENT SET BEGIN {COMMON} END").rows())
        assert text.count("#1 WindowAggregate(TUMBLE") == 1
        assert text.count("#1 (the same, computed once)") == 1
        (job,) = session.execute(f"EXECUTE STATEMENT SET BEGIN {COMMON} END;")
        assert isinstance(job, Job)
        assert job.wait(60)
    totals = [sum(range(start, start + 60)) for start in range(0, 600, 60)]
    assert [row["total"] for row in written(tmp_path / "totals")] == [total + 60 for total in totals]
    assert [row["n"] for row in written(tmp_path / "windows")] == [60] * sum(total > 3000 for total in totals)
    assert sorted(row["n"] for row in written(tmp_path / "odd")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("EXECUTE STATEMENT SET BEGIN END", "Expected INSERT INTO in a statement set"),
        ("EXECUTE STATEMENT SET BEGIN SELECT 1; END", "Expected INSERT INTO in a statement set, got 'SELECT'"),
        ("BEGIN STATEMENT SET; INSERT INTO odd SELECT 1 END", "Expected"),
        ("EXECUTE PLAN 'plan.json'", "EXECUTE PLAN is not supported yet"),
    ],
)
def test_what_is_no_statement_set_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(text)
