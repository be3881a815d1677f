"""Aggregates in two phases equal one-shot SQL, however the rows are cut into batches."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.compile.aggregates import CompiledAggregate, compile_aggregate, compiled_aggregates
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.plan.expressions import AggregateCall, Call, ColumnRef, Expression, Literal
from yeoul.plan.functions import AGGREGATES, resolve_aggregate
from yeoul.plan.types import (
    BIGINT,
    BITMAP,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    FLOAT,
    INT,
    STRING,
    TINYINT,
    DataType,
    array_of,
    decimal,
)

COLUMNS: dict[str, DataType] = {
    "i": INT,
    "b": BIGINT,
    "f": DOUBLE,
    "d": decimal(12, 2),
    "s": STRING,
    "t": BOOLEAN,
}


def aggregate(
    name: str, *args: Expression, distinct: bool = False, keep: Expression | None = None, out: str = "o"
) -> tuple[AggregateCall, CompiledAggregate]:
    values = [each.value if isinstance(each, Literal) else None for each in args]
    resolved = resolve_aggregate(name, [each.type for each in args], literals=values)
    call = AggregateCall(resolved.function, args, resolved.type, distinct, keep)
    return call, compile_aggregate(call, out)


def column(name: str, type: DataType | None = None) -> ColumnRef:
    return ColumnRef(name, COLUMNS[name] if type is None else type)


def run(frames: Sequence[pl.DataFrame], compiled: CompiledAggregate, keys: Sequence[str] = ("k",)) -> pl.DataFrame:
    """As an operator would: partial per batch, merged pairwise, then final."""
    merged: pl.DataFrame | None = None
    for frame in frames:
        partial = frame.group_by(keys).agg(*compiled.partial)
        merged = partial if merged is None else pl.concat([merged, partial]).group_by(keys).agg(*compiled.merge)
    assert merged is not None
    return merged.select(*keys, compiled.final).sort(keys, nulls_last=True)


def cut(frame: pl.DataFrame, cuts: Sequence[int]) -> list[pl.DataFrame]:
    places = sorted({0, frame.height, *(each % (frame.height + 1) for each in cuts)})
    return [frame[a:b] for a, b in itertools.pairwise(places)] or [frame]


def one(values: Sequence[object], type: DataType, name: str, distinct: bool = False) -> object:
    frame = pl.DataFrame({"k": [1] * len(values), "x": pl.Series(values, dtype=polars_dtype(type))})
    call, compiled = aggregate(name, ColumnRef("x", type), distinct=distinct)
    result = run(cut(frame, [1, 2, 3]), compiled)
    assert result["o"].dtype == polars_dtype(call.type)
    return result["o"][0]


ROW = st.fixed_dictionaries(
    {
        "k": st.integers(0, 3),
        "i": st.none() | st.integers(-(2**20), 2**20),
        "b": st.none() | st.integers(-(2**40), 2**40),
        "f": st.none() | st.floats(-1e6, 1e6),
        "d": st.none() | st.decimals(-(10**6), 10**6, places=2),
        "s": st.none() | st.sampled_from(["", "a", "B", "여울", "zz"]),
        "t": st.none() | st.booleans(),
    }
)
SCHEMA = {"k": pl.Int64, **{name: polars_dtype(type) for name, type in COLUMNS.items()}}

ORACLE = [
    ("count_star", (), "count(*)"),
    ("count", ("i",), "count(i)"),
    ("count", ("i", "s"), "count(case when i is not null and s is not null then 1 end)"),
    ("sum", ("b",), "sum(b)"),
    ("sum", ("f",), "sum(f)"),
    ("sum", ("d",), "sum(d)"),
    ("avg", ("b",), "trunc(sum(b) // 1 / count(b))"),
    ("avg", ("f",), "avg(f)"),
    ("min", ("i",), "min(i)"),
    ("max", ("f",), "max(f)"),
    ("min", ("s",), "min(s)"),
    ("max", ("s",), "max(s)"),
    ("max", ("d",), "max(d)"),
    ("min", ("t",), "min(t)"),
    ("var_pop", ("f",), "var_pop(f)"),
    ("var_samp", ("f",), "var_samp(f)"),
    ("stddev_pop", ("f",), "stddev_pop(f)"),
    ("stddev_samp", ("f",), "stddev_samp(f)"),
]
DISTINCT_ORACLE = [
    ("count", ("i",), "count(distinct i)"),
    ("count", ("s",), "count(distinct s)"),
    ("count", ("d",), "count(distinct d)"),
    ("count", ("i", "s"), "count(distinct case when i is not null and s is not null then (i, s) end)"),
    ("sum", ("b",), "sum(distinct b)"),
    ("sum", ("d",), "sum(distinct d)"),
]


def close(ours: object, theirs: object) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    if isinstance(ours, float):
        assert isinstance(theirs, float | int)
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    return ours == theirs


@settings(max_examples=int(os.environ.get("YEOUL_FUZZ", "60")), deadline=None)
@given(
    rows=st.lists(ROW, min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 100), max_size=5),
    filtered=st.booleans(),
)
def test_equals_duckdb_for_any_cut_into_batches(rows: list[dict[str, object]], cuts: list[int], filtered: bool) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    keep = Call("greater", (column("i"), Literal(0, INT.not_null())), BOOLEAN) if filtered else None
    suffix = " filter (where i > 0)" if filtered else ""
    for distinct, table in ((False, ORACLE), (True, DISTINCT_ORACLE)):
        compiled = [
            aggregate(name, *(column(each) for each in args), distinct=distinct, keep=keep, out=f"o{index}")[1]
            for index, (name, args, _) in enumerate(table)
        ]
        sql = [
            text.replace(")", f"){suffix}", 1) if text.count("(") == 1 else _filtered(text, suffix)
            for _, _, text in table
        ]
        with duckdb.connect() as connection:
            connection.register("rows", frame.to_arrow())
            expected = connection.execute(f"select k, {', '.join(sql)} from rows group by k order by k").fetchall()
        results = [run(cut(frame, cuts), each)[each.name].to_list() for each in compiled]
        for row, answer in enumerate(expected):
            for index, (name, args, text) in enumerate(table):
                assert close(results[index][row], answer[index + 1]), (name, args, text, answer)


def _filtered(text: str, suffix: str) -> str:
    if not suffix:
        return text
    if text.startswith("trunc"):
        return f"trunc(sum(b){suffix} // 1 / count(b){suffix})"
    return text + suffix


def test_every_aggregate_of_the_table_compiles() -> None:
    assert compiled_aggregates() == {function.id for function in AGGREGATES}


@pytest.mark.parametrize("name", ["sum", "avg", "min", "max", "first_value", "last_value", "stddev_pop", "var_samp"])
def test_over_no_value_is_null(name: str) -> None:
    assert one([None, None, None, None], INT, name) is None
    assert one([None, None], DOUBLE, name) is None


@pytest.mark.parametrize("name", ["count", "approx_count_distinct", "sum0"])
def test_over_no_value_is_zero(name: str) -> None:
    assert one([None, None], INT, name) == 0


@pytest.mark.parametrize(
    ("name", "values", "type", "expected"),
    [
        ("avg", [3, 4], INT, 3),
        ("avg", [-3, -4], INT, -3),
        ("avg", [2**60, 2**60, 2**60], BIGINT, 2**60),
        ("avg", [1.0, 2.0, None], FLOAT, 1.5),
        ("avg", [Decimal("1.00"), Decimal("2.00"), Decimal("2.00")], decimal(4, 2), Decimal("1.666667")),
        ("avg", [Decimal("0.000001"), Decimal("0.000002")], decimal(7, 6), Decimal("0.000002")),
        ("avg", [Decimal("-0.000001"), Decimal("-0.000002")], decimal(7, 6), Decimal("-0.000002")),
        ("avg", [Decimal("0.000001"), Decimal("0.000000")], decimal(7, 6), Decimal("0.000001")),
        ("sum", [2**62, 2**62, -(2**62)], BIGINT, 2**62),
        ("sum", [100, 27], TINYINT, 127),
        ("sum", [Decimal("0.10")] * 3, decimal(3, 2), Decimal("0.30")),
        ("min", ["b", "a", None], STRING, "a"),
        ("max", [b"a", b"\xff"], BYTES, b"\xff"),
        ("first_value", [None, 2, 3], INT, 2),
        ("last_value", [1, 2, None], INT, 2),
        ("listagg", ["b", None, "a", "b"], STRING, "b,a,b"),
        ("stddev_pop", [1, 2, 3, 4], INT, 1),
        ("var_samp", [1.0], DOUBLE, None),
        ("var_pop", [1.0], DOUBLE, 0.0),
    ],
)
def test_known_answers(name: str, values: list[object], type: DataType, expected: object) -> None:
    assert one(values, type, name) == expected


def test_array_agg_keeps_nulls_and_order() -> None:
    result = one([2, None, 1, 2], INT, "array_agg")
    assert isinstance(result, pl.Series)
    assert result.to_list() == [2, None, 1, 2]


def test_listagg_distinct_keeps_the_first_of_each() -> None:
    assert one(["b", "a", "b", "c"], STRING, "listagg", distinct=True) == "b,a,c"


def test_filter_that_keeps_nothing_leaves_zero_and_null() -> None:
    frame = pl.DataFrame({"k": [1, 2], "x": [5, 6]})
    never = Literal(False, BOOLEAN.not_null())
    for name, expected in (("count", 0), ("sum", None), ("max", None), ("array_agg", None), ("avg", None)):
        _, compiled = aggregate(name, ColumnRef("x", BIGINT.not_null()), keep=never)
        assert run([frame[:1], frame[1:]], compiled)["o"].to_list() == [expected, expected], name
    _, compiled = aggregate("count", keep=never)
    assert run([frame], compiled)["o"].to_list() == [0, 0]


def test_a_constant_argument_counts_once_a_row() -> None:
    frame = pl.DataFrame({"k": [1, 1, 1, 2]})
    for name, expected in (("count", [3, 1]), ("sum", [6, 2])):
        _, compiled = aggregate(name, Literal(2, INT.not_null()))
        assert run([frame], compiled)["o"].to_list() == expected
    _, compiled = aggregate("count", Literal(2, INT.not_null()), distinct=True)
    assert run([frame], compiled)["o"].to_list() == [1, 1]


@pytest.mark.parametrize(("type", "bits"), [(INT, 31), (BIGINT, 63), (TINYINT, 7)])
def test_a_sum_of_integers_wraps_around(type: DataType, bits: int) -> None:
    assert one([2**bits - 1, 1], type, "sum") == -(2**bits)
    assert one([2**bits - 1, 1], type, "avg") == (-(2**62) if bits == 63 else 2 ** (bits - 1))


def test_variance_far_from_zero_keeps_its_digits() -> None:
    values = [1e9 + each for each in (4.0, 7.0, 13.0, 16.0)]
    assert one(values, DOUBLE, "var_samp") == pytest.approx(30.0, rel=1e-12)


@pytest.mark.parametrize("count", [0, 1, 10, 1_000, 20_000, 300_000])
def test_approximate_counts_are_near(count: int) -> None:
    numbers = pl.int_range(count, eager=True)
    for values in (numbers, "user-" + numbers.cast(pl.String)):
        type = BIGINT if values.dtype == pl.Int64 else STRING
        frame = pl.DataFrame({"k": pl.repeat(1, count, eager=True), "x": values})
        frame = pl.concat([frame, frame, pl.DataFrame({"k": [1], "x": [None]}, schema=frame.schema)])
        _, compiled = aggregate("approx_count_distinct", ColumnRef("x", type))
        got = run(cut(frame, [7_000, 90_000, 100_001]), compiled)["o"][0]
        assert abs(got - count) <= max(0.05 * count, 0 if count <= 10 else 1)


def test_partial_columns_survive_arrow_ipc(tmp_path) -> None:  # type: ignore[no-untyped-def]
    frame = pl.DataFrame(
        {"k": [1, 1], "b": [2**62, 2**62 - 1], "s": ["x", "y"], "i": [1, -1], "m": [[1, 2], [2]]},
        schema_overrides={"i": pl.Int32, "m": pl.List(pl.UInt32)},
    )
    types = {"b": BIGINT, "s": STRING, "i": INT, "m": BITMAP}
    for function in AGGREGATES:
        name = "s" if function.id == "listagg" else "b"
        if function.id.startswith("bitmap_"):
            name = "i" if "build" in function.id else "m"
        args = () if function.id == "count_star" else (ColumnRef(name, types[name]),)
        if function.id.startswith("json_objectagg"):
            args = (ColumnRef("s", STRING), *args)
        if function.id.endswith("percentile"):
            args = (*args, Literal(0.5, DOUBLE.not_null()))
        for distinct in (False, True):
            _, compiled = aggregate(function.id, *args, distinct=distinct and bool(args))
            partial = frame.group_by("k").agg(*compiled.partial)
            path = tmp_path / "state.arrow"
            partial.write_ipc(path)
            back = pl.read_ipc(path)
            assert back.schema == partial.schema
            with duckdb.connect() as connection:
                connection.register("t", back.to_arrow())
                assert connection.execute("select count(*) from t").fetchone() == (1,)
            again = pl.concat([back, back]).group_by("k").agg(*compiled.merge)
            assert again.schema == partial.schema, function.id


def test_array_arguments_count_distinct() -> None:
    frame = pl.DataFrame({"k": [1, 1, 1], "x": [[1, 2], [1, 2], [3]]})
    for name in ("count", "approx_count_distinct"):
        _, compiled = aggregate(name, ColumnRef("x", array_of(BIGINT)), distinct=name == "count")
        assert run([frame[:1], frame[1:]], compiled)["o"].to_list() == [2]


def test_dates_have_extremes() -> None:
    frame = pl.DataFrame({"k": [1, 1], "x": pl.Series(["2024-02-01", "2024-01-01"]).str.to_date()})
    _, compiled = aggregate("min", ColumnRef("x", DATE))
    assert str(run([frame], compiled)["o"][0]) == "2024-01-01"


@settings(max_examples=int(os.environ.get("YEOUL_FUZZ", "60")), deadline=None)
@given(
    values=st.lists(st.none() | st.decimals(-99_999, 99_999, places=3), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    scale=st.sampled_from([3, 6, 9]),
)
def test_means_of_decimals_are_exact_to_the_last_digit(
    values: list[Decimal | None], cuts: list[int], scale: int
) -> None:
    type = decimal(20, scale)
    frame = pl.DataFrame({"k": [1] * len(values), "x": pl.Series(values, dtype=pl.Decimal(20, scale))})
    call, compiled = aggregate("avg", ColumnRef("x", type))
    known = [each for each in values if each is not None]
    unit = Decimal(1).scaleb(-(call.type.scale or 0))
    expected = (sum(known, Decimal(0)) / len(known)).quantize(unit, rounding="ROUND_HALF_UP") if known else None
    assert run(cut(frame, cuts), compiled)["o"].to_list() == [expected]


@pytest.mark.parametrize(("count", "total"), [(2, "0.000001"), (4, "0.000002"), (8, "-0.000012"), (64, "0.000032")])
def test_ties_of_decimal_means_go_away_from_zero(count: int, total: str) -> None:
    values = [Decimal(total), *[Decimal("0.000000")] * (count - 1)]
    expected = (Decimal(total) / count).quantize(Decimal("0.000001"), rounding="ROUND_HALF_UP")
    assert one(values, decimal(10, 6), "avg") == expected


@settings(max_examples=int(os.environ.get("YEOUL_FUZZ", "40")), deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=30), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_cutting_into_batches_changes_nothing(rows: list[dict[str, object]], cuts: list[int]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    for name, argument in (
        ("approx_count_distinct", "s"), ("approx_count_distinct", "f"), ("listagg", "s"), ("array_agg", "i"),
        ("first_value", "s"), ("last_value", "d"), ("avg", "d"), ("avg", "i"), ("sum", "i"), ("max", "t"),
    ):  # fmt: skip
        for distinct in (False, True):
            _, compiled = aggregate(name, column(argument), distinct=distinct)
            whole = run([frame], compiled)
            assert run(cut(frame, cuts), compiled).equals(whole), (name, argument, distinct)


@pytest.mark.parametrize("distinct", [False, True])
def test_a_sum_of_more_than_38_digits_is_null(distinct: bool) -> None:
    most, least, unit, type = (
        Decimal("9" * 36 + ".99"),
        Decimal("-" + "9" * 36 + ".99"),
        Decimal("0.01"),
        decimal(38, 2),
    )
    for values, expected in (
        ([most, None], most),
        ([most, unit], None),
        ([least, -unit], None),
        ([most, unit, -unit * 3], Decimal("9" * 36 + ".97")),
        ([least, unit], Decimal("-" + "9" * 36 + ".98")),
    ):
        frame = pl.DataFrame({"k": 1, "x": pl.Series(values, dtype=pl.Decimal(38, 2))})
        _, compiled = aggregate("sum", ColumnRef("x", type), distinct=distinct)
        for cuts in ([], [1]):
            assert run(cut(frame, cuts), compiled)["o"].to_list() == [expected], values


def test_means_whose_steps_need_more_than_38_digits() -> None:
    wide = Decimal("8" * 32)
    assert one([wide] * 400, decimal(38, 0), "avg") == wide
