"""OVER: however the input is cut, each row in time has what DuckDB says of it, and late ones are set aside."""

from __future__ import annotations

import math
from collections import Counter

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ordering import late_of

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.compile.expressions import EvaluationContext
from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME
from yeoul.engine.runtime.build.ordered import over_operator
from yeoul.engine.runtime.settings import Settings
from yeoul.plan.expressions import AggregateCall, Call, ColumnRef, Literal
from yeoul.plan.nodes import Aggregation, Field, Over, Schema, Values
from yeoul.plan.ordering import Frame, FrameUnit, OverTime, SortKey
from yeoul.plan.types import BIGINT, BOOLEAN, DOUBLE, STRING, decimal, timestamp

DELAY_MS = 3
FIELDS = (
    Field("k", STRING),
    Field("ts", timestamp(3), is_rowtime=True),
    Field("id", BIGINT),
    Field("n", BIGINT),
    Field("x", DOUBLE),
    Field("s", STRING),
    Field("d", decimal(10, 2)),
)
SCHEMA = {
    "k": pl.String(),
    "ts": pl.Datetime("ms"),
    "id": pl.Int64(),
    "n": pl.Int64(),
    "x": pl.Float64(),
    "s": pl.String(),
    "d": pl.Decimal(10, 2),
}
N, X, S, D = (ColumnRef(one.name, one.type) for one in FIELDS[3:])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.integers(0, 30),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.sampled_from([None, 0.5, -1.25, 1e15, 1e-9]),
        st.sampled_from([None, "u", "v", "a text longer than twelve"]),
    ),
    max_size=30,
)
POSITIVE = Call("greater", (N, Literal(0, BIGINT)), BOOLEAN)
CALLS = {
    "c": (AggregateCall("count_star", (), BIGINT.not_null()), "count(*)"),
    "cn": (AggregateCall("count", (N,), BIGINT.not_null()), "count(n)"),
    "total": (AggregateCall("sum", (N,), BIGINT), "sum(n)::bigint"),
    "fsum": (AggregateCall("sum", (X,), DOUBLE), "fsum(x)"),
    "mean": (AggregateCall("avg", (N,), BIGINT), "trunc(sum(n) / count(n))::bigint"),
    "least": (AggregateCall("min", (S,), STRING), "min(s)"),
    "most": (AggregateCall("max", (N,), BIGINT), "max(n)"),
    "first": (AggregateCall("first_value", (N,), BIGINT), "arg_min(n, o) filter (where n is not null)"),
    "last": (AggregateCall("last_value", (S,), STRING), "arg_max(s, o) filter (where s is not null)"),
    "some": (AggregateCall("sum", (N,), BIGINT, filter=POSITIVE), "(sum(n) filter (where n > 0))::bigint"),
    "dsum": (AggregateCall("sum", (D,), decimal(38, 2)), "sum(d)"),
    "kinds": (AggregateCall("count", (S,), BIGINT.not_null(), distinct=True), "count(distinct s)"),
    "all": (AggregateCall("listagg", (S,), STRING), "string_agg(s, ',' order by o)"),
}
RANKS = {name: AggregateCall(name, (), BIGINT.not_null()) for name in ("row_number", "rank", "dense_rank")}


def node(calls, frame: Frame, partition=("k",), time=OverTime.EVENT) -> Over:
    below = Schema(FIELDS)
    named = tuple(Aggregation(name, call) for name, call in calls.items())
    schema = Schema((*FIELDS, *(Field(name, call.type) for name, call in calls.items())))
    return Over(Values((), below), partition, (SortKey("ts"),), frame, named, time, schema)


def made(plan: Over, clock=SYSTEM_CLOCK, ttl_ms: int = 0):
    return over_operator(plan, EvaluationContext(), Settings(clock=clock, state_ttl_ms=ttl_ms or None))


def frame_of(events) -> pl.DataFrame:
    rows = [(key, time, at, n, x, s, n) for at, (key, time, n, x, s) in enumerate(events)]
    loose = {**SCHEMA, "ts": pl.Int64(), "d": pl.Int64()}
    frame = pl.DataFrame(rows, schema=loose, orient="row")
    return frame.with_columns(pl.col("ts").cast(pl.Datetime("ms")), (pl.col("d").cast(pl.Decimal(10, 2))))


