"""The aggregate that gives changes: which keys are one, and groups that come and go within a batch or a snapshot."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest

from yeoul.clock import SYSTEM_CLOCK, Clock, ManualClock
from yeoul.engine.compile.aggregates import compile_aggregates
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.plan.expressions import AggregateCall, ColumnRef
from yeoul.plan.nodes import Aggregation
from yeoul.plan.types import BIGINT, DOUBLE, DataType, Kind

N, X = ColumnRef("n", BIGINT), ColumnRef("x", DOUBLE)
COUNT = AggregateCall("count_star", (), BIGINT.not_null())
SUM = AggregateCall("sum", (N,), BIGINT)
MAX = AggregateCall("max", (N,), BIGINT)


def counting(
    *,
    retracts: bool = False,
    calls: dict[str, AggregateCall] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    ttl_ms: int | None = None,
) -> GroupAggregate:
    chosen = calls or {"c": COUNT, "s": SUM}
    named = [Aggregation(name, call) for name, call in chosen.items()]
    aggregates = compile_aggregates(named, None, WEIGHT if retracts else None)
    columns, times = ["k", *chosen], {"clock": clock, "ttl_ms": ttl_ms}
    return GroupAggregate([("k", pl.col("k"))], aggregates, columns, retracts=retracts, **times)


def restored(running: GroupAggregate, **settings: Any) -> GroupAggregate:
    again = counting(**settings)
    again.restore(running.snapshot())
    return again


def rows(keys: list[Any], weights: list[int] | None = None, dtype: Any = None) -> pl.DataFrame:
    frame = pl.DataFrame({"k": pl.Series(keys, dtype=dtype), "n": np.arange(1, len(keys) + 1)})
    return frame if weights is None else frame.with_columns(pl.Series(WEIGHT, weights))


def changes(running: GroupAggregate, batch: pl.DataFrame) -> list[tuple[Any, ...]]:
    return [row for given in running.process(0, batch).batches for row in given.rows()]


@pytest.mark.parametrize("is_restored", [False, True])
def test_zeros_are_one_key_and_what_is_taken_back_is_what_was_given(is_restored: bool) -> None:
    running = counting()
    assert changes(running, rows([0.0])) == [(0.0, 1, 1, 1)]
    running = restored(running) if is_restored else running
    given = changes(running, rows([-0.0, 7.0]))
    assert given == [(0.0, 1, 1, -1), (0.0, 2, 2, 1), (7.0, 1, 2, 1)]
    assert [math.copysign(1, key) for key, *_ in given] == [1, 1, 1]


def test_a_zero_that_went_comes_again_as_it_is() -> None:
    running = counting(retracts=True)
    changes(running, rows([0.0], [1]))
    changes(running, rows([-0.0], [-1]))
    ((key, *values),) = changes(running, rows([-0.0], [1]))
    assert (math.copysign(1, key), *values) == (-1, 1, 1, 1)


@pytest.mark.parametrize("is_restored", [False, True])
def test_every_nan_is_one_key_and_every_null_is_one(is_restored: bool) -> None:
    running = counting()
    changes(running, rows([float("nan"), None], dtype=pl.Float64))
    running = restored(running) if is_restored else running
    given = changes(running, rows([None, -float("nan"), None], dtype=pl.Float64))
    assert [(None if key is None else str(key), *values) for key, *values in given] == [
        (None, 1, 2, -1),
        (None, 3, 6, 1),
        ("nan", 1, 1, -1),
        ("nan", 2, 3, 1),
    ]


def test_fields_of_keys_are_taken_back_as_they_were_given() -> None:
    running = counting()
    changes(running, rows([{"a": 0.0, "b": None}]))
    given = changes(running, rows([{"a": -0.0, "b": None}]))
    assert [math.copysign(1, key["a"]) for key, *_ in given] == [1, 1]


def test_an_empty_text_is_not_null() -> None:
    assert changes(counting(), rows(["", None, ""])) == [("", 2, 4, 1), (None, 1, 2, 1)]


def test_what_comes_goes_and_comes_in_one_batch_is_there_once() -> None:
    running = counting(retracts=True)
    batch = rows(["a", "a", "a"], [1, -1, 1]).with_columns(n=pl.lit(5, pl.Int64))
    assert changes(running, batch) == [("a", 1, 5, 1)]


def test_what_comes_and_goes_in_one_batch_was_never_there() -> None:
    running = counting(retracts=True)
    assert changes(running, rows(["a", "b", "a"], [1, 1, -1]).with_columns(n=pl.lit(5, pl.Int64))) == [("b", 1, 5, 1)]
    assert changes(running, rows(["a"], [1])) == [("a", 1, 1, 1)]


def test_what_goes_and_comes_again_unchanged_is_not_told() -> None:
    running = counting(retracts=True)
    changes(running, rows(["a"], [1]))
    assert changes(running, rows(["a", "a"], [-1, 1]).with_columns(n=pl.lit(1, pl.Int64))) == []


def test_a_group_of_which_nothing_is_left_goes_and_its_key_begins_anew() -> None:
    running = counting(retracts=True)
    changes(running, rows(["a", "b", "a"], [1, 1, 1]))
    assert changes(running, rows(["b", "a"], [-1, -1]).with_columns(n=pl.Series([2, 1]))) == [
        ("b", 1, 2, -1),
        ("a", 2, 4, -1),
        ("a", 1, 3, 1),
    ]
    running = restored(running, retracts=True)
    assert changes(running, rows(["c", "b"], [1, 1])) == [("c", 1, 1, 1), ("b", 1, 2, 1)]


def test_groups_that_are_known_new_and_gone_are_given_in_the_order_of_their_rows() -> None:
    running = counting(retracts=True)
    changes(running, rows(["a", "b"], [1, 1]))
    batch = pl.DataFrame({"k": ["n", "b", "m", "a", "m"], "n": [9, 2, 4, 6, 4], WEIGHT: [1, -1, 1, 1, -1]})
    assert changes(running, batch) == [("n", 1, 9, 1), ("b", 1, 2, -1), ("a", 1, 1, -1), ("a", 2, 7, 1)]


@pytest.mark.parametrize("calls", [{"m": MAX}, {"c": COUNT}, {"x": AggregateCall("sum", (X,), DOUBLE), "c": COUNT}])
def test_rows_are_counted_whether_an_aggregate_does_so_or_not(calls: dict[str, AggregateCall]) -> None:
    running = counting(retracts=True, calls=calls)
    batch = rows(["a", "a"], [1, 1]).with_columns(x=pl.lit(None, pl.Float64))
    given = changes(running, batch)
    running = restored(running, retracts=True, calls=calls)
    back = changes(running, batch.with_columns(pl.lit(-1, pl.Int64).alias(WEIGHT)))
    assert back == [(*given[0][:-1], -1)]
    assert len(running.snapshot()["groups"]) == 0


def test_a_filtered_count_does_not_say_whether_a_group_lives() -> None:
    kept = AggregateCall("count_star", (), BIGINT.not_null(), filter=ColumnRef("b", DataType(Kind.BOOLEAN)))
    running = counting(retracts=True, calls={"c": kept})
    batch = rows(["a", "a"], [1, 1]).with_columns(b=pl.Series([True, False]))
    assert changes(running, batch) == [("a", 1, 1)]
    assert changes(running, batch[:1].with_columns(pl.lit(-1, pl.Int64).alias(WEIGHT))) == [("a", 1, -1), ("a", 0, 1)]


def test_a_restored_group_lives_as_long_as_it_would_have() -> None:
    clock = ManualClock()
    running = counting(clock=clock, ttl_ms=1_000)
    changes(running, rows(["old"]))
    clock.advance_ms(900)
    changes(running, rows(["young"]))
    running = restored(running, clock=clock, ttl_ms=1_000)
    clock.advance_ms(900)
    assert changes(running, rows(["old", "young"])) == [("old", 1, 1, 1), ("young", 1, 1, -1), ("young", 2, 3, 1)]


@pytest.mark.parametrize("size", [70, 20_000])
def test_batches_of_any_size_add_up(size: int) -> None:
    random, running = np.random.default_rng(3), counting(retracts=True)
    whole = pl.DataFrame({"k": random.integers(0, 9_000, 40_000), "n": random.integers(-9, 9, 40_000)})
    gone = whole.filter(pl.Series(random.random(40_000) < 0.5))
    told = pl.concat([whole.with_columns(pl.lit(1).alias(WEIGHT)), gone.with_columns(pl.lit(-1).alias(WEIGHT))])
    told = told.with_columns(pl.col(WEIGHT).cast(pl.Int64))
    table: Counter[tuple[int, ...]] = Counter()
    for batch in told[:12_000].iter_slices(size) if size < 100 else told.iter_slices(size):
        for *values, weight in changes(running, batch):
            table[tuple(values)] += weight
    left: dict[int, tuple[int, int]] = {}
    for key, number, weight in (told[:12_000] if size < 100 else told).rows():
        count, total = left.get(key, (0, 0))
        left[key] = (count + weight, total + weight * number)
    assert +table == Counter((key, *values) for key, values in left.items() if values[0])
    assert not [values for values, count in table.items() if count < 0]
