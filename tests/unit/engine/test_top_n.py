"""Top-N: whatever comes and goes in whatever cut, what is given adds up to DuckDB's ranks."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME
from yeoul.engine.operators.ordered.first_places import FirstPlaces
from yeoul.engine.operators.ordered.retractable_top_n import RetractableTopN
from yeoul.engine.operators.ordered.top_n import TopN
from yeoul.engine.operators.ordered.top_n_rows import TopNRows
from yeoul.plan.ordering import Ranking, SortKey

COLUMNS = {"k": pl.String(), "v": pl.Int64(), "id": pl.Int64()}
KEYS = ["a", None, "a key that is longer than twelve bytes"]


def operator(asked: TopNRows, *, retracts: bool, clock=SYSTEM_CLOCK, ttl_ms=None):
    standing = FirstPlaces if asked.is_first_place else TopN
    kind = RetractableTopN if retracts else standing
    return kind(asked, clock=clock, ttl_ms=ttl_ms)


@st.composite
def questions(draw: st.DrawFn, *, updating: bool | None = None) -> TopNRows:
    first = draw(st.integers(1, 3))
    order = draw(st.sampled_from([(), (SortKey("v", draw(st.booleans()), draw(st.booleans())),)]))
    return TopNRows(
        COLUMNS,
        draw(st.sampled_from([(), ("k",)])),
        order,
        draw(st.sampled_from(list(Ranking))) if order else Ranking.ROW_NUMBER,
        first,
        first + draw(st.integers(0, 2)),
        draw(st.sampled_from([None, "rank"])),
        draw(st.booleans()) if updating is None else updating,
    )


@st.composite
def histories(draw: st.DrawFn, *, retracts: bool) -> list[tuple[tuple, int]]:
    living: list[tuple] = []
    history: list[tuple[tuple, int]] = []
    cells = st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.integers(0, 4)))
    for index, (key, value) in enumerate(draw(st.lists(cells, max_size=25))):
        history.append(((key, value, index), 1))
        living.append((key, value, index))
        if retracts and draw(st.booleans()):
            gone = living.pop(draw(st.integers(0, len(living) - 1)))
            history.append((gone, -1))
    return history


def expected(asked: TopNRows, rows: list[tuple]) -> Counter:
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")  # noqa: F841
    columns = [
        f"v {'desc' if key.descending else 'asc'} nulls {'last' if key.nulls_last else 'first'}" for key in asked.order
    ]
    order = ", ".join([*columns, *(["id"] if asked.ranking is Ranking.ROW_NUMBER else [])])
    partition = "partition by k" if asked.partition else ""
    rank = ", r" if asked.rank else ""
    return Counter(
        duckdb.sql(
            f"select k, v, id{rank} from (select *, {asked.ranking.value}() over ({partition} order by {order}) as r"
            f" from frame) where r between {asked.first} and {asked.last}"
        ).fetchall()
    )


@pytest.mark.parametrize("retracts", [False, True])
@given(st.data())
@settings(max_examples=300, deadline=None)
def test_changes_add_up_to_the_ranks_of_what_is_left(retracts, data):
    asked, history = data.draw(questions()), data.draw(histories(retracts=retracts))
    running = operator(asked, retracts=retracts)
    table: Counter = Counter()
    left = list(history)
    while left:
        size = data.draw(st.integers(1, len(left)))
        rows, left = left[:size], left[size:]
        frame = pl.DataFrame([(*row, one) for row, one in rows], schema={**COLUMNS, WEIGHT: pl.Int64()}, orient="row")
        for given_out in running.process(0, frame if retracts else frame.drop(WEIGHT)).batches:
            for *values, weight in given_out.rows():
                table[tuple(values)] += weight
                assert table[tuple(values)] in (0, 1)
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(asked, retracts=retracts)
            running.restore(state)
    for given_out in running.advance(END_OF_TIME).batches:
        assert not asked.updating
        table.update(given_out.rows())
    living: Counter = Counter()
    for row, weight in history:
        living[row] += weight
    assert +table == expected(asked, list(living.elements()))


def best(rank: str | None, count: int = 2) -> TopN:
    order = (SortKey("v", descending=True),)
    return operator(TopNRows(COLUMNS, ("k",), order, Ranking.ROW_NUMBER, 1, count, rank, True), retracts=False)


def rows(*values: tuple) -> pl.DataFrame:
    return pl.DataFrame(values, schema=COLUMNS, orient="row")


def test_with_its_rank_a_row_that_moves_is_given_again():
    running = best("rank")
    running.process(0, rows(("a", 5, 1), ("a", 3, 2)))
    (changes,) = running.process(0, rows(("a", 4, 3), ("a", 9, 4))).batches
    assert changes.select("id", "rank", WEIGHT).rows() == [(1, 1, -1), (4, 1, 1), (2, 2, -1), (1, 2, 1)]


def test_without_its_rank_a_row_that_moves_is_left_alone():
    running = best(None)
    running.process(0, rows(("a", 5, 1), ("a", 3, 2)))
    (changes,) = running.process(0, rows(("a", 9, 4))).batches
    assert changes.select("id", WEIGHT).rows() == [(2, -1), (4, 1)]


def test_equal_rows_stand_in_order_of_arrival():
    running = best("rank")
    running.process(0, rows(("a", 5, 1), ("a", 5, 2)))
    assert running.process(0, rows(("a", 5, 3))).batches == ()


def test_a_row_that_went_stands_where_it_comes_anew():
    asked = TopNRows(COLUMNS, (), (SortKey("v"),), Ranking.ROW_NUMBER, 1, 1, None, True)
    for cut in (1, 3):
        running = operator(asked, retracts=True)
        running.process(0, rows(("a", 5, 1), ("a", 5, 2)))
        again = rows(("a", 5, 1), ("a", 5, 1)).with_columns(pl.Series(WEIGHT, [-1, 1]))
        given_out = [out for at in range(0, 2, cut) for out in running.process(0, again[at : at + cut]).batches]
        assert [one for frame in given_out for one in frame.select("id", WEIGHT).rows()] == [(1, -1), (2, 1)]


def test_only_as_many_rows_as_are_asked_for_are_kept():
    running = best(None, 3)
    for start in range(0, 1000, 100):
        running.process(0, rows(*(("a", value, value) for value in range(start, start + 100))))
    assert running.snapshot()["kept"]["v"].to_list() == [997, 998, 999]


@pytest.mark.parametrize("retracts", [False, True])
def test_untouched_rows_are_forgotten_after_their_time_to_live(retracts):
    clock = ManualClock()
    asked = TopNRows(COLUMNS, ("k",), (SortKey("v"),), Ranking.ROW_NUMBER, 1, 1, None, True)
    running = operator(asked, retracts=retracts, clock=clock, ttl_ms=1_000)
    running.process(0, rows(("a", 1, 1)))
    clock.advance_ms(2_000)
    (changes,) = running.process(0, rows(("a", 7, 2))).batches
    assert changes.select("id", WEIGHT).rows() == [(2, 1)]
