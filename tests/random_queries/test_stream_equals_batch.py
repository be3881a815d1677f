"""Stream = batch: whatever the query and the input, cut and restored anywhere, the changes come to DuckDB's answer.

`YEOUL_FUZZ=20000` looks at more queries; `python -m tests.random_queries.hunting` goes on behind what it finds. A query
may be refused, with an error that says why; it may not fail. Some are planned without some of the rules, or without
any: a plan gives the same answer before and after them. Jobs over files and topics are stopped on the way and go
on in new ones.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.random_queries.cases import Case, answer_of_batch, bound, drawn, given_by_stream
from tests.random_queries.claims import broken_claims
from tests.random_queries.drawing import Drawing
from tests.random_queries.files import Files, Place, answer_of_job, answers_of_sinks
from tests.random_queries.topics import Clients, Topics

from yeoul.broker import Broker
from yeoul.errors import UserError

EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "110"))
FEW = max(10, EXAMPLES // 12)
UNHURRIED = list(HealthCheck)
pytestmark = pytest.mark.timeout(60 + 3 * EXAMPLES)


@st.composite
def cases(draw: st.DrawFn, *, of_jobs: bool = False, queries: int | None = None) -> list[Case]:
    """Draws queries over the same tables."""
    return drawn(Drawing(lambda least, most: draw(st.integers(least, most))), of_jobs=of_jobs, queries=queries)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=UNHURRIED)
@given(cases())
def test_changes_come_to_the_answer_of_the_batch(several: list[Case]) -> None:
    for case in several:
        try:
            query = bound(case)
        except UserError as refused:
            event(f"refused: {refused.message.partition(' (line')[0]}")
            answer_of_batch(case)
            return
        event("answered")
        given, answer = given_by_stream(case, query), answer_of_batch(case)
        if case.sink is None:
            assert given == answer
        assert case.accepts(given, answer, query), f"given {given}, wanted {answer}"


@settings(max_examples=FEW, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(queries=1))
def test_what_explain_says_of_changes_state_and_watermarks_is_so(several: list[Case]) -> None:
    (case,) = several
    try:
        query = bound(case)
    except UserError as refused:
        event(f"refused: {refused.message.partition(' (line')[0]}")
    else:
        assert broken_claims(case, query) == []


@settings(max_examples=FEW, deadline=None, suppress_health_check=UNHURRIED)
@given(several=cases(of_jobs=True, queries=1))
def test_a_job_over_files_gives_the_answer_of_the_batch(tmp_path: Path, several: list[Case]) -> None:
    (case,) = several
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        check_job(Files(Path(folder)), case)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    with Broker(tmp_path_factory.mktemp("broker"), num_partitions=3) as broker:
        yield Clients(broker)


@settings(max_examples=FEW, deadline=None, suppress_health_check=UNHURRIED)
@given(several=cases(of_jobs=True, queries=1))
def test_a_job_over_topics_gives_the_answer_of_the_batch(clients: Clients, tmp_path: Path, several: list[Case]) -> None:
    (case,) = several
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        check_job(Topics(clients, Path(folder)), case)


def check_job(place: Place, case: Case) -> None:
    try:
        rows = answer_of_job(place, case)
    except UserError as refused:
        event(f"refused: {refused.message.partition(' (line')[0]}")
    else:
        assert rows == answer_of_batch(case)


@settings(max_examples=FEW, deadline=None, suppress_health_check=UNHURRIED)
@given(several=cases(of_jobs=True, queries=3))
def test_each_table_that_a_statement_set_writes_has_the_answer_of_the_batch(
    tmp_path: Path, several: list[Case]
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        try:
            tables = answers_of_sinks(Path(folder), several)
        except UserError as refused:
            event(f"refused: {refused.message.partition(' (line')[0]}")
            return
    assert tables == [answer_of_batch(case) for case in several]
