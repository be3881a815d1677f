"""Golden SQL, three ways each: straight through, restored after every batch, restored from every snapshot.

And once more with state that may take no memory at all, so that every batch finds it on disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest
from tests.golden.cases import Case, Grid, Wait, column_of, grid_of, read_all
from tests.pipeline_runs import (
    Fed,
    Query,
    Step,
    bind_query,
    run_in_one_go,
    run_restored_after_each,
    run_restored_from_each,
    with_lookups,
)

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.key_groups import divided
from yeoul.engine.state import memory
from yeoul.errors import UserError
from yeoul.plan.tables import ColumnKind

CASES = read_all()
PAGE = Path(__file__).parents[2] / "docs" / "flink-differences.md"
ANSWERED = [case for case in CASES if "error" not in case.sections]
_TAKEN_BACK = ("-U", "-D")


def bound(case: Case, mode: str) -> tuple[Query, list[Step]]:
    declarations = f"SET 'execution.runtime-mode' = '{mode}';\n{case.sections.get('tables', '')}"
    query = bind_query(declarations, case.sections["query"])
    steps = [step.duration_ms if isinstance(step, Wait) else fed(step, query) for step in case.steps]
    return with_lookups(query, whole_tables(steps)), steps


def whole_tables(steps: Sequence[Step]) -> dict[str, pl.DataFrame]:
    """Returns all rows that each table is ever fed: what a lookup finds."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for step in steps:
        if isinstance(step, Fed):
            parts.setdefault(step.table, []).append(step.rows)
    return {name: pl.concat(some) for name, some in parts.items()}


def fed(batch, query: Query) -> Fed:
    columns = [one for one in query.tables[batch.table].columns if one.kind is not ColumnKind.COMPUTED]
    cells = {name: [row[place] for row in batch.rows.rows] for place, name in enumerate(batch.rows.names)}
    marks = cells.pop("op", None)
    weights = [] if marks is None else [pl.Series(WEIGHT, [-1 if one in _TAKEN_BACK else 1 for one in marks])]
    assert list(cells) == [one.name for one in columns], f"the columns of {batch.table} are not these"
    return Fed(
        batch.table,
        pl.DataFrame(
            [*(column_of(cells[one.name], polars_dtype(one.type)).alias(one.name) for one in columns), *weights]
        ),
    )


def runs(query: Query, steps: Sequence[Step]) -> dict[str, list[pl.DataFrame]]:
    ways = {"straight": run_in_one_go(query, steps), "restored after each batch": run_restored_after_each(query, steps)}
    for place, way in enumerate(run_restored_from_each(query, steps), start=1):
        ways[f"restored from snapshot {place}"] = way
    return ways


def changes(batches: Sequence[pl.DataFrame]) -> Grid:
    marked = [one if "op" in one.columns else one.select(pl.lit("+I").alias("op"), pl.all()) for one in batches]
    return grid_of(pl.concat(marked)) if marked else Grid(("op",), ())


def final(given: Grid) -> Grid:
    """Carries changes out."""
    rows: list[tuple[str | None, ...]] = []
    for mark, *row in given.rows:
        if mark in _TAKEN_BACK:
            assert tuple(row) in rows, f"taken back but never given: {row}"
            rows.remove(tuple(row))
        else:
            rows.append(tuple(row))
    return Grid(given.names[1:], tuple(rows)).in_any_order()


def asked_of(query: Query, case: Case, kind: str) -> Iterator[tuple[Query, Grid]]:
    """Yields the query, or each INSERT of it that a section is about, and what is expected."""
    for table, right in case.grids(kind).items():
        yield query.into(table) if table else query, right


@pytest.mark.parametrize("case", [case for case in ANSWERED if case.grids("changes")], ids=str)
def test_changes_are_these_however_restored(case):
    query, steps = bound(case, "streaming")
    for asked, right in asked_of(query, case, "changes"):
        for way, batches in runs(asked, steps).items():
            given = changes(batches)
            assert given.rows == right.rows, f"{way}:\n{given}\nbut should be\n{right}"


