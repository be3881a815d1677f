"""What columns compute themselves equals what the query engine makes of it: values, types and names."""

from __future__ import annotations

import operator

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from yeoul.engine.columnwise import Predicate, Selection
from yeoul.engine.direct import direct
from yeoul.engine.totals import Totals, direct_total
from yeoul.kernels.grouping import Groups, group_rows, in_groups

INTS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)
SMALL = st.none() | st.integers(-128, 127)
FLOATS = st.none() | st.floats() | st.sampled_from([0.0, -0.0, float("nan")])
TEXTS = st.none() | st.sampled_from(["", "a", "b", "é"])
TRUTHS = st.none() | st.booleans()


@st.composite
def frames(draw: st.DrawFn, least: int = 0) -> pl.DataFrame:
    height = draw(st.integers(least, 6))

    def column(name: str, values: st.SearchStrategy, dtype: pl.DataType) -> pl.Series:
        return pl.Series(name, draw(st.lists(values, min_size=height, max_size=height)), dtype=dtype)

    return pl.DataFrame(
        [
            column("i", INTS, pl.Int64()),
            column("j", INTS, pl.Int64()),
            column("n", SMALL, pl.Int8()),
            column("x", FLOATS, pl.Float64()),
            column("s", TEXTS, pl.String()),
            column("b", TRUTHS, pl.Boolean()),
        ]
    )


