"""Sessions: statements that see each other, options, frames as tables, jobs that end with their session."""

from __future__ import annotations

import contextlib
import gc
import json
import re
import threading
import weakref
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import yeoul
from yeoul.errors import UserError
from yeoul.jobs.job import Job, JobStatus
from yeoul.jobs.result import Result
from yeoul.jobs.session import Done, Explained, Session

FOREVER = "CREATE TABLE ticks (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');"


@pytest.fixture
def clicks() -> pl.DataFrame:
    return pl.DataFrame({"user": ["ann", "bob", "ann"], "ms": [12, 7, None]})


def files(path: Path) -> str:
    return f"'connector' = 'filesystem', 'path' = '{path}', 'format' = 'json'"


def single(session: Session, text: str) -> object:
    (outcome,) = session.execute(text)
    return outcome


def events_table(tmp_path: Path, *rows: tuple[str, str], watermark: str = "ts") -> str:
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps({"user": user, "ts": ts}) + "\n" for user, ts in rows))
    return (
        f"CREATE TABLE events (`user` STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS {watermark}) "
        f"WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');"
    )


def test_a_later_statement_sees_what_an_earlier_one_made(clicks: pl.DataFrame) -> None:
    result = yeoul.sql(
        "CREATE VIEW anns AS SELECT * FROM clicks WHERE user = 'ann'; SELECT ms FROM anns", clicks=clicks
    )
    assert result.rows() == [(12,), (None,)]


def test_the_last_select_is_the_result_even_if_something_follows(clicks: pl.DataFrame) -> None:
    result = yeoul.sql("SELECT 1 AS a; SELECT user FROM clicks LIMIT 1; SHOW TABLES", clicks=clicks)
    assert result.schema.names == ("user",)
    assert result.rows() == [("ann",)]


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: frame,
        lambda frame: frame.lazy(),
        lambda frame: frame.to_arrow(),
        lambda frame: frame.to_pandas(),
        lambda frame: pa.RecordBatchReader.from_batches(frame.to_arrow().schema, frame.to_arrow().to_batches()),
        lambda frame: frame.to_dicts(),
        lambda frame: frame.to_dict(as_series=False),
    ],
    ids=["polars", "lazy", "arrow", "pandas", "arrow stream", "rows", "columns"],
)
def test_frames_of_every_kind_are_tables(clicks: pl.DataFrame, make: object) -> None:
    given = make(clicks)  # type: ignore[operator]
    expected = [("ann", 12), ("bob", 7), ("ann", None)]
    assert yeoul.sql("SELECT user, CAST(ms AS BIGINT) FROM t", t=given).rows() == expected
    again = make(clicks)  # type: ignore[operator]
    assert yeoul.sql("SELECT user, CAST(ms AS BIGINT) FROM t", {"t": again}).rows() == expected


def test_pandas_keeps_its_times(clicks: pl.DataFrame) -> None:
    frame = pd.DataFrame({"at": pd.to_datetime(["2024-01-01 10:00:00"])})
    assert yeoul.sql("SELECT YEAR(at) AS y FROM t", t=frame).rows() == [(2024,)]


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(UserError, match="Table 't'"):
        yeoul.sql("SELECT * FROM t", t=7)  # type: ignore[arg-type]


def test_a_frame_can_be_declared_with_a_watermark() -> None:
    frame = pl.DataFrame({"k": ["a", "a", "b"], "at": [0, 30_000, 90_000]}).with_columns(
        pl.col("at").cast(pl.Datetime("ms"))
    )
    result = yeoul.sql(
        """
        CREATE TABLE t (k STRING, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'frame');
        SELECT window_start, k, COUNT(*) AS n FROM TUMBLE(TABLE t, DESCRIPTOR(at), INTERVAL '1' MINUTE)
        GROUP BY window_start, window_end, k
        """,
        t=frame,
    )
    assert [(start.minute, k, n) for start, k, n in result.pl().sort("window_start").rows()] == [
        (0, "a", 2),
        (1, "b", 1),
    ]


def test_results_in_every_shape(clicks: pl.DataFrame) -> None:
    with Session({"clicks": clicks}) as session:
        result = session.sql("SELECT user, ms FROM clicks")
        assert result.pl().equals(clicks)
        assert result.arrow().num_rows == 3
        assert result.rows()[0] == ("ann", 12)
        assert pl.concat(list(result)).equals(clicks)
        assert str(result.schema["ms"].type) == "BIGINT"


