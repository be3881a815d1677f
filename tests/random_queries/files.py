"""Cases as jobs: from JSON or CSV to rows, with the engine's own threads, splits and batches; a split is a file."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import polars as pl
from tests.random_queries.cases import Case, comparable, late_rows_of_batch, set_aside_of
from tests.random_queries.dialects import Kind
from tests.random_queries.grammar import part_of
from tests.random_queries.restarts import restarted_after
from tests.random_queries.sinks import Rows, left_of
from tests.random_queries.tables import SPLITS, Arrival, Table

from yeoul.jobs.job import Job
from yeoul.jobs.session import Session

__all__ = ["Files", "Place", "answer_of_job", "answers_of_sinks", "format_of", "record_of", "text_of"]

_AS_CHANGES = "'format' = 'debezium-json'"
_NULL = "no value"
"""What stands for NULL in CSV."""


class Place(Protocol):
    """Where the rows of tables are."""

    def written(self, table: Table, arrivals: Sequence[Arrival]) -> str:
        """Writes a table's rows; returns what CREATE TABLE says of them."""
        ...

    def first_split(self, table: Table) -> str:
        """Returns the options by which the first split of a table is read alone."""
        ...


class Files:
    """A folder for each table.

    Args:
        folder: Holds them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def written(self, table: Table, arrivals: Sequence[Arrival]) -> str:
        """Writes a table's rows; changes without a row time go to one file, so that what goes is behind what came."""
        (self._folder / table.name).mkdir()
        files: dict[str, list[str]] = {SPLITS[0]: []}
        for one in arrivals:
            if one.table == table.name:
                split = SPLITS[0] if table.is_changing and table.time is None else one.split
                files.setdefault(split, []).append(text_of(table, one) + "\n")
        for split, lines in files.items():
            self._path(table, split).write_text("".join(lines))
        return with_file(self._folder / table.name, format_of(table))

    def first_split(self, table: Table) -> str:
        return f"'path' = '{self._path(table, SPLITS[0])}'"

    def _path(self, table: Table, split: str) -> Path:
        return self._folder / table.name / f"{split}.json"


def answer_of_job(place: Place, case: Case) -> Rows:
    """Returns the rows that are left of a query's result, of a job that was set up again from its own snapshots.

    Raises:
        UserError: The query is refused.
    """
    with Session() as session:
        _declare(session, place, case)
        with restarted_after([1 + batches for batches in sorted(case.restores)]):
            left = _left(session.sql(_hinted(case.query.flink, place, case)).pl(), case)
        if case.late is not None:
            set_aside, wanted = set_aside_of(case, [_set_aside(session, case)]), late_rows_of_batch(case)
            assert set_aside == wanted, f"set aside alone: {set_aside - wanted}, late alone: {wanted - set_aside}"
        return left


def _set_aside(session: Session, case: Case) -> pl.DataFrame:
    """Returns what `<table>$late` holds."""
    session.sql("SET 'execution.runtime-mode' = 'automatic'")
    return session.sql(f"SELECT * FROM {case.judged.name}$late").pl()


def _hinted(text: str, place: Place, case: Case) -> str:
    """Returns a query with the options that it wants."""
    for table in case.changes.tables:
        if part_of(table.name) in text:
            text = text.replace(part_of(table.name), place.first_split(table))
    return text


def answers_of_sinks(folder: Path, cases: Sequence[Case]) -> list[Rows]:
    """Returns what is left in the tables that a statement set of several queries writes.

    Raises:
        UserError: One of them is refused.
    """
    with Session() as session:
        place = Files(folder)
        _declare(session, place, cases[0])
        inserts = []
        for number, case in enumerate(cases):
            columns = ", ".join(f"{one.name} {one.kind.value}" for one in case.columns)
            session.sql(
                f"CREATE TABLE sink{number} ({columns}) {with_file(folder / f'sink{number}.json', _AS_CHANGES)}"
            )
            inserts.append(f"INSERT INTO sink{number} {_hinted(case.query.flink, place, case)};")
        (job,) = session.execute(f"EXECUTE STATEMENT SET BEGIN {' '.join(inserts)} END")
        assert isinstance(job, Job)
        assert job.wait(120)
        session.sql("SET 'execution.runtime-mode' = 'automatic'")
        return [_left(session.sql(f"SELECT * FROM sink{number}").pl(), case) for number, case in enumerate(cases)]


def _declare(session: Session, place: Place, case: Case) -> None:
    for key, value in case.settings.items():
        session.sql(f"SET '{key}' = '{value}'")
    if case.changes.of("upserts"):  # then a change is told by its key alone
        session.sql("SET 'table.exec.source.cdc-events-duplicate' = 'true'")
    for table in case.changes.tables:
        session.sql(f"{table.declaration} {place.written(table, case.changes.arrivals)}")
    for view in case.views:
        session.sql(_hinted(view, place, case))


def with_file(path: Path, format: str) -> str:
    """Returns what CREATE TABLE says of a file or a folder."""
    return f"WITH ('connector' = 'filesystem', 'path' = '{path}', {format})"


def format_of(table: Table) -> str:
    """Returns what CREATE TABLE says of how rows are written."""
    if table.is_csv:
        return f"'format' = 'csv', 'csv.null-literal' = '{_NULL}'"
    return _AS_CHANGES if table.is_changing else "'format' = 'json'"


def text_of(table: Table, one: Arrival) -> str:
    """Returns a row as a record of CSV or JSON."""
    record = record_of(table, one)
    if not table.is_csv:
        return json.dumps(record, default=str)
    line = io.StringIO()
    fields = [_NULL if value is None else str(value) for value in record.values()]
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def record_of(table: Table, one: Arrival) -> dict[str, object]:
    """Returns a row as an object of JSON, an instant with its zone; a change says what was and what is."""
    row = {column.name: _in_json(value, column.kind) for column, value in zip(table.columns, one.row, strict=True)}
    if not table.is_changing:
        return row
    before, after = (None, row) if one.weight > 0 else (row, None)
    return {"before": before, "after": after, "op": "c" if one.weight > 0 else "d"}


def _in_json(value: object, kind: Kind) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return f"{value}Z" if kind.is_instant and isinstance(value, dt.datetime) else value


def _left(found: pl.DataFrame, case: Case) -> Rows:
    """Returns the rows that are left when the changes among them are carried out."""
    marks = found["op"].to_list() if "op" in found.columns else ["+I"] * found.height
    rows = (comparable(row, case.columns) for row in found.drop("op", strict=False).iter_rows())
    return left_of(zip(marks, rows, strict=True))
