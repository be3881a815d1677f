"""Python functions in SQL: values, columns, aggregates; what fails names the function, the row and the value."""

from __future__ import annotations

import sys
import types

import polars as pl
import pytest

from yeoul import AggregateFunction, ScalarFunction, Session, UserError, udaf, udf, udtf

NUMBERS = {"n": {"k": ["x", "y", "x", None], "a": [1, 2, 3, None]}}


class Mute(Exception):
    def __str__(self):
        raise ValueError("nothing to say")


def mute():
    raise Mute


class Mean(AggregateFunction):
    def create_accumulator(self):
        return [0, 0]

    def accumulate(self, accumulator, value):
        if value is not None:
            accumulator[0] += value
            accumulator[1] += 1

    def get_value(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else None


class MergingMean(Mean):
    def retract(self, accumulator, value):
        if value is not None:
            accumulator[0] -= value
            accumulator[1] -= 1

    def merge(self, accumulator, others):
        for one in others:
            accumulator[0] += one[0]
            accumulator[1] += one[1]


@pytest.fixture
def session():
    with Session(NUMBERS) as session:
        yield session


def test_a_value_at_a_time_with_none_for_null(session):
    @udf(result_type="STRING", input_types=["BIGINT"])
    def named(value):
        return "nothing" if value is None else f"<{value}>"

    session.create_function("named", named)
    assert session.sql("SELECT NAMED(a) FROM n").rows() == [("<1>",), ("<2>",), ("<3>",), ("nothing",)]


def test_null_on_null_is_not_called(session):
    session.create_function("f", udf(lambda x: x + 1, result_type="BIGINT", null_on_null=True))
    assert session.sql("SELECT f(a) FROM n").rows() == [(2,), (3,), (4,), (None,)]


@pytest.mark.parametrize("func_type", ["polars", "arrow"])
def test_a_column_at_a_time(session, func_type):
    import pyarrow.compute as pc

    double = (lambda column: column * 2) if func_type == "polars" else (lambda column: pc.multiply(column, 2))
    session.create_function("doubled", udf(double, result_type="BIGINT", func_type=func_type))
    assert session.sql("SELECT doubled(a) FROM n").rows() == [(2,), (4,), (6,), (None,)]


def test_a_class_and_nested_results(session):
    class Pair(ScalarFunction):
        def eval(self, value):
            return {"v": value, "parts": [1, 2], "names": {"a": 1}}

    session.create_function("pair", udf(Pair(), result_type="ROW<v BIGINT, parts ARRAY<INT>, names MAP<STRING, INT>>"))
    rows = session.sql("SELECT pair(a).v, pair(a).parts[2], pair(a).names['a'] FROM n WHERE a = 3").rows()
    assert rows == [(3, 2, 1)]


def test_branches_that_do_not_count_do_not_call(session):
    seen = []
    session.create_function("seen", udf(lambda x: seen.append(x) or x, result_type="BIGINT"))
    session.sql("SELECT CASE WHEN a > 2 THEN seen(a) END FROM n").rows()
    assert seen == [3]


def test_one_that_is_not_deterministic_is_called_for_each_row(session):
    calls = iter(range(100))
    session.create_function("ticket", udf(lambda: next(calls), result_type="BIGINT", deterministic=False))
    assert sorted(session.sql("SELECT ticket() FROM n").rows()) == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: 1 // (x - 2), "The function bad failed in row 2 of the batch, for (2): ZeroDivisionError"),
        (lambda x: sys.exit(x), "The function bad failed in row 1 of the batch, for (1): SystemExit: 1"),
        (lambda x: mute(), "The function bad failed in row 1 of the batch, for (1): Mute"),
        (lambda x: "z", "The function bad failed in row 1 of the batch, for (1): it returned 'z'"),
        (lambda x: 2**70, "which is no BIGINT"),
        (lambda x: 1.5, "1.5 is no whole number|which is no BIGINT"),
    ],
)
def test_a_failing_one_names_function_row_and_value(session, function, message):
    session.create_function("bad", udf(function, result_type="BIGINT"))
    with pytest.raises(UserError) as caught:
        session.sql("SELECT bad(a) FROM n WHERE a IS NOT NULL").rows()
    assert any(part in str(caught.value) for part in message.split("|"))


def test_columns_of_another_length_are_refused(session):
    session.create_function("short", udf(lambda column: column.head(1), result_type="BIGINT", func_type="polars"))
    with pytest.raises(UserError, match="The function short got columns of 4 rows and returned 1"):
        session.sql("SELECT short(a) FROM n").rows()


@pytest.mark.parametrize("mean", [Mean(), MergingMean()], ids=["keeps values", "keeps accumulators"])
@pytest.mark.parametrize("mode", ["automatic", "streaming"])
def test_aggregates_with_and_without_merge(session, mean, mode):
    session.create_function("mean", udaf(mean, result_type="DOUBLE"))
    session.sql(f"SET 'execution.runtime-mode' = '{mode}'").close()
    session.sql("CREATE VIEW counted AS SELECT k, SUM(a) AS total FROM n GROUP BY k").close()
    rows = session.sql("SELECT mean(total) AS m FROM counted").pl()
    assert rows["m"][-1] == 3.0
    grouped = session.sql("SELECT k, mean(a) FILTER (WHERE a < 3) AS m FROM n GROUP BY k").pl()
    assert dict(grouped.select("k", "m").rows())["x"] == 1.0


