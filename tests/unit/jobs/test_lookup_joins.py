"""Lookup joins: rows beside what a table outside says, asked once a key, kept as its options say."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from yeoul.clock import ManualClock
from yeoul.engine.contract import WEIGHT, CacheBounds
from yeoul.engine.operators.joins.lookup import LookedUpValue, LookupJoin
from yeoul.engine.state.memory import StateMemory
from yeoul.errors import UserError
from yeoul.jobs.result import Result
from yeoul.jobs.session import Session

ORDERS = pl.DataFrame({"id": [1, 2, 3, 4], "k": [10, 20, None, 99], "v": [5, 6, 7, 8]})
USERS = [(10, "ann", 4), (20, "bob", 9), (20, "ben", 1), (30, "cid", 2)]
DECLARED = "(k BIGINT, name STRING, w BIGINT)"


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory) -> Iterator[str]:
    """The address of a PostgreSQL of our own, where there is one on this machine."""
    pytest.importorskip("adbc_driver_postgresql")
    place = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path("/usr/bin")]
    if not (place[-1] / "initdb").exists():
        pytest.skip("PostgreSQL is not installed")
    home = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path may have 107 bytes
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(home, user)

    def run(*command: str) -> None:
        subprocess.run([place[-1] / command[0], *command[1:]], check=True, user=user, cwd=home, capture_output=True)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run("initdb", "-D", f"{home}/data", "-A", "trust", "-U", "yeoul", "--no-sync")
    options = f"-k {home} -c listen_addresses=127.0.0.1 -p {port} -c fsync=off"
    run("pg_ctl", "-D", f"{home}/data", "-o", options, "-l", f"{home}/log", "-w", "start")
    yield f"//127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", f"{home}/data", "stop", "-m", "immediate")
    shutil.rmtree(home)


@pytest.fixture(params=["sqlite", "duckdb", "postgresql", "frame", "filesystem"])
def session(request: pytest.FixtureRequest, tmp_path: Path):
    declared = DECLARED
    options = f"'connector' = 'jdbc', 'url' = 'jdbc:{request.param}:{tmp_path}/users.db', 'table-name' = 'users'"
    if request.param == "postgresql":
        address = request.getfixturevalue("postgresql")
        from adbc_driver_postgresql import dbapi

        with (
            dbapi.connect(f"postgresql:{address}?user=yeoul", autocommit=True) as database,
            database.cursor() as cursor,
        ):
            cursor.execute("drop table if exists users")
            cursor.execute("create table users (k integer, name varchar(9), w numeric(10, 2))")
            cursor.execute(f"insert into users values {', '.join(map(str, USERS))}")
        options = f"'connector' = 'jdbc', 'url' = 'jdbc:postgresql:{address}', 'table-name' = 'public.users'"
        options += ", 'username' = 'yeoul', 'password' = 'unused', 'lookup.max-retries' = '0'"
        declared = DECLARED.replace("w BIGINT", "w DECIMAL(10, 0)")
    if request.param == "sqlite":
        options += ", 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '1000'"
        with sqlite3.connect(tmp_path / "users.db") as connection:
            connection.execute("create table users (k integer, name text, w integer)")
            connection.executemany("insert into users values (?, ?, ?)", USERS)
        connection.close()
    elif request.param == "duckdb":
        with duckdb.connect(tmp_path / "users.db") as database:
            database.execute("create table users (k bigint, name varchar, w bigint)")
            database.executemany("insert into users values (?, ?, ?)", USERS)
    elif request.param == "filesystem":
        pl.DataFrame(USERS, schema=["k", "name", "w"], orient="row").write_parquet(tmp_path / "users.parquet")
        options = f"'connector' = 'filesystem', 'path' = '{tmp_path}/users.parquet', 'format' = 'parquet'"
        declared = "(k BIGINT, name STRING, w BIGINT, at AS TO_TIMESTAMP_LTZ(w, 3), WATERMARK FOR at AS at)"
    frames = {"o": ORDERS}
    if request.param == "frame":
        frames["users"] = pl.DataFrame(USERS, schema=["k", "name", "w"], orient="row")
    with Session(frames) as made:
        if request.param != "frame":
            list(made.execute(f"CREATE TABLE users {declared} WITH ({options})"))
        list(made.execute("CREATE VIEW orders AS SELECT *, PROCTIME() AS p FROM o"))
        yield made


def rows_of(session: Session, query: str) -> list[tuple[object, ...]]:
    (result,) = session.execute(query)
    assert isinstance(result, Result)
    return sorted(result.rows(), key=repr)


def test_each_row_stands_beside_the_rows_of_its_key(session):
    query = "SELECT o.id, u.name FROM orders AS o {} JOIN users FOR SYSTEM_TIME AS OF o.p AS u ON o.k = u.k"
    assert rows_of(session, query.format("")) == [(1, "ann"), (2, "ben"), (2, "bob")]
    assert rows_of(session, query.format("LEFT")) == [(1, "ann"), (2, "ben"), (2, "bob"), (3, None), (4, None)]


def test_conditions_beside_the_key_decide_who_is_a_partner(session):
    query = (
        "SELECT o.id, u.w, u.k FROM orders AS o LEFT JOIN users FOR SYSTEM_TIME AS OF o.p AS u"
        " ON o.k = u.k AND u.w < o.v AND u.name <> 'ann'"
    )
    assert rows_of(session, query) == [(1, None, None), (2, 1, 20), (3, None, None), (4, None, None)]


def test_what_stands_between_the_table_and_the_join_is_done_to_the_rows_found(session):
    list(session.execute("CREATE VIEW light AS SELECT UPPER(name) AS big, k + 0 AS kk, k FROM users WHERE w < 5"))
    query = "SELECT o.id, u.big, u.kk FROM orders AS o LEFT JOIN light FOR SYSTEM_TIME AS OF o.p AS u ON o.k = u.k"
    assert rows_of(session, query) == [(1, "ANN", 10), (2, "BEN", 20), (3, None, None), (4, None, None)]
    with pytest.raises(UserError, match="A lookup needs a key"):
        rows_of(session, query.replace("u.k", "u.kk"))


class Counting:
    """A table that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        self.asked.append(keys["k"].to_list())
        return pl.DataFrame({"k": [1, 2, 2], "name": ["a", "b", "c"]}).join(keys, on="k", how="semi")


