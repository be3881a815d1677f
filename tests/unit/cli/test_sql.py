"""`yeoul sql` as a process: files and topics to answers, INSERTs and their progress, side tables, early ends."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from tests.unit.cli.processes import command, environment, wait_until, yeoul, yeoul_here

from yeoul.units import format_count

EVENTS = [
    ("ann", "view", 10, "2024-01-01 10:00:01"),
    ("bob", "buy", 20, "2024-01-01 10:00:30"),
    ("cat", "view", 30, "2024-01-01 10:00:40"),
    ("ann", "view", 40, "2024-01-01 10:01:10"),
    ("dan", "view", 50, "2024-01-01 10:05:00"),
    ("late", "view", 60, "2024-01-01 10:00:05"),
]
COLUMNS = "`user` STRING, action STRING, ms BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
WINDOWS = """
SELECT window_start, action, COUNT(*) AS n, AVG(ms) AS avg_ms
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, action;
"""
ANSWER = {
    ("2024-01-01 10:00:00", "view", 2, 20),
    ("2024-01-01 10:00:00", "buy", 1, 20),
    ("2024-01-01 10:01:00", "view", 1, 40),
    ("2024-01-01 10:05:00", "view", 1, 50),
}


def lines() -> str:
    names = ("user", "action", "ms", "ts")
    rows = [json.dumps(dict(zip(names, event, strict=True))) for event in EVENTS]
    return "\n".join([*rows[:3], "{not json", *rows[3:], ""])


@pytest.fixture
def on_file(tmp_path: Path) -> str:
    path = tmp_path / "events.ndjson"
    path.write_text(lines())
    return f"CREATE TABLE events ({COLUMNS}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');"


def on_topic(name: str, topic: str, bootstrap: str, columns: str = COLUMNS, more: str = "") -> str:
    return (
        f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json', "
        f"'properties.bootstrap.servers' = '{bootstrap}', 'scan.startup.mode' = 'earliest-offset'{more});"
    )


BOUNDED = ", 'scan.bounded.mode' = 'latest-offset'"


def test_a_file_gives_its_windows_as_json(on_file: str) -> None:
    done = yeoul("sql", "-e", on_file + WINDOWS, "--format", "json")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {tuple(row.values()) for row in rows} == ANSWER
    assert len(rows) == len(ANSWER)


def test_a_file_gives_its_windows_as_csv_from_a_file_of_statements(on_file: str, tmp_path: Path) -> None:
    (tmp_path / "query.sql").write_text(on_file + WINDOWS)
    done = yeoul("sql", "-f", str(tmp_path / "query.sql"), "--format", "csv")
    assert done.code == 0, done.err
    header, *rows = csv.reader(io.StringIO(done.out))
    assert header == ["window_start", "action", "n", "avg_ms"]
    assert {(start, action, int(n), int(ms)) for start, action, n, ms in rows} == ANSWER


def test_a_file_gives_its_windows_as_a_table_from_standard_input(on_file: str) -> None:
    done = yeoul("sql", stdin=on_file + WINDOWS)
    assert done.code == 0, done.err
    rule, header, *rest = done.out.splitlines()
    assert set(rule) == {"+", "-"}
    assert header == "| window_start            | action | n | avg_ms |"
    assert "| 2024-01-01 10:00:00.000 | view   | 2 |     20 |" in rest
    assert rest[-1] == "4 rows in set"
    assert "Table events created" in done.err


def test_late_and_dead_rows_can_be_asked_for_in_the_same_session(on_file: str) -> None:
    asked = "SELECT `user`, ms, late_window_end FROM events$late; SELECT reason, text FROM events$dead;"
    done = yeoul("sql", "-e", on_file + WINDOWS, "-e", asked, "--format", "json")
    assert done.code == 0, done.err
    late, dead = (json.loads(line) for line in done.out.splitlines()[-2:])
    assert late == {"user": "late", "ms": 60, "late_window_end": "2024-01-01 10:01:00"}
    assert dead["text"] == "{not json"
    assert dead["reason"]
    assert "Left out: 1 unreadable in events$dead, 1 late in events$late" in done.err


def test_a_topic_gives_the_same_answer_as_the_file(bootstrap: str) -> None:
    assert yeoul("topics", "create", "clicks", "-b", bootstrap).code == 0
    assert yeoul("produce", "clicks", "-b", bootstrap, stdin=lines()).code == 0
    text = on_topic("events", "clicks", bootstrap, more=BOUNDED) + WINDOWS
    done = yeoul("sql", "-e", text, "-e", "SELECT text FROM events$dead", "--format", "json")
    assert done.code == 0, done.err
    *rows, dead = (json.loads(line) for line in done.out.splitlines())
    assert {tuple(row.values()) for row in rows} == ANSWER
    assert dead == {"text": "{not json"}


def test_an_insert_into_a_topic_is_read_back(bootstrap: str, on_file: str) -> None:
    target = on_topic("hits", "hits", bootstrap, "`user` STRING, ms BIGINT", BOUNDED)
    text = on_file + target + "INSERT INTO hits SELECT `user`, ms FROM events WHERE ms > 15;"
    done = yeoul("sql", "-e", text)
    assert done.code == 0, done.err
    last = done.err.splitlines()[-1]
    assert last.startswith("INSERT INTO hits: finished | rows in 6 (")
    assert "| out 5 | watermark 2024-01-01 10:04:55.000 | lag 0 | late 0 | dead 1" in last
    back = yeoul("sql", "-e", target + "SELECT `user`, ms FROM hits", "--format", "json")
    assert sorted(json.loads(line)["ms"] for line in back.out.splitlines()) == [20, 30, 40, 50, 60]
    consumed = yeoul("consume", "hits", "--from-beginning", "--until-end", "-b", bootstrap)
    assert sorted(consumed.out.splitlines()) == sorted(back.out.splitlines())


@contextmanager
def at_a_terminal(*arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command whose three streams are a terminal, and our end of that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(["sql", *arguments]), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**variables)
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def shown_at(terminal: int, until: bytes | None = None) -> bytes:
    """What a terminal shows, up to a text or to its end."""
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while (until is None or until not in shown) and (data := os.read(terminal, 4096)):
            shown += data
    return shown


@contextmanager
def running(*arguments: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command(["sql", *arguments]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=cwd
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def told_by(stream: IO[bytes], text: bytes) -> None:
    """Reads lines up to one with a text."""
    assert any(text in line for line in iter(stream.readline, b""))


FOREVER = "CREATE TABLE ticks (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_endless_rows_come_as_they_are_made_and_a_signal_ends_them(number: signal.Signals, code: int) -> None:
    with running("-e", FOREVER + "SELECT n FROM ticks") as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(10)]
        assert first[1].startswith(b"| ")
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
        assert process.returncode == code
        assert rest.rstrip().endswith(b"rows so far")
        assert b"Traceback" not in errors


def test_one_more_ctrl_c_does_not_wait_for_a_function_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(
        "import sys, time, yeoul\n"
        "def hang(n):\n"
        "    print('called', file=sys.stderr, flush=True)\n"
        "    time.sleep(1000)\n"
        "hang = yeoul.udf(hang, result_type='BIGINT')\n"
    )
    text = "CREATE FUNCTION hang AS 'hanging.hang' LANGUAGE PYTHON; SELECT hang(n) FROM ticks"
    with running("-e", FOREVER + text, cwd=tmp_path) as process:
        assert process.stderr is not None
        told_by(process.stderr, b"called")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        told_by(process.stderr, b"Ctrl-C leaves at once")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_an_endless_insert_tells_its_progress_until_ctrl_c(bootstrap: str) -> None:
    text = FOREVER + on_topic("out_", "ticks", bootstrap, "n BIGINT") + "INSERT INTO out_ SELECT n FROM ticks"
    with running("-e", text) as process:
        wait_until(lambda: "ticks" in yeoul("topics", "list", "-b", bootstrap).out, "rows in the topic")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert errors.decode().splitlines()[-1].startswith("INSERT INTO out_: canceled | rows in ")


SUMS = """CREATE TABLE sums (k INT, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH (
  'connector' = 'upsert-kafka', 'topic' = 'sums', 'properties.bootstrap.servers' = '{}', 'key.format' = 'json',
  'value.format' = 'json', 'scan.bounded.mode' = 'latest-offset');"""


def test_a_round_that_is_stopped_gives_what_was_taken_and_a_job_that_starts_again_the_rest(
    bootstrap: str, tmp_path: Path
) -> None:
    count = 900_000
    (tmp_path / "numbers.json").write_text("".join(f'{{"k":{n % 10},"n":{n}}}\n' for n in range(count)))
    numbers = f"'connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'json'"
    watched = f"CREATE TABLE numbers (k INT, n BIGINT) WITH ({numbers}, 'source.monitor-interval' = '1 s');"
    insert = f"{SUMS.format(bootstrap)} INSERT INTO sums SELECT k, COUNT(*), SUM(n) FROM numbers GROUP BY k;"

    with at_a_terminal("--trigger", "1 h", "-e", watched + insert, TERM="xterm", COLUMNS="300") as (process, terminal):
        shown_at(terminal, b"rows in ")
        process.send_signal(signal.SIGINT)
        shown = shown_at(terminal).decode()
        assert process.wait(60) == 130
    told = re.findall(r"canceled [|] rows in (.*?) [(]", shown)[-1]
    assert format_count(taken(bootstrap)) == told

    with at_a_terminal("--trigger", "1 h", XDG_STATE_HOME=str(tmp_path)) as (process, terminal):
        os.write(terminal, f"{watched} {insert}\nSTOP JOB 'sums'; SHOW JOBS;\nexit\n".encode())
        assert b"Job sums stopped" in shown_at(terminal)
        assert process.wait(60) == 0
    taken(bootstrap)

    yeoul_here("sql", "--trigger", "once", "-e", watched + insert)
    assert taken(bootstrap) == count


def taken(bootstrap: str) -> int:
    """How many of the numbers were counted, the first ones, each once."""
    if "sums" not in yeoul_here("topics", "list", "-b", bootstrap).out.split():
        return 0
    done = yeoul_here("sql", "-e", SUMS.format(bootstrap) + "SELECT n, total FROM sums", "--format", "json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    count = sum(row["n"] for row in rows)
    assert sum(row["total"] for row in rows) == count * (count - 1) // 2
    return count


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with running("-e", FOREVER + "SELECT n FROM ticks", "--format", "csv") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"n\n"
        process.stdout.close()
        assert process.wait(30) == 0
        assert b"Error" not in process.stderr.read()


def test_an_error_ends_the_run_and_shows_where(on_file: str) -> None:
    done = yeoul("sql", "-e", on_file + "\nSELECT usr\nFROM events;\nSELECT 1")
    assert done.code == 1
    assert done.out == ""
    assert done.err.endswith(
        "error: Unknown column 'usr' in table 'events' (line 2, column 8)\n"
        "  2 | SELECT usr\n"
        "    |        ^\n"
        "hint: Did you mean 'user'?\n"
    )


def test_a_failing_job_is_an_error_with_its_reason(tmp_path: Path) -> None:
    done = yeoul("sql", "-e", "SELECT CAST(s AS INT) AS n FROM (VALUES ('1'), ('x')) AS t(s)")
    assert done.code == 1
    assert "error: " in done.err
    assert "'x'" in done.err
    assert "Traceback" not in done.err


def test_a_job_that_fails_beside_an_endless_select_ends_both() -> None:
    beside = (
        "CREATE TABLE o (n BIGINT) WITH ('connector' = 'blackhole'); SET 'table.dml-sync' = 'false';"
        "INSERT INTO o SELECT 1 / (n - n) FROM ticks;"
    )
    with running("-e", FOREVER + beside + "SELECT n FROM ticks", "--format", "json") as process:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert b"error: " in errors
        assert b"Traceback" not in errors


def test_progress_is_redrawn_at_a_terminal_and_ends_with_what_became_of_the_job() -> None:
    text = FOREVER + "CREATE TABLE o (n BIGINT) WITH ('connector' = 'blackhole'); INSERT INTO o SELECT n FROM ticks"
    with at_a_terminal("-e", text, TERM="xterm") as (process, terminal):
        shown_at(terminal, b"INSERT INTO o: running | rows in ")
        process.send_signal(signal.SIGINT)
        last = shown_at(terminal)
        assert process.wait(30) == 130
    assert b"INSERT INTO o: canceled | rows in " in last
    assert b"| dead 0" in last


def test_the_prompt_runs_statements_and_keeps_its_history(tmp_path: Path) -> None:
    with at_a_terminal(XDG_STATE_HOME=str(tmp_path)) as (process, terminal):
        os.write(terminal, b"SELECT 40 + 2\nAS answer;\nSELECT nope;\nexit\n")
        shown = shown_at(terminal)
        assert process.wait(60) == 0
    assert b"|     42 |" in shown
    assert b"error: " in shown
    assert "AS answer;" in (tmp_path / "yeoul" / "sql_history").read_text()
