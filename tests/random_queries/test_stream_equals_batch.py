"""Stream = batch: whatever the query and the input, cut and restored anywhere, the changes come to DuckDB's answer.

`YEOUL_FUZZ=20000` looks at more queries. A query may be refused, with an error that says why; it may not fail.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.pipeline_runs import Fed, Query, bind_query
from tests.random_queries.dialects import Column, Sql, both
from tests.random_queries.drawing import Drawing
from tests.random_queries.queries import Grammar
from tests.random_queries.tables import ARRIVAL, SPLITS, Arrival, Table, tables_and_arrivals

from yeoul.errors import UserError
from yeoul.jobs.session import Session

EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "120"))
_TAKEN_BACK = ("-U", "-D")


@dataclass(frozen=True)
class Case:
    """A query, its tables, and how their rows reach it."""

    mode: str
    tables: list[Table]
    arrivals: list[Arrival]
    views: list[str]
    query: Sql
    columns: tuple[Column, ...]
    cuts: list[int]
    restores: frozenset[int]

    def __repr__(self) -> str:
        rows = "\n".join(f"  {one.table} {one.split} {one.row}" for one in self.arrivals)
        how = f"cut into {self.cuts}, restored before {sorted(self.restores)}"
        query = f"{self.query.flink}\n-- in DuckDB:\n{self.query.in_mode(self.mode)}"
        return f"\n{self.declarations};\n{query}\n{rows}\n{how}"

    @property
    def declarations(self) -> str:
        mode = f"SET 'execution.runtime-mode' = '{self.mode}'"
        return ";\n".join([mode, *(one.declaration for one in self.tables), *self.views])

    def batches(self) -> list[Fed]:
        """Returns the rows in their order, cut where table or split changes, and besides."""
        tables = {one.name: one for one in self.tables}
        given: list[Fed] = []
        at = 0
        while at < len(self.arrivals):
            first, longest = self.arrivals[at], self.cuts[len(given) % len(self.cuts)]
            together = [first.row]
            for one in self.arrivals[at + 1 : at + longest]:
                if (one.table, one.split) != (first.table, first.split):
                    break
                together.append(one.row)
            given.append(Fed(first.table, tables[first.table].frame(together), first.split))
            at += len(together)
        return given


def drawn(d: Drawing, *, arrives: bool = True) -> Case:
    """Returns a case; `arrives`: whether its rows come in one known order."""
    tables, arrivals = tables_and_arrivals(d)
    grammar = Grammar(d, tables, arrives)
    rows = grammar.query(d.number(1, 3))
    query = both("SELECT * FROM {}", rows.sql) if rows.is_table else rows.sql
    shared = "WITH " + ", ".join(f"{name} AS ({{}})" for name, _ in grammar.views) + " " if grammar.views else ""
    whole = both(f"{shared}{{}}", *(view for _, view in grammar.views), query)
    views = []
    if d.chance(2):
        views = [f"CREATE VIEW {name} AS {view.flink}" for name, view in grammar.views]
        whole = Sql(query.flink, whole.duckdb)
    mode = d.one_of(["automatic", "streaming"])
    cuts, restores = [d.number(1, 6) for _ in range(3)], frozenset(d.number(0, 12) for _ in range(d.number(0, 3)))
    return Case(mode, tables, arrivals, views, whole, rows.columns, cuts, restores)


@st.composite
def cases(draw: st.DrawFn, *, arrives: bool = True) -> Case:
    return drawn(Drawing(draw), arrives=arrives)


def given_by_stream(case: Case, query: Query) -> Counter[tuple[object, ...]]:
    """Returns the rows that are left when all changes are carried out."""
    run = query.fresh()
    frames = run.start()
    for place, batch in enumerate(case.batches()):
        if place in case.restores:
            state, run = run.snapshot(), query.fresh()
            frames += run.restore(state)
        frames += run.take(batch)
    frames += run.end()
    assert not run.late, "no row is late"
    left: Counter[tuple[object, ...]] = Counter()
    for frame in frames:
        marks = frame["op"].to_list() if "op" in frame.columns else ["+I"] * frame.height
        rows = frame.drop("op", strict=False)
        assert rows.columns == [one.name for one in case.columns]
        for mark, row in zip(marks, rows.iter_rows(), strict=True):
            values = comparable(row, case.columns)
            left[values] += -1 if mark in _TAKEN_BACK else 1
            assert left[values] >= 0, f"taken back, but not there: {values}"
    return +left


def answer_of_batch(case: Case) -> Counter[tuple[object, ...]]:
    """Returns DuckDB's answer."""
    with duckdb.connect() as base:
        for table in case.tables:
            numbered = [(number, one.row) for number, one in enumerate(case.arrivals) if one.table == table.name]
            frame = table.frame([row for _, row in numbered])
            rows = frame.with_columns(pl.Series(ARRIVAL, [number for number, _ in numbered], dtype=pl.Int64))
            base.register("rows", rows)
            columns = [f"CAST({one.name} AS {one.kind.duckdb}) AS {one.name}" for one in table.columns]
            base.execute(f"CREATE TABLE {table.name} AS SELECT {', '.join(columns)}, {ARRIVAL} FROM rows")
        found = base.sql(case.query.in_mode(case.mode))
        places = [found.columns.index(one.name) for one in case.columns]
        rows = [tuple(row[place] for place in places) for row in found.fetchall()]
    return Counter(comparable(row, case.columns) for row in rows)