def operator(
    lookup: Counting, clock: ManualClock, bounds: CacheBounds, memory: StateMemory | None = None
) -> LookupJoin:
    values = [LookedUpValue("n", pl.col("name"), pl.String())]
    return LookupJoin(
        lookup,
        {"k": pl.col("i")},
        {"k": pl.Int64(), "name": pl.String()},
        values,
        None,
        keeps_left=True,
        output=["i", "n"],
        clock=clock,
        bounds=bounds,
        memory=memory,
    )


def test_a_batch_asks_for_each_key_once_and_found_rows_are_kept_for_their_time():
    lookup, clock = Counting(), ManualClock()
    running = operator(lookup, clock, CacheBounds(100, after_write_ms=1_000))
    batch = pl.DataFrame({"i": [2, 1, 2, 7, None], WEIGHT: [1, 1, -1, 1, 1]})
    (given,) = running.process(0, batch).batches
    assert given.rows() == [
        (2, "b", 1),
        (2, "c", 1),
        (1, "a", 1),
        (2, "b", -1),
        (2, "c", -1),
        (7, None, 1),
        (None, None, 1),
    ]
    running.process(0, batch)
    assert lookup.asked == [[2, 1, 7]]
    clock.advance_ms(1_000)
    running.process(0, batch)
    assert lookup.asked == [[2, 1, 7], [2, 1, 7]]


def test_without_a_cache_every_batch_asks_anew():
    lookup = Counting()
    running = operator(lookup, ManualClock(), CacheBounds())
    for _ in range(2):
        running.process(0, pl.DataFrame({"i": [1, 1]}))
    assert lookup.asked == [[1], [1]]


def asked_for(bounds: CacheBounds, batches: list[tuple[int, list[int]]]) -> list[list[int]]:
    """What a table is asked when batches of keys come, each so long after the one before."""
    lookup, clock = Counting(), ManualClock()
    running = operator(lookup, clock, bounds)
    for passed_ms, keys in batches:
        clock.advance_ms(passed_ms)
        running.process(0, pl.DataFrame({"i": keys}, schema={"i": pl.Int64}))
    return lookup.asked


