"""The aggregate that gives changes: however its input is cut, what it gave adds up to DuckDB's answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import duckdb
import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK, Clock, ManualClock
from yeoul.engine.compile.aggregates import compile_aggregate, compile_aggregates, compile_distinct, split_distinct
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.changes.drop_unchanged import DropUnchanged
from yeoul.engine.operators.changes.encode import DELETE
from yeoul.engine.operators.changes.upserts import EncodeUpserts
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.plan.expressions import AggregateCall, ColumnRef, Literal
from yeoul.plan.nodes import Aggregation
from yeoul.plan.types import BIGINT, DOUBLE, STRING, DataType, Kind

N, X, S = ColumnRef("n", BIGINT), ColumnRef("x", DOUBLE), ColumnRef("s", STRING)
B = ColumnRef("b", DataType(Kind.BOOLEAN))
PAIRS = "count(distinct case when n is not null and s is not null then (n, s) end)"
CALLS = {
    "count": (AggregateCall("count_star", (), BIGINT.not_null()), "count(*)"),
    "known": (AggregateCall("count", (N,), BIGINT.not_null()), "count(n)"),
    "total": (AggregateCall("sum", (N,), BIGINT), "sum(n)::bigint"),
    "exact": (AggregateCall("sum", (X,), DOUBLE), "sum(x)"),
    "least": (AggregateCall("min", (S,), STRING), "min(s)"),
    "most": (AggregateCall("max", (N,), BIGINT), "max(n)"),
    "kinds": (AggregateCall("count", (S,), BIGINT.not_null(), distinct=True), "count(distinct s)"),
    "some": (AggregateCall("count_star", (), BIGINT.not_null(), filter=B), "count(*) filter (where b)"),
    "some_kinds": (
        AggregateCall("count", (S,), BIGINT.not_null(), distinct=True, filter=B),
        "count(distinct s) filter (where b)",
    ),
    "numbers": (AggregateCall("count", (N,), BIGINT.not_null(), distinct=True), "count(distinct n)"),
    "added": (AggregateCall("sum", (N,), BIGINT, distinct=True), "sum(distinct n)::bigint"),
    "halves": (AggregateCall("avg", (X,), DOUBLE, distinct=True, filter=B), "avg(distinct x) filter (where b)"),
    "pairs": (AggregateCall("count", (N, S), BIGINT.not_null(), distinct=True), PAIRS),
}
SCHEMA = {"k": pl.String, "n": pl.Int64, "x": pl.Float64, "s": pl.String, "b": pl.Boolean, WEIGHT: pl.Int64}
ROW = st.tuples(
    st.sampled_from(["a", "b", None, "a key that is longer than twelve bytes"]),
    st.one_of(st.none(), st.integers(-3, 3)),
    st.sampled_from([None, 0.5, -1.25, 8.0]),
    st.sampled_from([None, "u", "v", "w"]),
    st.sampled_from([None, True, False]),
)


def operator(
    *,
    retracts: bool,
    keys: tuple[str, ...] = ("k",),
    clock: Clock = SYSTEM_CLOCK,
    ttl_ms: int | None = None,
    gives_before: bool = True,
    names: Collection[str] = tuple(CALLS),
) -> GroupAggregate:
    weight = WEIGHT if retracts else None
    calls = [Aggregation(name, call) for name, (call, _) in CALLS.items() if name in names]
    plain, sharing = split_distinct(calls, weighted=retracts)
    return GroupAggregate(
        [(key, pl.col(key)) for key in keys],
        compile_aggregates(plain, None, weight),
        [*keys, *(one.name for one in calls)],
        retracts=retracts,
        clock=clock,
        ttl_ms=ttl_ms,
        distinct=compile_distinct(sharing, None, weight),
        gives_before=gives_before,
    )


def plain(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: SCHEMA[name] for name in "knxsb"}, orient="row")


def expected(rows: list[tuple], keys: tuple[str, ...]) -> Counter:
    frame = pl.DataFrame(rows, schema={name: SCHEMA[name] for name in "knxsb"}, orient="row")  # noqa: F841
    columns = ", ".join([*keys, *(text for _, text in CALLS.values())])
    grouped = f"group by {', '.join(keys)}" if keys else "having count(*) > 0"
    return Counter(duckdb.sql(f"select {columns} from frame {grouped}").fetchall())


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[tuple, int]]:
    """Rows that come and, some of them, go again; never before they came."""
    living: list[tuple] = []
    history: list[tuple[tuple, int]] = []
    for row in draw(st.lists(ROW, max_size=30)):
        history.append((row, 1))
        living.append(row)
        if draw(st.booleans()):
            gone = living.pop(draw(st.integers(0, len(living) - 1)))
            history.append((gone, -1))
    return history


@given(histories(), st.integers(1, 8), st.sets(st.sampled_from(sorted(CALLS)), min_size=1))
@settings(max_examples=200, deadline=None)
def test_without_what_was_a_table_told_by_key_is_told_the_same(history, size, names):
    retracts = any(weight < 0 for _, weight in history)
    whole, lean = (operator(retracts=retracts, names=names, gives_before=each) for each in (True, False))
    from_whole, told_once = EncodeUpserts(["k"]), EncodeUpserts(["k"], told_once=True)
    for start in range(0, len(history), size):
        rows = [(*row, weight) for row, weight in history[start : start + size]]
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        frame = frame if retracts else frame.drop(WEIGHT)
        given, given_lean = (one.process(0, frame).batches for one in (whole, lean))
        told, told_lean, told_of_both = (
            [row for batch in batches for row in encode.transform(batch).rows()]
            for batches, encode in ((given, from_whole), (given_lean, told_once), (given, told_once))
        )
        for other in (told_lean, told_of_both):
            assert [row for row in told if row[-1] != DELETE] == [row for row in other if row[-1] != DELETE]
            assert [row[0] for row in told if row[-1] == DELETE] == [row[0] for row in other if row[-1] == DELETE]


@given(histories(), st.integers(1, 8), st.sets(st.sampled_from(sorted(CALLS)), min_size=1))
@settings(max_examples=100, deadline=None)
def test_without_what_is_unchanged_some_columns_are_given_as_by_an_aggregate_of_their_own(history, size, names):
    retracts = any(weight < 0 for _, weight in history)
    whole, own = operator(retracts=retracts), operator(retracts=retracts, names=names)
    columns = ["k", *(name for name in CALLS if name in names), WEIGHT]
    for start in range(0, len(history), size):
        rows = [(*row, weight) for row, weight in history[start : start + size]]
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        frame = frame if retracts else frame.drop(WEIGHT)
        cut = [DropUnchanged().transform(batch.select(columns)) for batch in whole.process(0, frame).batches]
        given = own.process(0, frame).batches
        assert [row for batch in cut for row in batch.rows()] == [row for batch in given for row in batch.rows()]


@given(histories(), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_changes_add_up_to_the_batch_answer(history, has_key, data):
    keys = ("k",) if has_key else ()
    retracts = any(weight < 0 for _, weight in history)
    table: Counter = Counter()
    running = operator(retracts=retracts, keys=keys)
    left = list(history)
    while left:
        size = data.draw(st.integers(1, len(left)))
        rows, left = left[:size], left[size:]
        frame = pl.DataFrame([(*row, weight) for row, weight in rows], schema=SCHEMA, orient="row")
        for given_out in running.process(0, frame if retracts else frame.drop(WEIGHT)).batches:
            for *values, weight in given_out.rows():
                table[tuple(values)] += weight
                assert table[tuple(values)] in (0, 1), "what was given before is taken back, and nothing else"
        if data.draw(st.booleans()):
            state, running = running.snapshot(), operator(retracts=retracts, keys=keys)
            running.restore(state)
    living: Counter = Counter()
    for row, weight in history:
        living[row] += weight
    assert +table == expected(list(living.elements()), keys)


def test_an_update_is_what_was_and_right_behind_what_is():
    running = operator(retracts=False)
    rows = plain(("a", 1, None, "u", True), ("b", 2, None, "v", None))
    running.process(0, rows)
    (changes,) = running.process(0, rows).batches
    assert changes.select("k", "count", WEIGHT).rows() == [("a", 1, -1), ("a", 2, 1), ("b", 1, -1), ("b", 2, 1)]


def test_a_group_that_stays_the_same_is_not_given_again():
    call = AggregateCall("max", (N,), BIGINT)
    compiled = [compile_aggregate(call, "m")]
    running = GroupAggregate([("k", pl.col("k"))], compiled, ["k", "m"], retracts=False, clock=SYSTEM_CLOCK)
    assert len(running.process(0, pl.DataFrame({"k": [1], "n": [5]})).batches) == 1
    assert running.process(0, pl.DataFrame({"k": [1], "n": [4]})).batches == ()


def test_an_untouched_group_is_forgotten_after_its_time_to_live():
    clock = ManualClock()
    running = operator(retracts=False, clock=clock, ttl_ms=1_000)
    running.process(0, plain(("a", 1, None, "u", True)))
    clock.advance_ms(2_000)
    (changes,) = running.process(0, plain(("a", 1, None, "u", True))).batches
    assert changes.select("k", "count", WEIGHT).rows() == [("a", 1, 1)]


def distinct_counts(
    clock: Clock = SYSTEM_CLOCK, ttl_ms: int | None = None, *, retracts: bool = False
) -> GroupAggregate:
    count = Aggregation("kinds", AggregateCall("count", (N,), BIGINT.not_null(), distinct=True))
    weight = WEIGHT if retracts else None
    values = compile_distinct([[count]], None, weight)
    keys, settings_ = [("k", pl.col("k"))], {"retracts": retracts, "clock": clock, "ttl_ms": ttl_ms}
    return GroupAggregate(keys, [], ["k", "kinds"], distinct=values, **settings_)


def test_a_group_that_comes_again_has_none_of_its_former_values():
    running = distinct_counts(retracts=True)
    rows = pl.DataFrame({"k": ["a", "a"], "n": [1, 2], WEIGHT: [1, 1]})
    running.process(0, rows)
    running.process(0, pl.DataFrame({"k": ["a", "a"], "n": [7, 8], WEIGHT: [-1, -1]}))
    (changes,) = running.process(0, rows).batches
    assert changes.rows() == [("a", 2, 1)]


def test_what_a_time_to_live_forgets_gives_its_memory_back():
    clock = ManualClock()
    running = distinct_counts(clock, ttl_ms=1_000)
    running.process(0, pl.DataFrame({"k": ["a"], "n": [0]}))
    empty_bytes, many = running.size_bytes, np.arange(200_000)
    running.process(0, pl.DataFrame({"k": many.astype(str), "n": many}))
    full_bytes = running.size_bytes
    clock.advance_ms(2_000)
    running.process(0, pl.DataFrame({"k": ["a"], "n": [0]}))
    assert full_bytes > 10 * empty_bytes
    assert running.size_bytes < 2 * empty_bytes


def test_what_an_event_costs_in_memory_does_not_grow_with_its_group():
    running, sizes = distinct_counts(), []
    for batch in range(4):
        running.process(0, pl.DataFrame({"k": ["a"] * 50_000, "n": np.arange(50_000) % 100 + batch}))
        sizes.append(running.size_bytes)
    assert sizes[3] == sizes[0]


def test_listagg_and_last_value_forget_what_is_taken_back():
    calls = {
        "all": AggregateCall("listagg", (S, Literal("-", STRING)), STRING),
        "last": AggregateCall("last_value", (S,), STRING),
        "first": AggregateCall("first_value", (S,), STRING),
    }
    compiled = [compile_aggregate(call, name, None, WEIGHT) for name, call in calls.items()]
    running = GroupAggregate([], compiled, list(calls), retracts=True, clock=SYSTEM_CLOCK)
    running.process(0, pl.DataFrame({"s": ["a", "b", "c"], WEIGHT: [1, 1, 1]}))
    (changes,) = running.process(0, pl.DataFrame({"s": ["c", "a"], WEIGHT: [-1, -1]})).batches
    assert changes.rows() == [("a-b-c", "c", "a", -1), ("b", "b", "b", 1)]
