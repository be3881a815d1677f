"""Operators, casts and conditions: three-valued, exact, and failing only where SQL would evaluate."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.compile.calls import Plain, call, cast, evaluate, literal, value_of

from yeoul.engine.compile.expressions import compile_expression, compile_projections
from yeoul.engine.compile.faults import EvaluationError
from yeoul.errors import Span, UserError
from yeoul.plan.expressions import Call, Case, Cast, ColumnRef, Expression
from yeoul.plan.functions import resolve_scalar
from yeoul.plan.rendering import render
from yeoul.plan.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    FLOAT,
    INT,
    INTERVAL_DAY_TIME,
    SMALLINT,
    STRING,
    DataType,
    RowField,
    array_of,
    decimal,
    row_of,
    time,
    timestamp,
    timestamp_ltz,
)

A, B = ColumnRef("a", BIGINT), ColumnRef("b", BIGINT)
P, Q = ColumnRef("p", BOOLEAN), ColumnRef("q", BOOLEAN)
NUMBERS = pl.DataFrame({"a": [7, -7, None, 0], "b": [2, 0, 0, 3]})

# ---- against DuckDB ---------------------------------------------------

INTEGERS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20)
PAIRS = st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(rows=PAIRS, operation=st.sampled_from(["add", "subtract", "multiply", "divide", "modulo"]))
def test_integer_arithmetic_wraps_around(rows: list[tuple[int | None, int | None]], operation: str) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    bound = call(operation, A, B)
    if operation in ("divide", "modulo") and any(b == 0 and a is not None for a, b in rows):
        with pytest.raises(EvaluationError, match=r"^Division by zero in a "):
            evaluate(bound, frame)
        return
    expected: list[int | None] = []
    for a, b in rows:
        if a is None or b is None:
            expected.append(None)
            continue
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0
        whole = {"add": a + b, "subtract": a - b, "multiply": a * b, "divide": quotient, "modulo": a - quotient * b}
        expected.append((whole[operation] + 2**63) % 2**64 - 2**63)
    assert evaluate(bound, frame) == expected


DECIMALS = st.none() | st.decimals(-9999, 9999, places=2)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(DECIMALS, DECIMALS), min_size=1, max_size=8),
    operation=st.sampled_from(["add", "subtract", "multiply", "divide", "modulo"]),
)
def test_decimal_arithmetic_is_exact(rows: list[tuple[Decimal | None, Decimal | None]], operation: str) -> None:
    type = decimal(6, 2)
    frame = pl.DataFrame(rows, schema={"a": pl.Decimal(6, 2), "b": pl.Decimal(6, 2)}, orient="row")
    bound = call(operation, ColumnRef("a", type), ColumnRef("b", type))
    if operation in ("divide", "modulo") and any(b == 0 and a is not None for a, b in rows):
        with pytest.raises(EvaluationError, match="Division by zero"):
            evaluate(bound, frame)
        return
    unit = Decimal(1).scaleb(-(bound.type.scale or 0))
    expected = []
    for a, b in rows:
        if a is None or b is None:
            expected.append(None)
            continue
        exact = {
            "add": lambda a=a, b=b: a + b,
            "subtract": lambda a=a, b=b: a - b,
            "multiply": lambda a=a, b=b: a * b,
            "divide": lambda a=a, b=b: a / b,
            "modulo": lambda a=a, b=b: a % b,
        }[operation]()
        expected.append(exact.quantize(unit, rounding="ROUND_HALF_UP"))
    assert evaluate(bound, frame) == expected


TRUTHS = st.none() | st.booleans()


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(TRUTHS, TRUTHS, INTEGERS, INTEGERS), min_size=1, max_size=9))
def test_logic_and_comparison_equal_duckdb(rows: list[tuple[object, ...]]) -> None:
    frame = pl.DataFrame(rows, schema={"p": pl.Boolean, "q": pl.Boolean, "a": pl.Int64, "b": pl.Int64}, orient="row")
    table: list[tuple[Expression, str]] = [
        (call("and", P, Q), "p and q"),
        (call("or", P, Q), "p or q"),
        (call("not", P), "not p"),
        (call("is_true", P), "p is true"),
        (call("is_false", P), "p is false"),
        (call("is_not_true", P), "p is not true"),
        (call("is_not_false", P), "p is not false"),
        (call("is_unknown", P), "p is null"),
        (call("is_not_unknown", P), "p is not null"),
        (call("equals", A, B), "a = b"),
        (call("not_equals", A, B), "a <> b"),
        (call("less", A, B), "a < b"),
        (call("less_or_equal", A, B), "a <= b"),
        (call("greater", A, B), "a > b"),
        (call("greater_or_equal", A, B), "a >= b"),
        (call("is_distinct_from", A, B), "a is distinct from b"),
        (call("is_not_distinct_from", A, B), "a is not distinct from b"),
        (call("between", A, B, 10), "a between b and 10"),
        (call("not_between", A, B, 10), "a not between b and 10"),
        (call("in", A, 1, 2, B), "a in (1, 2, b)"),
        (call("in", A, 1, None), "a in (1, null)"),
        (call("not_in", A, 1, 2), "a not in (1, 2)"),
        (call("coalesce", A, B, 0), "coalesce(a, b, 0)"),
        (call("nullif", A, B), "nullif(a, b)"),
        (call("if", P, A, B), "case when p then a else b end"),
        (Case(((P, A), (Q, B)), literal(5), BIGINT), "case when p then a when q then b else 5 end"),
    ]
    with duckdb.connect() as connection:
        connection.register("rows", frame.to_arrow())
        answers = connection.execute(f"select {', '.join(text for _, text in table)} from rows").fetchall()
    for index, (expression, text) in enumerate(table):
        assert evaluate(expression, frame) == [answer[index] for answer in answers], text


# ---- what is not evaluated does not fail --------------------------------


def _guards() -> list[tuple[Expression, list[object]]]:
    quotient = call("divide", A, B)
    positive = call("greater", B, 0)
    return [
        (Case(((positive, quotient),), literal(-1), BIGINT), [3, -1, -1, 0]),
        (Case(((call("equals", B, 0), literal(-1)),), quotient, BIGINT), [3, -1, -1, 0]),
        (call("if", positive, quotient, None), [3, None, None, 0]),
        (call("if", call("equals", B, 0), A, quotient), [3, -7, None, 0]),
        (call("and", positive, call("greater", quotient, 0)), [True, False, False, False]),
        (call("or", call("equals", B, 0), call("greater", quotient, 0)), [True, True, True, False]),
        (call("coalesce", call("nullif", B, 0), quotient), None),
        (call("divide", A, call("nullif", B, 0)), [3, None, None, 0]),
    ]


@pytest.mark.parametrize("index", range(8))
def test_a_condition_keeps_errors_away(index: int) -> None:
    expression, expected = _guards()[index]
    if expected is None:
        with pytest.raises(EvaluationError, match="-7 divided by 0"):
            evaluate(expression, NUMBERS)
    else:
        assert evaluate(expression, NUMBERS) == expected


def test_guards_nest() -> None:
    inner = Case(((call("greater", A, 0), call("divide", 10, A)),), call("divide", 10, B), INT)
    frame = pl.DataFrame({"a": [5, 0, 0], "b": [0, 2, 0], "p": [True, True, False]})
    outer = Case(((P, inner),), literal(0), BIGINT)
    assert evaluate(outer, frame) == [2, 5, 0]


# ---- casts --------------------------------------------------------------------

CASTS: list[tuple[Plain, DataType, object]] = [
    ("42", INT, 42),
    (" -7 ", BIGINT, -7),
    ("1.9", INT, 1),
    ("1e3", DOUBLE, 1000.0),
    ("1.255", decimal(5, 2), Decimal("1.26")),
    ("-0.005", decimal(5, 2), Decimal("-0.01")),
    ("TRUE", BOOLEAN, True),
    ("n", BOOLEAN, False),
    (1, BOOLEAN, True),
    (True, INT, 1),
    (1.99, INT, 1),
    (-1.99, INT, -1),
    (Decimal("2.99"), BIGINT, 2),
    (Decimal("1.25"), decimal(2, 1), Decimal("1.3")),
    (300, SMALLINT, 300),
    (5, decimal(4, 2), Decimal("5.00")),
    (1.5, FLOAT, 1.5),
    (True, STRING, "TRUE"),
    (1, STRING, "1"),
    (1.0, STRING, "1.0"),
    (1e7, STRING, "1.0E7"),
    (123456789.125, STRING, "1.23456789125E8"),
    (0.001, STRING, "0.001"),
    (0.00012, STRING, "1.2E-4"),
    (-1e-10, STRING, "-1.0E-10"),
    (float("nan"), STRING, "NaN"),
    (float("-inf"), STRING, "-Infinity"),
    (Decimal("1.50"), STRING, "1.50"),
    ("abcdef", DataType(STRING.kind, precision=3), "abc"),
    ("a", BYTES, b"a"),
    (b"\xc3\xa4", STRING, "ä"),
    ("2024-01-31", DATE, dt.date(2024, 1, 31)),
    ("2024-1-3 10:00:00", DATE, dt.date(2024, 1, 3)),
    ("10:11", time(0), dt.time(10, 11)),
    ("10:11:12.5", time(0), dt.time(10, 11, 12)),
    ("10:11:12.5678", time(3), dt.time(10, 11, 12, 567_000)),
    ("2024-01-31 10:11:12.3456", timestamp(3), dt.datetime(2024, 1, 31, 10, 11, 12, 345_000)),
    ("2024-01-31 10:11:12.9", timestamp(0), dt.datetime(2024, 1, 31, 10, 11, 12)),
    ("2024-01-31T10:11", timestamp(3), dt.datetime(2024, 1, 31, 10, 11)),
    ("2024-01-31 10:11:12Z", timestamp_ltz(3), dt.datetime(2024, 1, 31, 10, 11, 12, tzinfo=dt.UTC)),
    (dt.date(2024, 1, 31), timestamp(3), dt.datetime(2024, 1, 31)),
    (dt.datetime(2024, 1, 31, 10), DATE, dt.date(2024, 1, 31)),
    (dt.datetime(2024, 1, 31, 10, 11), time(0), dt.time(10, 11)),
    (dt.datetime(2024, 1, 31, 10), STRING, "2024-01-31 10:00:00.000"),
    (dt.time(1, 2, 3), STRING, "01:02:03"),
    (dt.timedelta(days=1, seconds=2), STRING, "+1 00:00:02.000"),
    (call("array", 1, None), STRING, "[1, NULL]"),
    (call("map", "k", 1), STRING, "{k=1}"),
    (call("row", 1, "x"), STRING, "(1, x)"),
    (call("array", 1, 2), array_of(STRING), ["1", "2"]),
    (call("row", 1, "x"), row_of(RowField("a", BIGINT), RowField("b", STRING)), {"a": 1, "b": "x"}),
    (None, INT, None),
]


@pytest.mark.parametrize(("value", "type", "expected"), CASTS, ids=[f"{v}-{t}" for v, t, _ in CASTS])
def test_casts(value: Plain, type: DataType, expected: object) -> None:
    assert value_of(cast(value, type)) == expected
    assert value_of(cast(value, type, lenient=True)) == expected


BAD: list[tuple[Plain, DataType, str]] = [
    ("x", INT, "CAST('x' AS INT) failed: 'x' is not a value of INT"),
    ("", DOUBLE, "'' is not a value of DOUBLE"),
    ("99999999999", INT, "'99999999999' is not a value of INT"),
    ("99999", decimal(4, 0), "'99999' is not a value of DECIMAL(4, 0)"),
    ("maybe", BOOLEAN, "'maybe' is not a value of BOOLEAN"),
    ("2024-02-30", DATE, "'2024-02-30' is not a value of DATE"),
    ("25:00", time(0), "'25:00' is not a value of TIME(0)"),
    ("yesterday", timestamp(3), "'yesterday' is not a value of TIMESTAMP(3)"),
]


@pytest.mark.parametrize(("value", "type", "message"), BAD, ids=[f"{v}-{t}" for v, t, _ in BAD])
def test_a_bad_cast_fails_and_try_cast_gives_null(value: Plain, type: DataType, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of(cast(value, type))
    assert message in caught.value.message
    assert caught.value.hint == "TRY_CAST gives NULL where a value cannot be cast."
    assert "This error occurred" not in str(caught.value)
    assert value_of(cast(value, type, lenient=True)) is None


def test_the_first_offending_value_of_a_batch_is_named() -> None:
    frame = pl.DataFrame({"s": ["1", None, "2x", "3y"]})
    with pytest.raises(EvaluationError, match=r"CAST\(s AS INT\) failed: '2x' is not"):
        evaluate(cast(ColumnRef("s", STRING), INT), frame)
    assert evaluate(cast(ColumnRef("s", STRING), INT, lenient=True), frame) == [1, None, None, None]


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=200, deadline=None)
def test_a_double_as_text_reads_back_as_itself(value: float) -> None:
    text = value_of(cast(value, STRING))
    assert isinstance(text, str)
    assert float(text) == value
    mantissa, _, exponent = text.partition("E")
    assert "." in mantissa
    assert bool(exponent) == (value != 0 and not 1e-3 <= abs(value) < 1e7)


# ---- shape --------------------------------------------------------------------


def test_projections_of_constants_are_as_long_as_the_frame() -> None:
    for height in (0, 1, 3):
        frame = pl.DataFrame({"x": range(height)})
        out = frame.select(compile_projections([("one", literal(1)), ("sum", call("add", 1, 2))]))
        assert out.shape == (height, 2)
        assert out.columns == ["one", "sum"]


def test_an_empty_frame_gives_an_empty_column() -> None:
    empty = NUMBERS.clear()
    for expression, _ in _guards():
        assert evaluate(expression, empty) == []


def test_expressions_work_inside_filter_and_group_by() -> None:
    frame = pl.DataFrame({"k": [1, 1, 2], "a": [1, 2, 3], "b": [1, 1, 3]})
    quotient = compile_expression(call("divide", A, B))
    assert frame.filter(quotient > 1)["a"].to_list() == [2]
    grouped = frame.group_by("k", maintain_order=True).agg(quotient.sum().alias("s"))
    assert grouped["s"].to_list() == [3, 1]
    with pytest.raises(EvaluationError, match="Division by zero in a / b: 1 divided by 0"):
        frame.with_columns(b=pl.lit(0, dtype=pl.Int64)).group_by("k").agg(quotient.sum())


def test_an_unknown_function_id_is_the_callers_mistake_with_its_place() -> None:
    with pytest.raises(UserError, match=r"FROB\(a\) cannot be computed.*line 3, column 7"):
        compile_expression(Call("frob", (A,), BIGINT, Span(3, 7)))


def test_rendering_is_close_to_sql() -> None:
    nested = call("multiply", call("add", A, 1), 2)
    assert render(nested) == "(a + CAST(1 AS BIGINT)) * CAST(2 AS BIGINT)"
    assert render(Case(((P, A),), literal("it's"), STRING)) == "CASE WHEN p THEN a ELSE 'it''s' END"
    assert render(call("is_null", A)) == "a IS NULL"
    assert render(call("in", A, 1)) == "a IN (CAST(1 AS BIGINT))"
    assert render(Cast(A, INT, True)) == "TRY_CAST(a AS INT)"


def test_intervals_are_not_numbers() -> None:
    with pytest.raises(UserError, match="a \\+ b does not take"):
        resolve_scalar("add", [INTERVAL_DAY_TIME, INT])


def test_thirty_conditions_in_a_row_cost_thirty_conditions() -> None:
    parts = [call("greater", call("add", A, step), 0) for step in range(30)]
    chain = parts[0]
    for each in parts[1:]:
        chain = call("and", chain, each)
    cases = Case(
        tuple((each, literal(index)) for index, each in enumerate(parts)), cast(call("divide", 1, B), INT), INT
    )
    frame = pl.DataFrame({"a": [1, -100], "b": [0, 1]})
    assert evaluate(chain, frame) == [True, False]
    assert evaluate(cases, frame) == [0, 1]
    assert len(str(compile_expression(chain))) < 100_000


def test_constants_are_computed_once_at_compile_time() -> None:
    compiled = compile_expression(call("less", ColumnRef("t", timestamp(3)), "2024-01-31 00:00:00"))
    assert "python_udf" not in str(compiled)
    failing = call("greater", A, call("divide", 1, 0))
    compile_expression(failing)
    with pytest.raises(EvaluationError, match="Division by zero in 1 / 0"):
        evaluate(failing, NUMBERS)
    assert evaluate(Case(((literal(False), failing),), literal(True), BOOLEAN), NUMBERS) == [True] * 4


def test_an_error_out_of_polars_keeps_its_place_and_its_hint() -> None:
    bound = call("divide", A, B)
    placed = Call(bound.function, bound.args, bound.type, Span(4, 2))
    with pytest.raises(EvaluationError) as caught:
        NUMBERS.select((compile_expression(placed) + 1).alias("deeper"))
    assert caught.value.message == "Division by zero in a / b: -7 divided by 0 (line 4, column 2)"
    assert caught.value.hint == "NULLIF(divisor, 0) turns a zero into NULL."
    assert str(caught.value) == f"{caught.value.message}. {caught.value.hint}"