@pytest.mark.parametrize("case", [case for case in ANSWERED if case.grids("rows")], ids=str)
def test_rows_come_to_these_however_restored(case):
    for mode in case.modes:
        query, steps = bound(case, mode)
        for asked, right in asked_of(query, case, "rows"):
            for way, batches in runs(asked, steps).items():
                given = final(changes(batches))
                assert given.rows == right.in_any_order().rows, f"{mode}, {way}:\n{given}\nbut should be\n{right}"


@pytest.mark.parametrize("case", [case for case in ANSWERED if "rows" in case.sections], ids=str)
def test_rows_come_to_these_with_state_on_disk(case, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
    monkeypatch.setattr(divided, "_MOST_BITS", 3)
    for mode in case.modes:
        query, steps = bound(case, mode)
        limited = replace(query.settings, state_memory_bytes=1, spill_directory=str(tmp_path))
        batches = run_restored_after_each(replace(query, settings=limited), steps)
        given, right = final(changes(batches)), case.grid("rows").in_any_order()
        assert given.rows == right.rows, f"{mode}:\n{given}\nbut should be\n{right}"


@pytest.mark.parametrize("case", [case for case in ANSWERED if {"rows", "changes"} <= case.sections.keys()], ids=str)
def test_the_expected_changes_come_to_the_expected_rows(case):
    assert final(case.grid("changes")).rows == case.grid("rows").in_any_order().rows


@pytest.mark.parametrize("case", [case for case in CASES if "late" in case.sections], ids=str)
def test_late_rows_are_these(case):
    query, steps = bound(case, "streaming")
    run = query.fresh()
    run.start()
    for step in steps:
        run.take(step)
    run.end()
    assert run.late, "no row was late"
    assert grid_of(pl.concat(run.late)).rows == case.grid("late").rows


@pytest.mark.parametrize("case", [case for case in CASES if "duckdb" in case.sections], ids=str)
def test_duckdb_says_the_same(case):
    query, steps = bound(case, "automatic")
    with duckdb.connect() as base:
        for name, table in query.tables.items():
            columns = {one.name: polars_dtype(one.type) for one in table.columns if one.kind is not ColumnKind.COMPUTED}
            parts = [step.rows for step in steps if isinstance(step, Fed) and step.table == name]
            base.register(name, pl.concat([pl.DataFrame(schema=columns), *parts]))
        answer = base.sql(case.sections["duckdb"] or case.sections["query"]).pl()
    assert grid_of(answer).in_any_order().rows == case.grid("rows").in_any_order().rows


@pytest.mark.parametrize("case", [case for case in CASES if "error" in case.sections], ids=str)
def test_what_is_refused_says_why(case):
    with pytest.raises(UserError) as caught:
        bound(case, "streaming")
    assert told(caught.value) == case.sections["error"]


@pytest.mark.parametrize("case", [case for case in CASES if case.fails], ids=str)
def test_what_fails_a_job_says_why(case):
    query, steps = bound(case, "streaming")
    with pytest.raises(UserError) as caught:
        run_in_one_go(query, steps)
    assert told(caught.value) == case.fails


def told(error: UserError) -> str:
    return f"error: {error.message}\nhint: {error.hint}" if error.hint else f"error: {error.message}"


def test_the_page_of_differences_names_each_case_that_flink_answers_otherwise():
    lines = [line for line in PAGE.read_text().partition("## Queries")[2].splitlines() if line.startswith("| `")]
    stated = dict(re.fullmatch(r"\| `(.*)` \| (.*) \|", line).groups() for line in lines)
    assert stated == {str(case): case.about["flink"] for case in CASES if "flink" in case.about}


@pytest.mark.parametrize("case", [case for case in ANSWERED if not case.fails], ids=str)
def test_a_case_says_where_its_rows_and_changes_come_from(case):
    assert case.grids("rows") or case.grids("changes")
    source, _, how = case.about.get("from", "").partition(" ")
    assert source in ("Flink", "DuckDB", "hand"), "`from:` says where the expected rows come from"
    assert source != "Flink" or "flink" not in case.about, "Flink gives other rows, or was not asked"
    assert source != "DuckDB" or "duckdb" in case.sections, "`duckdb` is what DuckDB is asked"
    assert source != "hand" or how, "`from: hand (...)` says how"
    changes = case.about.get("changes", "")
    assert changes.startswith("hand (") or source != "DuckDB" or not case.grids("changes"), "DuckDB gives no changes"
