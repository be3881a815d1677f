"""Triggers from the outside: what `execution.trigger` does to tables, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.errors import UserError
from yeoul.jobs.job import Job
from yeoul.jobs.session import Session

GROWING = """CREATE TABLE clicks (id BIGINT, action STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (
    'connector' = 'filesystem', 'path' = '{path}', 'source.monitor-interval' = '50 ms', 'format' = 'json')"""
COUNTED = "SELECT action, COUNT(*) AS n FROM clicks GROUP BY action ORDER BY action"
WINDOWED = """SELECT window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' SECOND))
    GROUP BY window_start, window_end ORDER BY window_end"""


@pytest.fixture
def clicks(tmp_path: Path) -> str:
    for part in range(3):
        lines = (
            f'{{"id":{n},"action":"{"ab"[n % 2]}","ts":"2026-01-01 00:00:{n % 60:02}"}}\n'
            for n in range(100 * part, 100 * part + 100)
        )
        (tmp_path / f"part-{part}.json").write_text("".join(lines))
    return GROWING.format(path=tmp_path)


@pytest.mark.parametrize("trigger", ["available-now", "once"])
@pytest.mark.parametrize("query", [COUNTED, WINDOWED])
def test_a_watched_folder_is_read_to_where_it_ends_with_the_answer_of_a_bounded_table(
    clicks: str, trigger: str, query: str
) -> None:
    with Session() as session:
        session.sql(clicks.replace("'source.monitor-interval' = '50 ms', ", ""))
        expected = session.sql(query).rows()
    with Session() as session:
        session.sql(clicks)
        session.set_option("execution.trigger", trigger)
        assert session.sql(query).rows() == expected


def test_what_is_known_of_the_folder_when_the_job_starts_is_all_that_it_reads(clicks: str, tmp_path: Path) -> None:
    with Session() as session:
        session.sql(clicks + "; SET 'execution.trigger' = 'available-now'")
        result = session.sql("SELECT id FROM clicks")
        first = result.next_batch()
        (tmp_path / "part-9.json").write_text('{"id":-1,"action":"late","ts":"2026-01-01 00:00:00"}\n')
        assert first is not None
        ids = first["id"].to_list()
        while (batch := result.next_batch()) is not None:
            ids += batch["id"].to_list()
    assert sorted(ids) == list(range(300))


def test_an_insert_under_a_trigger_that_ends_is_waited_for(clicks: str) -> None:
    with Session() as session:
        session.sql(clicks + "; SET 'execution.trigger' = 'once'")
        session.sql("CREATE TABLE gone (id BIGINT) WITH ('connector' = 'blackhole')")
        jobs = [one for one in session.execute("INSERT INTO gone SELECT id FROM clicks") if isinstance(one, Job)]
        assert [job.is_bounded for job in jobs] == [True]
        assert jobs[0].progress().rows_out == 300


def test_topics_end_at_their_latest_offset() -> None:
    with Session() as session:
        session.sql(
            "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'format' = 'json',"
            " 'properties.bootstrap.servers' = 'localhost:1', 'scan.startup.mode' = 'earliest-offset')"
        )
        streaming = session.sql("EXPLAIN SELECT COUNT(*) FROM t").rows()
        session.sql("SET 'execution.trigger' = 'available-now'")
        assert session.sql("EXPLAIN SELECT COUNT(*) FROM t").rows() != streaming


def test_a_table_without_an_end_is_refused_under_a_trigger_that_ends() -> None:
    with Session() as session:
        session.sql("CREATE TABLE made (a INT) WITH ('connector' = 'datagen'); SET 'execution.trigger' = 'once'")
        with pytest.raises(UserError, match="Table 'made' has no end to stop at: connector 'datagen'"):
            session.sql("SELECT a FROM made")


def test_explain_tells_that_a_round_is_netted_by_what_rows_were(clicks: str) -> None:
    keyed = """'connector' = 'upsert-kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:9',
        'key.format' = 'json', 'value.format' = 'json'"""
    asked = "EXPLAIN CHANGELOG INSERT INTO counts SELECT action, COUNT(*) FROM clicks GROUP BY action"
    with Session() as session:
        session.sql(clicks)
        session.sql(f"CREATE TABLE counts (action STRING, n BIGINT, PRIMARY KEY (action) NOT ENFORCED) WITH ({keyed})")
        assert "[I,UA]" in str(session.sql(asked).rows())
        session.sql("SET 'execution.trigger' = '5 s'")
        assert "[I,UB,UA]" in str(session.sql(asked).rows())


@pytest.mark.parametrize("text", ["sometimes", "availablenow", "5 parsecs"])
def test_an_unknown_trigger_is_refused(text: str) -> None:
    with Session() as session, pytest.raises(UserError, match=r"Option 'execution.trigger': Expected 'as-fast"):
        session.set_option("execution.trigger", text)


def test_alignment_takes_group_and_drift_together_only() -> None:
    with Session() as session, pytest.raises(UserError, match=r"'scan.watermark.alignment.group' needs the option"):
        session.sql("CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'scan.watermark.alignment.group' = 'g')")