def test_an_aggregate_of_columns(session):
    session.create_function("spread", udaf(lambda c: c.max() - c.min(), result_type="BIGINT", func_type="polars"))
    assert sorted(session.sql("SELECT k, spread(a) FROM n WHERE k IS NOT NULL GROUP BY k").rows()) == [
        ("x", 2),
        ("y", 0),
    ]


def test_create_show_and_drop_by_statements(session, monkeypatch):
    module = types.ModuleType("rules_of_a_shop")
    module.discount = udf(lambda price: price // 2, result_type="BIGINT", input_types="BIGINT")
    monkeypatch.setitem(sys.modules, "rules_of_a_shop", module)
    session.sql("CREATE TEMPORARY FUNCTION discount AS 'rules_of_a_shop.discount' LANGUAGE PYTHON").close()
    assert session.sql("SELECT discount(a) FROM n WHERE a = 3").rows() == [(1,)]
    assert session.sql("SHOW USER FUNCTIONS").rows() == [("discount",)]
    with pytest.raises(UserError, match="exists already"):
        session.sql("CREATE FUNCTION Discount AS 'rules_of_a_shop.discount' LANGUAGE PYTHON").close()
    session.sql("DROP FUNCTION discount").close()
    with pytest.raises(UserError, match="Unknown function 'discount'"):
        session.sql("SELECT discount(a) FROM n").rows()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE FUNCTION upper AS 'm.f' LANGUAGE PYTHON", "UPPER is a built-in function"),
        ("CREATE FUNCTION f AS 'no_such_module_here.f' LANGUAGE PYTHON", "Cannot import the module"),
        ("CREATE FUNCTION f AS 'math.sqrt' LANGUAGE PYTHON", "'math.sqrt' is no declared function"),
        ("CREATE FUNCTION f AS 'math.sqroot' LANGUAGE PYTHON", "The module 'math' has no 'sqroot'"),
        ("CREATE FUNCTION f AS 'a.B' LANGUAGE JAVA", "CREATE FUNCTION without LANGUAGE PYTHON is not supported"),
        ("DROP FUNCTION f", "Unknown function 'f'"),
    ],
)
def test_what_cannot_be_created_is_refused(session, statement, message):
    with pytest.raises(UserError) as caught:
        session.sql(statement).close()
    assert message in str(caught.value)


def test_arguments_are_cast_or_refused(session):
    session.create_function("f", udf(lambda x: x, result_type="STRING", input_types=["STRING"]))
    assert session.sql("SELECT f(12)").rows() == [("12",)]
    with pytest.raises(UserError, match=r"f does not take \(INT, INT\); expected f\(STRING\)"):
        session.sql("SELECT f(1, 2)").rows()
    with pytest.raises(UserError, match="'BIGNT' is no SQL type"):
        session.create_function("g", udf(lambda x: x, result_type="BIGNT"))


def test_a_table_function_declares_its_columns():
    words = udtf(lambda text: text.split(), result_types=["STRING", "INT"])
    assert words.result_type == "ROW<f0 STRING, f1 INT>"


@pytest.mark.parametrize(
    ("function", "rows"),
    [
        (lambda n: ((each, str(each)) for each in range(n)), [(1, 0, "0"), (2, 0, "0"), (2, 1, "1")]),
        (lambda n: (n, "x") if n > 1 else None, [(2, 2, "x")]),
        (lambda n: [{"f0": n, "f1": None}] * (n - 1), [(2, 2, None)]),
    ],
    ids=["it yields rows", "it returns one, or none", "it returns rows that are dicts"],
)
def test_a_table_function_stands_in_from_beside_the_row_that_it_is_called_for(function, rows):
    with Session({"t": {"id": [1, 2]}}) as own:
        own.create_function("f", udtf(function, result_types=["BIGINT", "STRING"]))
        assert own.sql("SELECT t.id, n, s FROM t, LATERAL TABLE(f(id)) AS u(n, s)").rows() == rows
        kept = own.sql("SELECT t.id, f1 FROM t LEFT JOIN LATERAL TABLE(f(id)) ON TRUE").rows()
        assert kept == sorted([(a, c) for a, _, c in rows] + [(1, None)] * (rows[0][0] > 1))
        with pytest.raises(UserError, match="f is a table function: it stands in FROM"):
            own.sql("SELECT f(id) FROM t")
        with pytest.raises(UserError, match=r"LEFT JOIN LATERAL TABLE takes no condition but TRUE"):
            own.sql("SELECT t.id FROM t LEFT JOIN LATERAL TABLE(f(id)) AS u(n, s) ON n > 1")


def test_a_table_function_that_fails_names_row_and_function():
    with Session({"t": {"id": [1, 0]}}) as own:
        own.create_function("f", udtf(lambda n: [1 // n], result_types=["BIGINT"], name="quotient"))
        with pytest.raises(UserError, match=r"The function quotient failed in row 2 of the batch, for \(0\)"):
            own.sql("SELECT x FROM t, LATERAL TABLE(f(id)) AS u(x)").rows()


def test_it_is_written_by_its_name_in_the_plan(session):
    session.create_function("f", udf(lambda x: x, result_type="BIGINT"))
    assert "f(a)" in "\n".join(pl.Series(session.sql("EXPLAIN SELECT f(a) FROM n").pl().to_series()).to_list())