NUMBERS = st.deferred(
    lambda: (
        st.sampled_from([pl.col("i"), pl.col("j"), pl.col("n").cast(pl.Int64)])
        | st.builds(
            lambda op, left, right: op(left, right),
            st.sampled_from([operator.add, operator.sub, operator.mul]),
            NUMBERS,
            NUMBERS | st.integers(-9, 9).map(lambda value: pl.lit(value, dtype=pl.Int64)),
        )
    )
)
COMPARING = st.sampled_from([operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
CONDITIONS = st.deferred(
    lambda: (
        st.just(pl.col("b"))
        | st.builds(lambda op, left, right: op(left, right), COMPARING, NUMBERS, NUMBERS)
        | st.builds(lambda op, right: op(pl.col("x"), pl.lit(right)), COMPARING, st.floats())
        | st.builds(lambda op, right: op(pl.col("s"), pl.lit(right)), COMPARING, st.sampled_from(["a", "b"]))
        | st.sampled_from([pl.col("i").is_null(), pl.col("s").is_not_null()])
        | CONDITIONS.map(operator.invert)
        | st.builds(
            lambda op, left, right: op(left, right),
            st.sampled_from([operator.and_, operator.or_]),
            CONDITIONS,
            CONDITIONS,
        )
    )
)
CASES = st.builds(
    lambda condition, value, other: pl.when(condition).then(value).otherwise(other),
    CONDITIONS,
    NUMBERS,
    NUMBERS | st.just(pl.lit(None, dtype=pl.Int64)),
)
UPPER = st.just(pl.col("s").str.to_uppercase())


@given(frames(), st.lists(NUMBERS | CONDITIONS | CASES | UPPER, min_size=1, max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_selection_is_a_select(batch: pl.DataFrame, columns: list[pl.Expr], with_others: bool) -> None:
    named = [column.alias(f"c{place}") for place, column in enumerate(columns)]
    others = ["s", "i"] if with_others else []
    assert_frame_equal(Selection(named).of(batch, others), batch.select([*named, *others]), check_exact=True)


@given(frames(), CONDITIONS)
@settings(max_examples=300, deadline=None)
def test_a_predicate_filters(batch: pl.DataFrame, condition: pl.Expr) -> None:
    assert_frame_equal(Predicate(condition).filtered(batch), batch.filter(condition), check_exact=True)


@given(frames(least=1), st.data())
@settings(max_examples=300, deadline=None)
def test_totals_are_those_of_a_group_by(rows: pl.DataFrame, data: st.DataObject) -> None:
    begins = data.draw(st.lists(st.booleans(), min_size=rows.height - 1, max_size=rows.height - 1))
    sizes = np.diff(np.flatnonzero([True, *begins, True])).astype(np.int64)
    chosen = [data.draw(NUMBERS), data.draw(CONDITIONS), pl.col("x"), pl.col("s")]
    aggregates = [pl.len().cast(pl.Int64), pl.len(), pl.col("n").sum()]
    aggregates += [one.sum() for one in chosen[:2]] + [one.count().cast(pl.Int64) for one in chosen]
    aggregates += [one.min() for one in chosen] + [one.max() for one in chosen]
    named = [one.alias(f"a{place}") for place, one in enumerate(aggregates)]
    ids = pl.Series("id", np.repeat(np.arange(len(sizes)), sizes))
    expected = rows.with_columns(ids).group_by("id", maintain_order=True).agg(named).drop("id")
    assert_frame_equal(pl.DataFrame(Totals(named).of(rows, in_groups(sizes))), expected, check_exact=True)


@pytest.mark.parametrize(
    "expression",
    [pl.col("a") > pl.lit(float("nan")), pl.col("a") / 2, pl.lit(1), pl.col("a").shift(1), pl.col("a").cast(pl.Int8)],
)
def test_what_columns_cannot_do_is_left_to_the_query_engine(expression: pl.Expr) -> None:
    compute = direct(expression)
    assert compute is None or compute(pl.DataFrame({"a": [1.0]})) is None


@given(frames(least=1), st.data())
@settings(max_examples=200, deadline=None)
def test_totals_take_rows_as_they_stand(rows: pl.DataFrame, data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.integers(0, 3), min_size=rows.height, max_size=rows.height))
    kept = pl.when(pl.col("n") > 0).then(pl.col("i"))
    aggregates = [pl.len(), pl.col("i").sum(), pl.col("i").count(), pl.col("s").first(), kept.sum(), kept.count()]
    rows = rows.with_columns(day=pl.col("n").cast(pl.Date), moment=pl.col("n").cast(pl.Datetime("ms")))
    for column in (pl.col("i"), pl.col("n"), kept, pl.col("day"), pl.col("moment")):
        aggregates += [column.min(), column.max()]
    for column in (pl.col("i"), pl.col("s"), pl.col("x"), kept):
        aggregates += [column.drop_nulls().first(), column.drop_nulls().last()]
    named = [one.alias(f"a{place}") for place, one in enumerate(aggregates)]
    expected = rows.with_columns(id=pl.Series(keys)).group_by("id", maintain_order=True).agg(named).drop("id")
    found = Totals(named).of(rows, group_rows(np.array(keys, np.int64) << 60, np.array(keys, np.int64)))
    assert_frame_equal(pl.DataFrame(found), expected, check_exact=True)


def floats_summed(values: list[float | None], groups: Groups) -> list[float]:
    total = direct_total(pl.col("a").sum())
    assert total is not None
    summed = total(pl.DataFrame({"a": values}, {"a": pl.Float64()}), groups)
    assert summed is not None
    return summed.to_list()


def test_floats_are_added_in_their_order() -> None:
    groups = group_rows(np.array([1, 2, 1, 1]), np.array([1, 2, 1, 1]))
    assert floats_summed([1e16, 5.0, 1.0, -1e16], groups) == [0.0, 5.0]
    assert floats_summed([1e16, 5.0, -1e16, 1.0], groups) == [1.0, 5.0]


def test_a_sum_of_negative_zeros_is_one_and_that_of_no_value_is_zero() -> None:
    signs = np.copysign(1, floats_summed([-0.0, None, -0.0, None], in_groups(np.array([1, 1, 1, 1]))))
    assert signs.tolist() == [-1, 1, -1, 1]
    signs = np.copysign(1, floats_summed([-0.0, -0.0, None, None], in_groups(np.array([2, 2]))))
    assert signs.tolist() == [-1, 1]