def test_no_rows_keep_their_types(clicks: pl.DataFrame) -> None:
    empty = yeoul.sql("SELECT user, ms, CAST(ms AS DOUBLE) AS d FROM clicks WHERE ms > 100", clicks=clicks).pl()
    assert empty.schema == {"user": pl.String, "ms": pl.Int64, "d": pl.Float64}
    assert empty.height == 0


def test_rows_that_never_end_are_read_as_they_come_and_stop_when_closed() -> None:
    with yeoul.sql(FOREVER + "SELECT n FROM ticks") as result:
        assert not result.is_bounded
        first = next(iter(result))
        assert first.height > 0
        job = result.job
        assert job is not None
        assert job.status is JobStatus.RUNNING
    assert job.status is JobStatus.CANCELED
    assert result.next_batch() is None


def test_rows_that_never_end_are_not_collected() -> None:
    with yeoul.sql(FOREVER + "SELECT n FROM ticks") as result, pytest.raises(UserError, match="never ends"):
        result.pl()


def test_a_limit_makes_it_end() -> None:
    assert len(yeoul.sql(FOREVER + "SELECT n FROM ticks LIMIT 5").rows()) == 5


def test_a_result_that_nobody_holds_stops_its_job() -> None:
    result = yeoul.sql(FOREVER + "SELECT n FROM ticks")
    result.next_batch()
    job = result.job
    assert job is not None
    del result
    gc.collect()
    assert job.status is JobStatus.CANCELED