def comparable(row: Sequence[object], columns: Sequence[Column]) -> tuple[object, ...]:
    return tuple(_comparable(value, column) for value, column in zip(row, columns, strict=True))


def _comparable(value: object, column: Column) -> object:
    """One spelling; of what is opaque, what neither rounding nor order changes."""
    if isinstance(value, list):
        return tuple(sorted(value, key=repr) if column.is_opaque else value)
    if not column.is_opaque or value is None:
        return value
    if isinstance(value, str):
        return tuple(sorted(value.split("|")))
    assert isinstance(value, float)
    return float(f"{value:.6g}") if math.isfinite(value) and abs(value) > 1e-9 else repr(abs(value))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(cases())
def test_changes_come_to_the_answer_of_the_batch(case: Case) -> None:
    try:
        query = replace(bind_query(case.declarations, case.query.flink), splits=SPLITS)
        query.fresh()
    except UserError as refused:
        event(f"refused: {refused.message.partition(' (line')[0]}")
        answer_of_batch(case)
        return
    event("answered")
    assert given_by_stream(case, query) == answer_of_batch(case)


@settings(max_examples=max(10, EXAMPLES // 10), deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(arrives=False))
def test_a_job_over_files_gives_the_answer_of_the_batch(tmp_path: Path, case: Case) -> None:
    """From JSON to rows, with the engine's own threads, splits and batches; each split is a file."""
    case = replace(case, mode="automatic")
    with tempfile.TemporaryDirectory(dir=tmp_path) as made, Session() as session:
        try:
            for table in case.tables:
                folder = Path(made) / table.name
                _write_files(folder, table, case.arrivals)
                options = f"'connector' = 'filesystem', 'path' = '{folder}', 'format' = 'json'"
                session.sql(f"{table.declaration} WITH ({options})")
            for view in case.views:
                session.sql(view)
            result = session.sql(case.query.flink)
        except UserError as refused:
            event(f"refused: {refused.message.partition(' (line')[0]}")
            return
        rows = Counter(comparable(row, case.columns) for row in result.rows())
    assert rows == answer_of_batch(case)


def _write_files(folder: Path, table: Table, arrivals: Sequence[Arrival]) -> None:
    folder.mkdir()
    names = [one.name for one in table.columns]
    for split in SPLITS:
        rows = [one.row for one in arrivals if (one.table, one.split) == (table.name, split)]
        lines = [json.dumps(dict(zip(names, row, strict=True)), default=str) + "\n" for row in rows]
        (folder / f"{split}.json").write_text("".join(lines))
