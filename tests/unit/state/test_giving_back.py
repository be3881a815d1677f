"""Memory of what has expired comes back, whoever kept it: after very many keys, few keys take little."""

from __future__ import annotations

import polars as pl
import pytest

from yeoul.clock import ManualClock
from yeoul.engine.operators.joins.interval import IntervalJoin
from yeoul.engine.operators.joins.regular import Join
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.engine.operators.joins.temporal import TemporalJoin
from yeoul.engine.operators.ordered.lookback import LastTime
from yeoul.engine.operators.ordered.over import Over, OverFunction, OverWindow
from yeoul.engine.operators.ordered.retractable_top_n import RetractableTopN
from yeoul.engine.operators.ordered.top_n import TopN
from yeoul.engine.operators.ordered.top_n_rows import TopNRows
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.join_bounds import AsOf, Interval
from yeoul.plan.join_state import COUNTED, RowsKept, SideState
from yeoul.plan.nodes import JoinKind
from yeoul.plan.ordering import Frame, FrameUnit, OverTime, Ranking, SortKey
from yeoul.plan.types import BIGINT

MANY, FEW = 100_000, 10
TTL_MS = 1_000
LEFT = {"k": pl.Int64(), "v": pl.String(), "t": pl.Datetime("ms")}
RIGHT = {"j": pl.Int64(), "w": pl.String(), "u": pl.Datetime("ms")}


def rows(first: int, count: int, time_ms: int, columns=LEFT) -> pl.DataFrame:
    numbers = pl.int_range(first, first + count, eager=True)
    times = pl.repeat(time_ms, count, dtype=pl.Int64, eager=True).cast(pl.Datetime("ms"))
    return pl.DataFrame(dict(zip(columns, (numbers, numbers.cast(pl.String), times), strict=True)))


def sides(kind: JoinKind = JoinKind.LEFT, state: SideState = COUNTED) -> JoinSides:
    left, right = JoinSide(LEFT, [pl.col("k")], state), JoinSide(RIGHT, [pl.col("j")], state)
    return JoinSides(left, right, kind, None, [*LEFT, *RIGHT])


def ranked(make, clock: ManualClock):
    asked = TopNRows(LEFT, ["k"], (SortKey("v"),), Ranking.ROW_NUMBER, 1, 2, None, True)
    return make(asked, clock=clock, ttl_ms=TTL_MS)


def joined(state: SideState, clock: ManualClock) -> Join:
    return Join(sides(state=state), weighted=True, clock=clock, ttls_ms=(TTL_MS, None))


BY_CLOCK = {
    "Top-N": lambda clock: ranked(TopN, clock),
    "Top-N of rows that are taken back": lambda clock: ranked(RetractableTopN, clock),
    "join, standing rows": lambda clock: joined(SideState(RowsKept.STANDING), clock),
    "join, a row for each key": lambda clock: joined(SideState(RowsKept.ONE_PER_KEY), clock),
    "join, unique rows": lambda clock: joined(SideState(RowsKept.UNIQUE, ("v",)), clock),
    "join, counted rows": lambda clock: joined(COUNTED, clock),
}


@pytest.mark.parametrize("make", BY_CLOCK.values(), ids=BY_CLOCK)
def test_what_was_not_touched_for_its_time_to_live_gives_its_memory_back(make):
    clock = ManualClock()
    operator = make(clock)
    operator.process(0, rows(0, MANY, 0))
    most = operator.size_bytes
    clock.advance_ms(2 * TTL_MS)
    operator.process(0, rows(MANY, FEW, 0))
    assert operator.size_bytes < most / 20
    (kept,) = (frame for name, frame in operator.snapshot().items() if name in ("kept", "rows", "left"))
    assert kept["k"].to_list() == list(range(MANY, MANY + FEW))


def test_versions_of_keys_that_are_not_in_use_give_their_memory_back():
    clock = ManualClock()
    operator = TemporalJoin(sides(), AsOf("t", "u"), clock=clock, ttl_ms=TTL_MS)
    operator.process(1, rows(0, MANY, 1, RIGHT))
    operator.advance(1)
    most = operator.size_bytes
    clock.advance_ms(2 * TTL_MS)
    operator.process(1, rows(MANY, FEW, 2, RIGHT))
    operator.advance(2)
    assert operator.size_bytes < most / 20
    operator.process(0, rows(MANY - 1, 2, 3))
    (given,) = operator.advance(4).batches
    assert given["w"].to_list() == [None, str(MANY)]


def test_old_versions_give_their_memory_back():
    operator = TemporalJoin(sides(), AsOf("t", "u"), clock=ManualClock())
    for turn in range(MANY // 1_000):
        operator.process(1, rows(0, 1_000, turn, RIGHT))
    most = operator.size_bytes
    operator.advance(MANY)
    assert operator.size_bytes < most / 10
    operator.process(0, rows(999, 2, MANY + 1))
    (given,) = operator.advance(MANY + 2).batches
    assert given["w"].to_list() == ["999", None]


def test_rows_whose_interval_has_passed_give_their_memory_back():
    operator = IntervalJoin(sides(JoinKind.INNER), Interval("t", "u", 0, 100), ManualClock())
    operator.process(1, rows(0, MANY, 0, RIGHT))
    operator.process(1, rows(MANY, FEW, 500, RIGHT))
    most = operator.size_bytes
    operator.advance(400)
    assert operator.size_bytes < most / 20
    (given,) = operator.process(0, rows(MANY - 1, 2, 550)).batches
    assert given["w"].to_list() == [str(MANY)]
    operator.advance(700)
    assert not operator.process(0, rows(MANY, 1, 600)).batches


def test_rows_that_no_frame_reaches_give_their_memory_back():
    window = OverWindow(list(LEFT), ["k"], [SortKey("t")], Frame(FrameUnit.RANGE, 100), OverTime.EVENT)
    number = OverFunction("n", AggregateCall("row_number", (), BIGINT.not_null()), pl.Int64())
    operator = Over(window, [number], LastTime(100))
    operator.process(0, rows(0, MANY, 0))
    operator.advance(50)
    most = operator.size_bytes
    operator.process(0, rows(MANY, FEW, 500))
    operator.advance(500)
    operator.process(0, rows(MANY, FEW, 550))
    operator.advance(550)
    assert operator.size_bytes < most / 20
    assert operator.snapshot()["rows"]["$key0"].to_list() == [key for key in range(MANY, MANY + FEW) for _ in range(2)]
    operator.advance(651)
    assert not operator.snapshot()["rows"].height
