"""CREATE TABLE AS, ALTER TABLE with columns, LIKE with rules, and functions that survive the session."""

from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.errors import UserError
from yeoul.jobs.session import Session

TABLE = """CREATE TABLE t (a INT, b STRING, ts TIMESTAMP(3), c AS a + 1, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'datagen', 'number-of-rows' = '3')"""


def declared(session: Session, table: str = "t") -> str:
    ((text,),) = session.sql(f"SHOW CREATE TABLE {table}").rows()
    assert isinstance(text, str)
    return text


def columns(session: Session, table: str = "t") -> list[str]:
    return [str(row[0]) for row in session.sql(f"DESCRIBE {table}").rows()]


def test_create_table_as_select_makes_the_table_and_fills_it(tmp_path: Path) -> None:
    with Session({"source": {"a": [1, 2], "b": ["x", "y"]}}) as session:
        options = f"('connector' = 'filesystem', 'path' = '{tmp_path / 'made'}', 'format' = 'json')"
        session.sql(f"CREATE TABLE made WITH {options} AS SELECT a, b, a * 2 AS `a b` FROM source WHERE a > 1")
        assert session.sql("SELECT * FROM made").rows() == [(2, "y", 4)]
        with pytest.raises(UserError, match="Unknown column 'nope'"):
            session.sql(f"CREATE TABLE other WITH {options} AS SELECT nope FROM source")
        assert "other" not in [row[0] for row in session.sql("SHOW TABLES").rows()]
        session.sql(f"CREATE TABLE IF NOT EXISTS made WITH {options} AS SELECT a, b, a FROM source")
        assert session.sql("SELECT COUNT(*) FROM made").rows() == [(1,)]


def test_a_table_that_cannot_be_filled_is_not_left_behind(tmp_path: Path) -> None:
    with Session({"source": {"a": [1]}}) as session:
        session.sql("SET 'execution.runtime-mode' = 'streaming'")
        options = f"('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'json')"
        with pytest.raises(UserError, match="changes"):
            session.sql(f"CREATE TABLE made WITH {options} AS SELECT a, COUNT(*) AS n FROM source GROUP BY a")
        assert [row[0] for row in session.sql("SHOW TABLES").rows()] == ["source"]


def test_columns_are_added_where_they_are_asked_for_changed_renamed_and_dropped() -> None:
    with Session() as session:
        session.sql(TABLE)
        session.sql("ALTER TABLE t ADD (x BIGINT FIRST, y STRING AFTER a, z AS b || 'q')")
        assert columns(session) == ["x", "a", "y", "b", "ts", "c", "z"]
        session.sql("ALTER TABLE t MODIFY x INT AFTER y")
        session.sql("ALTER TABLE t MODIFY z AS y || 'r'")
        session.sql("ALTER TABLE t RENAME b TO bb")
        session.sql("ALTER TABLE t DROP (c, x)")
        assert columns(session) == ["a", "y", "bb", "ts", "z"]
        session.sql("ALTER TABLE t DROP WATERMARK")
        session.sql("ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY (a) NOT ENFORCED")
        session.sql("ALTER TABLE t RENAME a TO k")
        assert "PRIMARY KEY (`k`) NOT ENFORCED" in declared(session)
        assert "WATERMARK" not in declared(session)
        session.sql("ALTER TABLE t DROP PRIMARY KEY; ALTER TABLE t ADD WATERMARK FOR ts AS ts")
        assert len(session.sql("SELECT * FROM t").rows()) == 3


def test_an_altered_table_survives_in_the_stored_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with Session(catalog=path) as session:
        session.sql(TABLE)
        session.sql("ALTER TABLE t ADD d DOUBLE")
    with Session(catalog=path) as session:
        assert columns(session) == ["a", "b", "ts", "c", "d"]


@pytest.mark.parametrize(
    ("rules", "own", "kept"),
    [
        ("", "", ["`c` AS a + 1", "INTERVAL '5' SECOND", "'3'"]),
        ("EXCLUDING ALL", "d INT", ["`d` INT"]),
        ("EXCLUDING GENERATED OVERWRITING WATERMARKS", "WATERMARK FOR ts AS ts", ["WATERMARK FOR `ts` AS ts\n", "'3'"]),
        ("OVERWRITING GENERATED", "c AS a + 7", ["`c` AS a + 7"]),
    ],
)
def test_like_takes_over_what_its_rules_say(rules: str, own: str, kept: list[str]) -> None:
    with Session() as session:
        session.sql(TABLE)
        connector = "WITH ('connector' = 'datagen')" if "EXCLUDING ALL" in rules else ""
        session.sql(f"CREATE TABLE u {f'({own})' if own else ''} {connector} LIKE t {f'({rules})' if rules else ''}")
        assert [part for part in kept if part not in declared(session, "u")] == []
        if "EXCLUDING GENERATED" in rules or "EXCLUDING ALL" in rules:
            assert "a + 1" not in declared(session, "u")


def test_explain_of_a_statement_set_shows_the_plan_of_each_insert() -> None:
    with Session({"source": {"a": [1]}}) as session:
        session.sql("CREATE TABLE o (a BIGINT) WITH ('connector' = 'blackhole')")
        inserts = "INSERT INTO o SELECT a FROM source; INSERT INTO o SELECT a + 1 FROM source;"
        text = "\n".join(str(row[0]) for row in session.sql(f"EXPLAIN STATEMENT SET BEGIN {inserts} END").rows())
        assert text.count("Write(") == 2
        assert text.startswith("INSERT 1:")


def test_a_function_named_by_its_path_survives_in_the_stored_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "from yeoul import udf\ntwice = udf(lambda x: 2 * x, result_type='BIGINT')\n"
    (tmp_path / "kept_rules.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "catalog.db"
    with Session(catalog=path) as session:
        session.sql("CREATE FUNCTION Twice AS 'kept_rules.twice' LANGUAGE PYTHON")
        session.sql("CREATE TEMPORARY FUNCTION passing AS 'kept_rules.twice' LANGUAGE PYTHON")
    with Session({"n": {"a": [1, 2]}}, catalog=path) as session:
        assert session.sql("SELECT TWICE(a) AS b FROM n").rows() == [(2,), (4,)]
        assert session.sql("SHOW USER FUNCTIONS").rows() == [("Twice",)]
        with pytest.raises(UserError, match="exists already"):
            session.sql("CREATE FUNCTION twice AS 'kept_rules.twice' LANGUAGE PYTHON")
    with Session(catalog=path) as session:
        session.sql("DROP FUNCTION twice")
        assert session.sql("SHOW USER FUNCTIONS").rows() == []


def test_a_stored_function_that_cannot_be_imported_harms_no_other(tmp_path: Path) -> None:
    from yeoul.catalog.stored import CatalogFile

    path = tmp_path / "catalog.db"
    stored = CatalogFile(path)
    stored.put_function("gone", "no_such_module.f")
    stored.close()
    with Session({"n": {"a": [1]}}, catalog=path) as session:
        assert session.sql("SELECT ABS(a) AS b FROM n").rows() == [(1,)]
        with pytest.raises(UserError, match="The function 'gone' of the stored catalog cannot be loaded"):
            session.sql("SELECT gone(a) FROM n")