def test_nothing_in_time_is_told_apart_from_the_end(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = (
        "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json', "
        "'source.monitor-interval' = '1 s'); SELECT * FROM t"
    )
    with yeoul.sql(text.format(tmp_path / "in")) as result, pytest.raises(TimeoutError):
        result.next_batch(timeout_s=0.05)


def test_interrupting_a_wait_stops_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    result = yeoul.sql(FOREVER + "SELECT n FROM ticks")
    result.next_batch()
    job = result.job
    assert job is not None

    def interrupted(timeout_s: float | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(result._rows, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        result.next_batch()
    assert job.status is JobStatus.CANCELED


def test_an_error_of_the_job_keeps_its_form_and_its_rows_before_it() -> None:
    frame = pl.DataFrame({"s": ["1", "x"]})
    result = yeoul.sql("SELECT CAST(s AS INT) AS n FROM t", t=frame)
    for _ in range(2):
        with pytest.raises(UserError, match="'x'"):
            result.pl()
    assert result.job is not None
    assert result.job.status is JobStatus.FAILED


def test_rows_read_by_iteration_cannot_be_collected_any_more(clicks: pl.DataFrame) -> None:
    result = yeoul.sql("SELECT * FROM clicks", clicks=clicks)
    assert next(iter(result)).height == 3
    with pytest.raises(UserError, match="read by iteration"):
        result.pl()


def test_an_insert_says_how_many_rows_it_wrote(tmp_path: Path, clicks: pl.DataFrame) -> None:
    target = f"CREATE TABLE out_ (name STRING, n BIGINT) WITH ({files(tmp_path / 'out')});"
    assert yeoul.sql(target + "INSERT INTO out_ SELECT user, ms FROM clicks", clicks=clicks).rows() == [(3,)]
    assert yeoul.sql(target + "SELECT name, n FROM out_").rows() == [("ann", 12), ("bob", 7), ("ann", None)]


def test_a_bounded_insert_is_done_before_the_next_statement(tmp_path: Path, clicks: pl.DataFrame) -> None:
    with Session({"clicks": clicks}) as session:
        session.sql(f"CREATE TABLE o (name STRING) WITH ({files(tmp_path / 'o')})")
        outcomes = session.execute("INSERT INTO o SELECT user FROM clicks; SELECT name FROM o")
        job = next(outcomes)
        assert isinstance(job, Job)
        result = next(outcomes)
        assert job.status is JobStatus.FINISHED
        assert isinstance(result, Result)
        assert len(result.rows()) == 3


def test_an_endless_insert_goes_on_beside_what_follows_and_ends_with_its_session() -> None:
    session = Session()
    text = (
        FOREVER
        + "CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole');"
        + "INSERT INTO sink SELECT n FROM ticks; SELECT 1"
    )
    jobs = [outcome for outcome in session.execute(text) if isinstance(outcome, Job)]
    assert [job.status for job in jobs] == [JobStatus.RUNNING]
    session.close()
    assert [job.status for job in jobs] == [JobStatus.CANCELED]


SINK = "CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole');"


def test_an_endless_insert_runs_on_when_nobody_holds_its_result_or_its_session() -> None:
    def started() -> weakref.ref[Job]:
        session = Session()
        result = session.sql(FOREVER + SINK + "INSERT INTO sink SELECT n FROM ticks")
        assert result.job is not None
        return weakref.ref(result.job)

    jobs = [started(), weakref.ref(yeoul.sql(FOREVER + SINK + "INSERT INTO sink SELECT n FROM ticks").job)]
    gc.collect()
    for each in jobs:
        job = each()
        assert job is not None
        assert job.status is JobStatus.RUNNING
        job.cancel()


def test_the_failure_of_an_insert_that_nobody_holds_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with Session() as session:
        result = session.sql(FOREVER + SINK + "INSERT INTO sink SELECT 1 / (n - n) FROM ticks")
        job = result.job
        assert job is not None
        del result
        gc.collect()
        with contextlib.suppress(UserError):
            job.wait(20)
    assert [record.message for record in caplog.records] == [f"Job 'sink' failed: {job.failure}"]


def test_a_query_keeps_its_session() -> None:
    result = Session({"n": pl.DataFrame({"a": [1, 2]})}).sql("SELECT a FROM n")
    gc.collect()
    assert result.rows() == [(1,), (2,)]


def test_a_reader_learns_that_its_query_was_cancelled_from_elsewhere() -> None:
    session = Session()
    result = session.sql(FOREVER + "SELECT n FROM ticks")
    result.next_batch()
    session.close()
    with pytest.raises(UserError, match="cancelled before its last row"):
        list(result)


def test_closing_a_session_frees_a_job_that_waits_for_its_reader() -> None:
    frame = pl.DataFrame({"n": range(4_000_000)})
    session = Session({"t": frame})
    result = session.sql("SELECT n, n AS a, n AS b, n AS c, n AS d FROM t")
    result.next_batch()
    closing = threading.Thread(target=session.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_late_and_dead_rows_are_tables_of_the_session(tmp_path: Path) -> None:
    create = events_table(
        tmp_path, ("a", "2024-01-01 10:00:01"), ("b", "2024-01-01 10:05:00"), ("late", "2024-01-01 10:00:02")
    )
    with (tmp_path / "events.ndjson").open("a") as file:
        file.write("{broken\n")
    with Session() as session:
        session.sql(create)
        counted = session.sql(
            "SELECT COUNT(*) AS n FROM TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE) "
            "GROUP BY window_start, window_end"
        )
        assert counted.rows() == [(1,), (1,)]
        progress = counted.progress()
        assert progress is not None
        assert (progress.late, progress.dead, progress.rows_out) == (1, 1, 2)
        assert session.sql("SELECT `user` FROM events$late").rows() == [("late",)]
        ((reason, text, raw),) = session.sql("SELECT reason, text, raw FROM events$dead").rows()
        assert "JSON" in str(reason)
        assert (text, raw) == ("{broken", b"{broken")
        assert session.sql("SELECT `user` FROM events$late WHERE `user` = 'x'").rows() == []


def test_side_streams_stay_where_the_state_directory_is_given(tmp_path: Path) -> None:
    create = events_table(tmp_path)
    (tmp_path / "events.ndjson").write_text("oops\n")
    with Session(state_directory=tmp_path / "state") as session:
        assert session.sql(create + "SELECT * FROM events").rows() == []
    with Session(state_directory=tmp_path / "state") as session:
        assert session.sql(create + "SELECT text FROM events$dead").rows() == [("oops",)]


def test_a_temporary_state_directory_goes_with_the_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = yeoul.sql("SELECT 1 AS a")
    assert len(list(tmp_path.iterdir())) == 1
    assert result.rows() == [(1,)]
    assert list(tmp_path.iterdir()) == []


def test_set_is_checked_listed_and_reset() -> None:
    with Session() as session:
        session.sql("SET 'table.local-time-zone' = 'Asia/Seoul'")
        assert session.local_time_zone == "Asia/Seoul"
        assert session.sql("SET").rows() == [("table.local-time-zone", "Asia/Seoul")]
        session.sql("RESET 'table.local-time-zone'")
        assert session.local_time_zone == "UTC"
        assert session.sql("SET").rows() == []


def test_an_option_without_effect_says_so() -> None:
    with Session() as session:
        done = single(session, "SET 'table.exec.mini-batch.enabled' = 'true'")
    assert done == Done("OK, without effect: Batches form by themselves.")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("SET 'table.local-time-zon' = 'UTC'", "Unknown option 'table.local-time-zon' in SET", "table.local-time-zone"),
        ("SET 'table.local-time-zone' = 'Mars'", "'Mars'", ""),
        ("SET 'table.dml-sync' = 'maybe'", "Expected 'true' or 'false', got 'maybe'", ""),
        (
            "SET 'execution.runtime-mode' = 'micro-batch'",
            "Expected 'automatic', 'streaming' or 'batch', got 'micro-batch'",
            "",
        ),
        ("RESET 'table.dml-snyc'", "Unknown option 'table.dml-snyc' in RESET", "table.dml-sync"),
    ],
)
def test_a_wrong_option_is_refused(text: str, message: str, hint: str) -> None:
    with Session() as session:
        with pytest.raises(UserError) as raised:
            session.sql(text)
        assert session.settings == {}
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_show_and_describe_and_explain(tmp_path: Path) -> None:
    with Session() as session:
        session.sql(events_table(tmp_path) + "CREATE VIEW v AS SELECT `user` FROM events")
        assert session.sql("SHOW TABLES").rows() == [("events",), ("v",)]
        assert session.sql("SHOW VIEWS").rows() == [("v",)]
        described = session.sql("DESCRIBE events")
        assert described.schema.names == ("name", "type", "null", "key", "extras", "watermark")
        assert described.rows() == [
            ("user", "STRING", "TRUE", None, None, None),
            ("ts", "TIMESTAMP(3) *ROWTIME*", "TRUE", None, None, "ts"),
        ]
        explained = single(session, "EXPLAIN SELECT * FROM v")
        assert isinstance(explained, Explained)
        assert "Scan(table events, connector filesystem)" in explained.text


def test_ddl_says_what_it_did_and_a_failed_one_changes_nothing(tmp_path: Path) -> None:
    create = events_table(tmp_path)
    with Session() as session:
        assert single(session, create) == Done("Table events created")
        with pytest.raises(UserError, match="There is a table named 'events' already"):
            session.sql(create)
        assert single(session, "DROP TABLE IF EXISTS nothing") == Done("Table nothing was not there")
        assert single(session, "DROP TABLE events") == Done("Table events dropped")
        assert session.catalog.tables() == []


def test_statements_before_a_wrong_one_are_carried_out(clicks: pl.DataFrame) -> None:
    with Session({"clicks": clicks}) as session:
        with pytest.raises(UserError):
            session.sql("CREATE VIEW v AS SELECT 1 AS a; SELECT nope FROM clicks")
        assert session.catalog.views() == ["v"]


def test_a_closed_session_says_so() -> None:
    session = Session()
    session.close()
    session.close()
    with pytest.raises(UserError, match="This session is closed"):
        session.sql("SELECT 1")


def test_an_unreadable_file_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(yeoul.YeoulError, match="nowhere"):
        yeoul.sql(f"CREATE TABLE t (a INT) WITH ({files(tmp_path / 'nowhere')}); SELECT * FROM t").rows()


def test_jobs_of_one_session_set_rows_aside_at_the_same_time(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(20):
        (tmp_path / "in" / f"{number}.ndjson").write_text("{broken\n" * 50)
    with Session() as session:
        session.sql(f"CREATE TABLE t (a INT) WITH ({files(tmp_path / 'in')})")
        session.sql("CREATE TABLE o (a INT) WITH ('connector' = 'blackhole'); SET 'table.dml-sync' = 'false'")
        jobs = [job for job in session.execute("INSERT INTO o SELECT a FROM t;" * 4) if isinstance(job, Job)]
        assert all(job.wait(60) for job in jobs)
        assert len(jobs) == 4
        assert sum(job.progress().dead for job in jobs) == 4_000
        assert len(session.sql("SELECT reason FROM t$dead").rows()) == 4_000


def test_explain_names_what_holds_a_running_job_and_what_it_remembers() -> None:
    text = """
        CREATE TABLE clock (n BIGINT, ts AS LOCALTIMESTAMP, WATERMARK FOR ts AS ts)
        WITH ('connector' = 'datagen', 'rows-per-second' = '1000');
        CREATE TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole');
        INSERT INTO nowhere SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE clock, DESCRIPTOR(ts), INTERVAL '1' HOUR))
        GROUP BY window_start, window_end
    """
    with Session() as session:
        job = list(session.execute(text))[-1]
        assert isinstance(job, Job)
        assert any(job.progress().held_by or job.wait(0.01) for _ in range(2_000))
        told = single(session, "EXPLAIN WATERMARK SELECT * FROM clock")
        assert isinstance(told, Explained)
        assert told.text.splitlines()[-1].startswith("Job 'nowhere', running: split ")
        assert any(job.progress().state_bytes or job.wait(0.01) for _ in range(2_000))
        remembered = single(session, "EXPLAIN STATE SELECT * FROM clock")
        assert isinstance(remembered, Explained)
        assert re.search(r"\nJob 'nowhere', running: TUMBLE.* takes \d.* in memory$", remembered.text)


def test_explain_state_tells_a_hint_only_where_state_is_forgotten() -> None:
    with Session() as session:
        query = "EXPLAIN STATE SELECT /*+ STATE_TTL('s' = '1 h') */ n, COUNT(*) FROM s GROUP BY n"
        session.sql("SET 'table.exec.state.ttl' = '2 h'; CREATE TABLE s (n INT) WITH ('connector' = 'datagen')")
        endless = single(session, query)
        session.sql("DROP TABLE s; CREATE TABLE s (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5')")
        ending = single(session, query)
        session.sql("SET 'execution.runtime-mode' = 'streaming'")
        as_stream = single(session, query)
    assert isinstance(endless, Explained)
    assert isinstance(ending, Explained)
    assert isinstance(as_stream, Explained)
    assert "dropped when untouched for 3600000 ms" in endless.text
    assert "dropped when untouched" not in ending.text
    assert "dropped when untouched for 3600000 ms" in as_stream.text


def test_a_time_that_python_has_not_is_said_to_be_none_and_reads_as_text() -> None:
    with Session() as session:
        with pytest.raises(UserError, match="none of Python's") as raised:
            session.sql("SELECT DATE '0001-01-01' - INTERVAL '1' YEAR AS d").rows()
        assert "CAST it to STRING" in raised.value.hint
        text = session.sql("SELECT CAST(DATE '0001-01-01' - INTERVAL '1' YEAR AS STRING) AS d").rows()
    assert text == [("0000-01-01",)]


def test_a_frame_is_a_table_of_the_current_database() -> None:
    with Session() as session:
        session.sql("CREATE DATABASE shop; USE shop").close()
        rows = session.sql("SELECT a FROM shop.sales", sales={"a": [1]}).rows()
        assert session.sql("USE default_database; SHOW TABLES").rows() == []
    assert rows == [(1,)]


def test_a_job_is_stopped_by_its_name() -> None:
    with Session() as session:
        made = """
            CREATE TABLE endless (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1');
            CREATE TABLE nowhere (a INT) WITH ('connector' = 'blackhole');
            INSERT INTO nowhere SELECT a FROM endless
        """
        *_, job = session.execute(made)
        with pytest.raises(UserError, match="No job named 'nowher' runs") as raised:
            session.sql("STOP JOB 'nowher'")
        assert raised.value.hint == "Did you mean 'nowhere'?"
        assert session.sql("STOP JOB 'nowhere'").rows() == [("Job nowhere stopped",)]
        assert isinstance(job, Job)
        assert job.status is JobStatus.CANCELED
        assert session.sql("SHOW JOBS").rows() == []


def test_a_case_may_have_a_thousand_branches() -> None:
    branches = " ".join(f"WHEN x = {n} THEN {n * n}" for n in range(1_000))
    with Session({"t": {"x": [7, 999, -1]}}) as session:
        assert session.sql(f"SELECT CASE {branches} END AS y FROM t").rows() == [(49,), (998_001,), (None,)]