def test_the_memory_of_the_jobs_state_bounds_what_is_kept():
    lookup, memory = Counting(), StateMemory(1 << 20)
    running = operator(lookup, ManualClock(), CacheBounds(1_000_000), memory)
    for start in range(0, 60_000, 6_000):
        running.process(0, pl.DataFrame({"i": range(start, start + 6_000)}))
        assert memory.used_bytes <= memory.limit_bytes
    running.process(0, pl.DataFrame({"i": [59_999]}))
    assert len(lookup.asked) == 10, "what was asked for last is kept"
    running.process(0, pl.DataFrame({"i": [0]}))
    assert lookup.asked[-1] == [0], "what was asked for first is not"


def test_a_row_is_kept_for_as_long_as_it_is_asked_for():
    batches = [(0, [1, 2]), (800, [1]), (800, [1, 2]), (1_000, [1])]
    assert asked_for(CacheBounds(9, after_access_ms=1_000), batches) == [[1, 2], [2], [1]]


def test_that_a_key_has_no_row_is_kept_if_the_options_say_so():
    batches = [(0, [1, 7]), (1, [1, 7])]
    assert asked_for(CacheBounds(9), batches) == [[1, 7]]
    assert asked_for(CacheBounds(9, keeps_missing=False), batches) == [[1, 7], [7]]


def test_keys_that_nobody_asks_for_make_room():
    batches = [(1, [1]), (1, [2]), (1, [1]), (1, [5]), (1, [6]), (1, [1]), (1, [2])]
    assert asked_for(CacheBounds(4), batches) == [[1], [2], [5], [6], [2]]


def test_what_cannot_be_looked_up_says_why(tmp_path):
    sqlite3.connect(tmp_path / "empty.db").close()
    with Session({"o": ORDERS}) as made:
        list(made.execute("CREATE VIEW orders AS SELECT *, PROCTIME() AS p FROM o"))
        with_table = f"WITH ('connector' = 'jdbc', 'url' = 'jdbc:sqlite:{tmp_path}/empty.db', 'table-name' = 'nope')"
        list(made.execute(f"CREATE TABLE users {DECLARED} {with_table}"))
        query = "SELECT * FROM orders AS o JOIN users FOR SYSTEM_TIME AS OF o.p AS u ON o.k = u.k"
        with pytest.raises(UserError, match="no such table: nope"):
            rows_of(made, query)
        with pytest.raises(UserError, match="cannot be read whole"):
            rows_of(made, "SELECT * FROM users")


@pytest.mark.parametrize("columns", ["k BIGINT, nome STRING", "key BIGINT, name STRING"])
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_column_that_the_database_does_not_have_is_an_error_that_names_it(tmp_path, kind, columns):
    connect = sqlite3.connect if kind == "sqlite" else duckdb.connect
    base = connect(tmp_path / "users.db")
    base.execute("create table users (k bigint, name varchar)")
    base.execute("insert into users values (10, 'ann')")
    base.commit()
    base.close()
    with Session({"o": ORDERS}) as made:
        list(made.execute("CREATE VIEW orders AS SELECT *, PROCTIME() AS p FROM o"))
        options = f"'connector' = 'jdbc', 'url' = 'jdbc:{kind}:{tmp_path}/users.db', 'table-name' = 'users'"
        list(made.execute(f"CREATE TABLE users ({columns}) WITH ({options})"))
        key = columns.split()[0]
        with pytest.raises(
            UserError, match=r"Table 'users'.*(no such column: t\.(nome|key)|does not have a column named)"
        ):
            rows_of(made, f"SELECT * FROM orders AS o JOIN users FOR SYSTEM_TIME AS OF o.p AS u ON o.k = u.{key}")


def test_a_table_of_files_without_a_row_is_looked_up_in_vain(tmp_path):
    (tmp_path / "rows.json").write_text('{"a": 1}\n')
    (tmp_path / "none.json").write_text("")
    with Session() as session:
        for name, column in (("rows", "a INT"), ("none", "b INT, c STRING")):
            options = f"'connector' = 'filesystem', 'path' = '{tmp_path / name}.json', 'format' = 'json'"
            session.sql(f"CREATE TABLE {name} ({column}) WITH ({options})")
        found = session.sql(
            "SELECT a, c FROM (SELECT *, PROCTIME() AS proc FROM rows) AS x"
            " LEFT JOIN none FOR SYSTEM_TIME AS OF x.proc AS y ON x.a = y.b"
        )
        assert found.pl().rows() == [(1, None)]
