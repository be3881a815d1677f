"""The Nexmark queries: whatever the input is cut into and wherever it is restored, the answer is DuckDB's."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import polars as pl
import pytest
from bench.nexmark import answers, events, suite
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.pipeline_runs import Fed, bind_query, run_in_one_go, run_restored_after_each, with_lookups

from yeoul.errors import UserError
from yeoul.jobs.session import Session

COUNT, SEED, RATE = 20_000, 11, 500
FRAME = {"connector": "frame"}
MODES = ("automatic", "streaming")


@functools.cache
def made() -> events.Events:
    return events.tables(COUNT, SEED, RATE)


@functools.cache
def right(name: str) -> pl.DataFrame:
    return suite.expected(name, made())


def declared(name: str, mode: str) -> str:
    return f"SET 'execution.runtime-mode' = '{mode}';\n" + suite.tables(name, FRAME, FRAME)


@contextlib.contextmanager
def may_be_refused(name: str) -> Iterator[None]:
    """Skips a query that is known to be refused as yet, for the reason in the suite's list."""
    try:
        yield
    except UserError as refused:
        if name not in suite.NOT_YET:
            raise
        pytest.skip(f"{suite.NOT_YET[name]}: {refused.message}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", suite.NAMES)
def test_file_gives_what_duckdb_says(name, mode, tmp_path):
    path = tmp_path / "events.ndjson"
    events.write_files(path, COUNT, SEED, RATE)
    source = {"connector": "filesystem", "path": str(path), "format": "json"}
    with Session({"side_input": suite.side_input()}) as session:
        text = f"SET 'execution.runtime-mode' = '{mode}';\n" + suite.tables(name, source, FRAME) + suite.query(name)
        with may_be_refused(name):
            rows = session.sql(text).pl()
    assert right(name).height, "nothing to compare"
    assert answers.differences(name, rows, right(name)) == []


@pytest.mark.parametrize("name", suite.NAMES)
@given(st.lists(st.integers(1, COUNT - 1), max_size=5, unique=True), st.booleans())
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
def test_cuts_and_restores_change_nothing(name, cuts, restored):
    whole = events.frame(made())
    ends = [*sorted(cuts), COUNT]
    fed = [Fed("events", whole[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    with may_be_refused(name):
        query = bind_query(declared(name, "streaming"), suite.query(name))
        query = with_lookups(query, {"side_input": suite.side_input()})
        query.fresh()
    batches = (run_restored_after_each if restored else run_in_one_go)(query, fed)
    assert answers.differences(name, pl.concat(batches), right(name)) == []
