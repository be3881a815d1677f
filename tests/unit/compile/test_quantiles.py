"""The sketch of percentiles: within its bound, whatever is merged, cut or taken back; and what aggregates share."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.compile.aggregates import compile_aggregate, compile_aggregates, settled_rows
from yeoul.engine.compile.aggregates.quantiles import RELATIVE_ERROR
from yeoul.plan.expressions import AggregateCall, ColumnRef, Literal
from yeoul.plan.nodes import Aggregation
from yeoul.plan.types import BIGINT, DOUBLE

VALUES = st.lists(
    st.one_of(st.floats(allow_nan=False, allow_subnormal=False), st.integers(-1000, 1000).map(float), st.none()),
    max_size=40,
)
X = ColumnRef("x", DOUBLE)


def call(function: str, share: float | None = None, distinct: bool = False) -> AggregateCall:
    args = (X,) if share is None else (X, Literal(share, DOUBLE.not_null()))
    return AggregateCall(function, args, BIGINT.not_null() if function == "count" else DOUBLE, distinct)


def exact(values: list[float], share: float) -> float | None:
    """The value at a share of the ranks, the one below where it lies between two."""
    return sorted(values)[int(share * (len(values) - 1))] if values else None


def numbered(values: list[float | None]) -> pl.DataFrame:
    """Values of one group."""
    x = pl.Series("x", values, dtype=pl.Float64)
    return pl.DataFrame([pl.Series("k", [1], dtype=pl.Int64).new_from_index(0, len(x)), x])


def is_near(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None or math.isinf(wanted):
        return found == wanted
    return abs(found - wanted) <= (RELATIVE_ERROR * 1.000001) * abs(wanted)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from([0.0, 0.25, 0.5, 0.99, 1.0]))
def test_the_sketch_is_within_its_bound_however_the_values_are_cut(batches, share):
    one = compile_aggregate(call("approx_percentile", share), "p")
    partials = [settled_rows(numbered(batch).group_by("k").agg(*one.partial), [one]) for batch in batches]
    merged = settled_rows(pl.concat(partials).group_by("k").agg(*one.merge), [one])
    values = [value for batch in batches for value in batch if value is not None]
    found = merged.select(one.final).to_series().to_list()
    if any(batches):
        assert is_near(found[0], exact(values, share))
    again = settled_rows(pl.concat([merged, merged]).group_by("k").agg(*one.merge), [one])
    assert [len(bins) for bins in again["p$bins"]] == [len(bins) for bins in merged["p$bins"]]


@settings(max_examples=60, deadline=None)
@given(VALUES, st.data())
def test_what_is_taken_back_is_as_if_it_had_never_been(values, data):
    kept = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    one = compile_aggregate(call("approx_percentile", 0.5), "p", weight="w")
    gone = [value for value, keeps in zip(values, kept, strict=True) if not keeps]
    rows = pl.DataFrame(
        {"k": [1] * (len(values) + len(gone)), "w": [1] * len(values) + [-1] * len(gone)},
        schema_overrides={"w": pl.Int64},
    ).with_columns(x=pl.Series([*values, *gone], dtype=pl.Float64))
    left = [value for value, keeps in zip(values, kept, strict=True) if keeps and value is not None]
    merged = settled_rows(rows.group_by("k").agg(*one.partial), [one])
    if values:
        assert is_near(merged.select(one.final).item(), exact(left, 0.5))


def test_nan_is_the_greatest_and_infinity_is_itself():
    frame = pl.DataFrame({"k": [1] * 4, "x": [float("nan"), float("inf"), -float("inf"), 1.0]})
    answers = []
    for share in (0.0, 0.67, 1.0):
        one = compile_aggregate(call("approx_percentile", share), "p")
        answers.append(frame.group_by("k").agg(*one.partial).select(one.final).item())
    assert answers[:2] == [-math.inf, math.inf]
    assert math.isnan(answers[2])


def test_groups_do_not_see_each_other():
    one = compile_aggregate(call("approx_percentile", 0.5), "p")
    frame = pl.DataFrame(
        {"k": [index % 500 for index in range(10_000)], "x": [float(index % 500) for index in range(10_000)]}
    )
    answers = frame.group_by("k", maintain_order=True).agg(*one.partial).select("k", one.final)
    assert all(is_near(found, float(wanted)) for wanted, found in answers.iter_rows())


@pytest.mark.parametrize("weight", [None, "w"])
def test_aggregates_that_keep_the_same_keep_it_once(weight):
    calls = [
        Aggregation("a", call("approx_percentile", 0.5)),
        Aggregation("b", call("approx_percentile", 0.9)),
        Aggregation("c", call("count", distinct=True)),
        Aggregation("d", call("sum", distinct=True)),
        Aggregation("e", call("sum")),
        Aggregation("f", call("avg")),
        Aggregation("g", call("count")),
        Aggregation("h", call("min")),
        Aggregation("i", call("max")),
    ]
    together = compile_aggregates(calls, weight=weight)
    columns = [part.meta.output_name() for one in together for part in one.partial]
    kept = ["a$bins", "c$bag" if weight else "c$set", "e$sum", "e$count"] + ([] if weight else ["h$value", "i$value"])
    assert columns == kept
    frame = pl.DataFrame({"k": [1, 1, 2, 1], "x": [1.0, 5.0, None, 5.0], "w": [1, 1, 1, 1]})
    alone = [compile_aggregate(one.call, one.name, weight=weight) for one in calls]

    def answer(compiled):
        rows = frame.group_by("k", maintain_order=True).agg(*(part for one in compiled for part in one.partial))
        twice = pl.concat([rows, rows]).group_by("k", maintain_order=True)
        merged = twice.agg(*(part for one in compiled for part in one.merge))
        return settled_rows(merged, compiled).select(*(one.final for one in compiled)).rows()

    assert answer(together) == answer(alone)