def driven(make, events, data) -> tuple[pl.DataFrame | None, list[int]]:
    every, watermark, at = frame_of(events), START_OF_TIME, 0
    running, batches, late = make(), [], []
    while at < len(events):
        size, before = data.draw(st.integers(1, len(events) - at)), []
        for _, time, *_ in events[at : at + size]:
            before.append(watermark)
            watermark = max(watermark, time - DELAY_MS)
        numbers = pl.int_range(at, at + size, dtype=pl.UInt32, eager=True).alias(ROW)
        batch = every[at : at + size].with_columns(pl.Series(WATERMARK, before, dtype=pl.Int64), numbers)
        at += size
        for output in (running.process(0, batch), running.advance(watermark)):
            batches += [one.drop(WATERMARK, ROW, strict=False) for one in output.batches]
            if output.late is not None:
                late += output.late.frame[ROW].to_list()
        if data.draw(st.booleans()):
            state, running = running.snapshot(), make()
            running.restore(state)
    batches += running.advance(END_OF_TIME).batches
    return (pl.concat(batches) if batches else None), late


def expected(rows: pl.DataFrame, columns: dict[str, str], frame: str, partition: str) -> dict:
    """Asks DuckDB frame by frame: a frame's rows by a join of the table with itself, then plain aggregates over it."""
    texts = ", ".join(f"{text} as {name}" for name, text in columns.items())
    found = duckdb.sql(
        f"with t as (select *, row_number() over ({partition} order by ts, id) as o from rows)"
        f" select m.me, {texts} from (select id as me, o as me_o, ts as me_ts, k as me_k from t) as m"
        f" join t on {frame} group by m.me"
    )
    return {row[0]: row[1:] for row in found.fetchall()}


FRAMES = {
    "all before": (Frame(FrameUnit.RANGE), "t.ts <= m.me_ts"),
    "all rows before": (Frame(FrameUnit.ROWS), "t.o <= m.me_o"),
    "three rows": (Frame(FrameUnit.ROWS, 2), "t.o between m.me_o - 2 and m.me_o"),
    "this row": (Frame(FrameUnit.ROWS, 0), "t.o = m.me_o"),
    "five ms": (Frame(FrameUnit.RANGE, 5), "t.ts between m.me_ts - interval 5 milliseconds and m.me_ts"),
    "this instant": (Frame(FrameUnit.RANGE, 0), "t.ts = m.me_ts"),
}
AT_END = {
    **FRAMES,
    "the whole": (Frame(FrameUnit.ROWS, None, None), "true"),
    "around": (Frame(FrameUnit.ROWS, 1, 2), "t.o between m.me_o - 1 and m.me_o + 2"),
    "time around": (
        Frame(FrameUnit.RANGE, 2, 4),
        "t.ts between m.me_ts - interval 2 milliseconds and m.me_ts + interval 4 milliseconds",
    ),
    "all behind": (Frame(FrameUnit.RANGE, 0, None), "t.ts >= m.me_ts"),
}


def compare(given_out, rows, columns, condition, partition) -> None:
    if partition:
        condition += " and t.k is not distinct from m.me_k"
    wanted = expected(rows, columns, condition, "partition by k" if partition else "")
    got = {} if given_out is None else {row[0]: row[1:] for row in given_out.select("id", *columns).rows()}
    assert got.keys() == wanted.keys()
    for key, values in wanted.items():
        for name, left, right in zip(columns, got[key], values, strict=True):
            assert left == right or math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-6), (key, name, left, right)


@pytest.mark.parametrize("name", list(FRAMES))
@given(EVENTS, st.sampled_from([(), ("k",)]), st.data())
@settings(max_examples=25, deadline=None)
def test_by_event_time(name, events, partition, data):
    frame, condition = FRAMES[name]
    plan = node({name: call for name, (call, _) in CALLS.items()}, frame, partition)
    given_out, late = driven(lambda: made(plan), events, data)
    assert late == late_of([(key, time) for key, time, *_ in events])
    rows = frame_of(events).filter(~pl.col("id").is_in(late))
    compare(given_out, rows, {name: text for name, (_, text) in CALLS.items()}, condition, partition)
    if given_out is not None:
        assert given_out["ts"].is_sorted()


@pytest.mark.parametrize("name", list(AT_END))
@given(EVENTS, st.sampled_from([(), ("k",)]), st.data())
@settings(max_examples=15, deadline=None)
def test_at_the_end_of_the_input(name, events, partition, data):
    frame, condition = AT_END[name]
    plan = node({name: call for name, (call, _) in CALLS.items()}, frame, partition, OverTime.END)
    given_out, late = driven(lambda: made(plan), events, data)
    assert late == []
    compare(given_out, frame_of(events), {name: text for name, (_, text) in CALLS.items()}, condition, partition)


