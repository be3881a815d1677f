"""Lookup joins: rows beside what a table outside says, asked once a key, kept as its options say."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import polars as pl
import pytest

from yeoul.clock import ManualClock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.lookup_join import LookupJoin
from yeoul.errors import UserError
from yeoul.jobs.result import Result
from yeoul.jobs.session import Session

ORDERS = pl.DataFrame({"id": [1, 2, 3, 4], "k": [10, 20, None, 99], "v": [5, 6, 7, 8]})
USERS = [(10, "ann", 4), (20, "bob", 9), (20, "ben", 1), (30, "cid", 2)]
DECLARED = "(k BIGINT, name STRING, w BIGINT)"


@pytest.fixture(params=["sqlite", "duckdb", "frame", "filesystem"])
def session(request: pytest.FixtureRequest, tmp_path: Path):
    options = f"'connector' = 'jdbc', 'url' = 'jdbc:{request.param}:{tmp_path}/users.db', 'table-name' = 'users'"
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
    frames = {"o": ORDERS}
    if request.param == "frame":
        frames["users"] = pl.DataFrame(USERS, schema=["k", "name", "w"], orient="row")
    with Session(frames) as made:
        if request.param != "frame":
            list(made.execute(f"CREATE TABLE users {DECLARED} WITH ({options})"))
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


class Counting:
    """A table that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        self.asked.append(keys["k"].to_list())
        return pl.DataFrame({"k": [1, 2, 2], "name": ["a", "b", "c"]}).join(keys, on="k", how="semi")


def operator(lookup: Counting, clock: ManualClock, max_rows: int, ttl_ms: int | None = None) -> LookupJoin:
    columns = {"k": pl.Int64(), "name": pl.String()}
    return LookupJoin(
        lookup,
        {"k": pl.col("i")},
        columns,
        {"name": "n"},
        None,
        keeps_left=True,
        output=["i", "n"],
        clock=clock,
        max_rows=max_rows,
        ttl_ms=ttl_ms,
    )


def test_a_batch_asks_for_each_key_once_and_found_rows_are_kept_for_their_time():
    lookup, clock = Counting(), ManualClock()
    running = operator(lookup, clock, 100, ttl_ms=1_000)
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
    clock.advance_ms(1_001)
    running.process(0, batch)
    assert lookup.asked == [[2, 1, 7], [2, 1, 7]]


def test_without_a_cache_every_batch_asks_anew():
    lookup = Counting()
    running = operator(lookup, ManualClock(), 0)
    for _ in range(2):
        running.process(0, pl.DataFrame({"i": [1, 1]}))
    assert lookup.asked == [[1], [1]]


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
