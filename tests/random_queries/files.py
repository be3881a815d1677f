"""Cases as jobs over files: from JSON to rows, with the engine's own threads, splits and batches; a split is a file."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from tests.random_queries.cases import Case, comparable
from tests.random_queries.dialects import Kind
from tests.random_queries.restarts import restarted_after
from tests.random_queries.sinks import Rows, left_of
from tests.random_queries.tables import Arrival, Table

from yeoul.jobs.job import Job
from yeoul.jobs.session import Session

__all__ = ["answer_of_files", "answers_of_sinks"]


def answer_of_files(folder: Path, case: Case) -> Rows:
    """Returns the rows that are left of a query's result, of a job that was set up again from its own snapshots.

    Raises:
        UserError: The query is refused.
    """
    with Session() as session:
        _declare(session, folder, case)
        with restarted_after([1 + place for place in sorted(case.restores)]):
            return _left(session.sql(case.query.flink).pl(), case)


def answers_of_sinks(folder: Path, cases: Sequence[Case]) -> list[Rows]:
    """Returns what is left in the tables that a statement set of several queries writes.

    Raises:
        UserError: One of them is refused.
    """
    with Session() as session:
        _declare(session, folder, cases[0])
        inserts = []
        for number, case in enumerate(cases):
            columns = ", ".join(f"{one.name} {one.kind.value}" for one in case.columns)
            session.sql(
                f"CREATE TABLE sink{number} ({columns}) {_from(folder / f'sink{number}.json', 'debezium-json')}"
            )
            inserts.append(f"INSERT INTO sink{number} {case.query.flink};")
        (job,) = session.execute(f"EXECUTE STATEMENT SET BEGIN {' '.join(inserts)} END")
        assert isinstance(job, Job)
        assert job.wait(120)
        session.sql("SET 'execution.runtime-mode' = 'automatic'")
        return [_left(session.sql(f"SELECT * FROM sink{number}").pl(), case) for number, case in enumerate(cases)]


def _declare(session: Session, folder: Path, case: Case) -> None:
    for key, value in case.settings.items():
        session.sql(f"SET '{key}' = '{value}'")
    if case.changes.of("upserts"):  # then a change is told by its key alone
        session.sql("SET 'table.exec.source.cdc-events-duplicate' = 'true'")
    for table in case.changes.tables:
        _write(folder / table.name, table, case.changes.arrivals)
        format = "debezium-json" if table.is_changing else "json"
        session.sql(f"{table.declaration} {_from(folder / table.name, format)}")
    for view in case.views:
        session.sql(view)


def _from(path: Path, format: str) -> str:
    return f"WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{format}')"


def _write(folder: Path, table: Table, arrivals: Sequence[Arrival]) -> None:
    """Writes a table's rows; changes without a row time go to one file, so that what goes is behind what came."""
    folder.mkdir()
    files: dict[str, list[str]] = {"s0": []}
    for one in arrivals:
        if one.table == table.name:
            record: object = _record(table, one.row)
            if table.is_changing:
                before, after = (None, record) if one.weight > 0 else (record, None)
                record = {"before": before, "after": after, "op": "c" if one.weight > 0 else "d"}
            split = "s0" if table.is_changing and table.time is None else one.split
            files.setdefault(split, []).append(json.dumps(record, default=str) + "\n")
    for split, lines in files.items():
        (folder / f"{split}.json").write_text("".join(lines))


def _record(table: Table, row: Sequence[object]) -> dict[str, object]:
    """Returns a row as an object of JSON; an instant says its zone."""
    return {column.name: _in_json(value, column.kind) for column, value in zip(table.columns, row, strict=True)}


def _in_json(value: object, kind: Kind) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return f"{value}Z" if kind is Kind.LTZ and isinstance(value, dt.datetime) else value


def _left(found: pl.DataFrame, case: Case) -> Rows:
    """Returns the rows that are left when the changes among them are carried out."""
    marks = found["op"].to_list() if "op" in found.columns else ["+I"] * found.height
    rows = (comparable(row, case.columns) for row in found.drop("op", strict=False).iter_rows())
    return left_of(zip(marks, rows, strict=True))