@given(EVENTS, st.sampled_from([None, 0, 2]), st.data())
@settings(max_examples=40, deadline=None)
def test_by_processing_time_rows_are_in_order_as_they_arrive(events, preceding, data):
    calls = {"total": CALLS["total"][0], "most": CALLS["most"][0], "all": CALLS["all"][0]}
    unit = FrameUnit.RANGE if preceding is None else FrameUnit.ROWS
    given_out, _ = driven(lambda: made(node(calls, Frame(unit, preceding), time=OverTime.PROCESSING)), events, data)
    for at, (key, *_) in enumerate(events):
        seen = [one for one in events[: at + 1] if one[0] == key]
        seen = seen if preceding is None else seen[-preceding - 1 :]
        numbers, texts = [one[2] for one in seen if one[2] is not None], [one[4] for one in seen if one[4] is not None]
        wanted = (sum(numbers), max(numbers)) if numbers else (None, None)
        assert given_out.row(at)[-3:] == (*wanted, ",".join(texts) if texts else None)


@pytest.mark.parametrize("time", [OverTime.EVENT, OverTime.END])
@given(EVENTS, st.data())
@settings(max_examples=40, deadline=None)
def test_ranks(time, events, data):
    given_out, late = driven(lambda: made(node(RANKS, Frame(FrameUnit.ROWS), time=time)), events, data)
    rows = frame_of(events).filter(~pl.col("id").is_in(late))  # noqa: F841
    wanted = duckdb.sql(
        "select id, row_number() over (partition by k order by ts, id), rank() over (partition by k order by ts),"
        " dense_rank() over (partition by k order by ts) from rows"
    ).fetchall()
    assert Counter(wanted) == Counter([] if given_out is None else given_out.select("id", *RANKS).rows())


@pytest.mark.parametrize("time", [OverTime.EVENT, OverTime.END])
@given(EVENTS, st.data())
@settings(max_examples=40, deadline=None)
def test_the_rows_before_and_behind(time, events, data):
    calls = {
        "one": AggregateCall("lag", (N,), BIGINT),
        "two": AggregateCall("lag", (S, Literal(2, BIGINT), Literal("none", STRING)), STRING),
        "own": AggregateCall("lag", (N, Literal(1, BIGINT), ColumnRef("id", BIGINT)), BIGINT),
    }
    texts = {"one": "lag(n)", "two": "lag(s, 2, 'none')", "own": "lag(n, 1, id)"}
    if time is OverTime.END:
        calls["next"], texts["next"] = AggregateCall("lead", (S, Literal(2, BIGINT)), STRING), "lead(s, 2)"
    plan = node(calls, Frame(FrameUnit.ROWS, 2, 2 if time is OverTime.END else 0), time=time)
    given_out, late = driven(lambda: made(plan), events, data)
    rows = frame_of(events).filter(~pl.col("id").is_in(late))  # noqa: F841
    columns = ", ".join(f"{text} over (partition by k order by ts, id)" for text in texts.values())
    wanted = duckdb.sql(f"select id, {columns} from rows").fetchall()
    assert Counter(wanted) == Counter([] if given_out is None else given_out.select("id", *calls).rows())


def test_infinities_and_nan_count_only_where_they_are_in_the_frame():
    plan = node({"total": AggregateCall("sum", (X,), DOUBLE)}, Frame(FrameUnit.ROWS, 1), ())
    running = made(plan)
    events = [("a", at, 1, x, None) for at, x in enumerate([1.0, math.inf, 2.0, math.nan, 3.0, 4.0])]
    running.process(0, frame_of(events))
    totals = running.advance(100).batches[0]["total"].to_list()
    assert totals[:3] == [1.0, math.inf, math.inf]
    assert math.isnan(totals[3])
    assert math.isnan(totals[4])
    assert totals[5] == 7.0


def test_only_what_is_looked_back_at_is_remembered():
    events = [("a", at, 1, None, None) for at in range(100)]
    for frame, rows in ((Frame(FrameUnit.ROWS, 4), 4), (Frame(FrameUnit.RANGE, 7), 7), (Frame(FrameUnit.RANGE), 1)):
        running = made(node({"c": CALLS["c"][0]}, frame))
        for at in range(0, 100, 10):
            running.process(0, frame_of(events)[at : at + 10])
            running.advance(at + 9)
        state = {name: one for name, one in running.snapshot().items() if name in ("rows", "partitions")}
        assert [one.height for one in state.values()] == [rows]


@pytest.mark.parametrize("frame", [Frame(FrameUnit.ROWS, 4), Frame(FrameUnit.ROWS)])
def test_an_untouched_partition_is_forgotten_after_its_time_to_live(frame):
    clock = ManualClock()
    running = made(node({"c": CALLS["c"][0]}, frame, time=OverTime.PROCESSING), clock, 1_000)
    row = frame_of([("a", 1, 1, None, None)])
    other = frame_of([("b", 1, 1, None, None)])
    for one in (row, row, other):
        running.process(0, one)
        clock.advance_ms(600 if one is other else 0)
    clock.advance_ms(2_000)
    running.process(0, other)
    assert running.process(0, row).batches[0]["c"].to_list() == [1]
