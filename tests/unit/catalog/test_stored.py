"""A stored catalog: what is declared survives a restart, and two processes on one file see each other's changes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from yeoul.catalog.memory import Catalog
from yeoul.catalog.stored import CatalogFile
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.jobs.session import Done, Session
from yeoul.plan.declarations import declaration_of
from yeoul.plan.statements import CreateTable
from yeoul.planner.sql import bind, parse

FULL = """
CREATE TABLE `a ``full`` one` (
  id BIGINT NOT NULL, name STRING, price DECIMAL(10, 2), device ROW<os STRING, sizes ARRAY<INT NOT NULL>>,
  at_time TIMESTAMP(3), produced TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, `offset` BIGINT METADATA VIRTUAL,
  later AS at_time + INTERVAL '5' SECOND, shown AS UPPER(name) || 'it''s',
  WATERMARK FOR at_time AS at_time - INTERVAL '1' MINUTE, PRIMARY KEY (id) NOT ENFORCED
) COMMENT 'it''s all'
WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'x:1', 'format' = 'debezium-json')
"""


def session(path: Path) -> Session:
    return Session(catalog=path / "catalog.sqlite")


def run(session: Session, text: str) -> list[str]:
    return [one.message for one in session.execute(text) if isinstance(one, Done)]


def test_what_show_create_prints_declares_the_same_table(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)

    def bound(text: str) -> CreateTable:
        statement = bind(parse(text)[0], catalog, {})
        assert isinstance(statement, CreateTable)
        return statement

    declared = bound(FULL).definition
    text = declaration_of(declared)
    assert bound(text).definition == declared
    assert declaration_of(bound(text).definition) == text


def test_tables_and_views_survive_a_restart_temporary_ones_do_not(tmp_path: Path) -> None:
    with session(tmp_path) as first:
        run(first, "CREATE TABLE n (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3')")
        run(first, "CREATE VIEW v (b) AS SELECT a FROM n")
        run(first, "CREATE TEMPORARY VIEW gone AS SELECT 1 AS one")
        run(first, "CREATE TABLE m (a INT) WITH ('connector' = 'blackhole'); DROP TABLE m")
        run(first, "ALTER TABLE n SET ('number-of-rows' = '2'); ALTER TABLE n RENAME TO numbers")
        run(first, "ALTER VIEW v AS SELECT a AS c FROM numbers")
        first.register("frame", {"x": [1]})
    with session(tmp_path) as second:
        assert second.sql("SHOW TABLES").rows() == [("numbers",), ("v",)]
        assert len(second.sql("SELECT c FROM v").rows()) == 2
        assert "'number-of-rows' = '2'" in str(second.sql("SHOW CREATE TABLE numbers").rows()[0][0])
        assert second.sql("SHOW CREATE VIEW v").rows() == [("CREATE VIEW `v` AS\nSELECT a AS c FROM numbers",)]


def test_a_temporary_table_hides_another_and_is_dropped_first(tmp_path: Path) -> None:
    with session(tmp_path) as one:
        run(one, "CREATE VIEW v AS SELECT 1 AS a; CREATE TEMPORARY VIEW v AS SELECT 2 AS a")
        assert one.sql("SELECT a FROM v").rows() == [(2,)]
        with pytest.raises(UserError, match="A temporary view hides 'v'"):
            run(one, "DROP VIEW v")
        run(one, "DROP TEMPORARY VIEW v")
        assert one.sql("SELECT a FROM v").rows() == [(1,)]


def test_two_sessions_on_one_file_see_each_other(tmp_path: Path) -> None:
    with session(tmp_path) as one, session(tmp_path) as other:
        run(one, "CREATE VIEW v AS SELECT 1 AS a")
        assert other.sql("SELECT a FROM v").rows() == [(1,)]
        with pytest.raises(UserError, match="There is a view named 'v' already"):
            run(other, "CREATE TABLE v (a INT) WITH ('connector' = 'blackhole')")
        run(other, "DROP VIEW v")
        with pytest.raises(UserError, match="Unknown table or view 'v'"):
            one.sql("SELECT a FROM v")


def test_a_failed_statement_changes_nothing(tmp_path: Path) -> None:
    with session(tmp_path) as one:
        run(one, "CREATE VIEW a AS SELECT 1 AS x; CREATE VIEW b AS SELECT 2 AS x")
        with pytest.raises(UserError, match="There is a view named 'b' already"):
            run(one, "ALTER VIEW a RENAME TO b")
        assert one.sql("SELECT x FROM a UNION ALL SELECT x FROM b").rows() == [(1,), (2,)]


def test_a_table_that_cannot_be_read_any_more_harms_no_other(tmp_path: Path) -> None:
    with session(tmp_path) as one:
        run(one, "CREATE VIEW v AS SELECT 1 AS a; CREATE TABLE t (a INT) WITH ('connector' = 'blackhole')")
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        database.execute("UPDATE entries SET statement = replace(statement, 'blackhole', 'gone') WHERE name = 't'")
    with session(tmp_path) as one:
        assert one.sql("SELECT a FROM v").rows() == [(1,)]
        with pytest.raises(
            UserError, match=r"Table .t. of the stored catalog cannot be read: .*Unknown connector .gone."
        ):
            one.sql("SELECT a FROM t")
        run(one, "DROP TABLE t")


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(EnvironmentFailure, match="is no catalog"):
        session(tmp_path)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "catalog.sqlite") as base:
        base.execute("CREATE TABLE users (id INT)")
    with pytest.raises(EnvironmentFailure, match="is no catalog: it is another program's database, with 'users'"):
        session(tmp_path)
    with sqlite3.connect(tmp_path / "catalog.sqlite") as base:
        assert base.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]
        assert base.execute("PRAGMA user_version").fetchone() == (0,)


def test_on_a_full_disk_a_statement_says_so_and_changes_nothing(tmp_path: Path) -> None:
    columns = ", ".join(f"column_{number} STRING" for number in range(2_000))
    with session(tmp_path) as one:
        run(one, "CREATE TABLE small (a INT) WITH ('connector' = 'blackhole')")
        stored = one.catalog._stored
        assert stored is not None
        stored._database.execute("PRAGMA max_page_count = 4")
        for _ in range(2):
            with pytest.raises(EnvironmentFailure, match=r"database or disk is full\. Make room"):
                run(one, f"CREATE TABLE large ({columns}) WITH ('connector' = 'blackhole')")
            assert one.catalog.tables() == ["small"]
        stored._database.execute("PRAGMA max_page_count = 1000")
        run(one, f"CREATE TABLE large ({columns}) WITH ('connector' = 'blackhole')")
    with session(tmp_path) as two:
        assert two.catalog.tables() == ["large", "small"]


def test_a_file_that_another_process_holds_is_waited_for_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yeoul.catalog.stored._WAIT_S", 0.05)
    with session(tmp_path) as one:
        run(one, "CREATE VIEW v AS SELECT 1 AS a")
        holder = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(EnvironmentFailure, match="database is locked"):
            run(one, "DROP VIEW v")
        holder.execute("ROLLBACK")
        holder.close()
        assert run(one, "DROP VIEW v") == ["View v dropped"]


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    CatalogFile(tmp_path / "catalog.sqlite").close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(EnvironmentFailure, match="has version 99, this yeoul knows 3"):
        session(tmp_path)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SHOW CATALOGS", [("default_catalog",)]),
        ("SHOW CURRENT DATABASE", [("default_database",)]),
        ("SHOW COLUMNS FROM v", [("a", "INT", "FALSE", None, None, None)]),
        ("DESCRIBE EXTENDED v", [("a", "INT", "FALSE", None, None, None)]),
    ],
)
def test_what_there_is_is_shown(tmp_path: Path, text: str, rows: list) -> None:
    with session(tmp_path) as one:
        run(one, "CREATE VIEW v AS SELECT 1 AS a; USE CATALOG default_catalog; USE default_database")
        assert one.sql(text).rows() == rows
        assert ("COALESCE",) in one.sql("SHOW FUNCTIONS").rows()
        with pytest.raises(UserError, match="Unknown database 'nowhere'"):
            run(one, "USE nowhere")
