"""INSERT INTO a table by key of a query that gives several rows a key: what ON CONFLICT leaves in the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.errors import UserError
from yeoul.jobs.session import Session

ROWS = "(1, 'pen', TIMESTAMP '2024-01-01 10:00:00'), (2, 'pen', TIMESTAMP '2024-01-01 10:00:01')"


@pytest.fixture
def session(tmp_path: Path):
    with Session() as session:
        session.sql(
            f"""
            CREATE TABLE orders (id BIGINT, item STRING, at TIMESTAMP(3), WATERMARK FOR at AS at)
            WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/orders.json', 'format' = 'json');
            CREATE TABLE best (item STRING, id BIGINT, n BIGINT, PRIMARY KEY (item) NOT ENFORCED)
            WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/best.json', 'format' = 'debezium-json');
            SET 'table.dml-sync' = 'true';
            INSERT INTO orders VALUES {ROWS};
            SET 'execution.runtime-mode' = 'streaming';
            """
        )
        yield session


def written(session: Session, ending: str) -> list[tuple[object, ...]]:
    insert = f"INSERT INTO best SELECT item, id, COUNT(*) FROM orders GROUP BY item, id {ending}"
    for _ in session.execute(insert):
        pass
    return session.sql("SET 'execution.runtime-mode' = 'automatic'; SELECT item, id, n FROM best").rows()


@pytest.mark.parametrize(("ending", "row"), [("ON CONFLICT DO DEDUPLICATE", 2), ("ON CONFLICT DO NOTHING", 1)])
def test_one_row_of_a_key_is_left(session: Session, ending: str, row: int) -> None:
    assert written(session, ending) == [("pen", row, 1)]


def test_one_row_of_a_key_is_left_of_rows_that_are_given_at_the_end(session: Session) -> None:
    session.sql("RESET 'execution.runtime-mode'")
    assert written(session, "ON CONFLICT DO DEDUPLICATE") == [("pen", 2, 1)]


def test_a_second_row_of_a_key_fails_the_job_if_it_is_to(session: Session) -> None:
    with pytest.raises(UserError, match="the query gives several rows for the key item = 'pen'"):
        written(session, "ON CONFLICT DO ERROR")


def test_the_latest_row_is_left_where_nothing_need_be_said(session: Session) -> None:
    session.sql("SET 'table.exec.sink.require-on-conflict' = 'false'")
    assert written(session, "") == [("pen", 2, 1)]
