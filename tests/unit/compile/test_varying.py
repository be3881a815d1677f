"""What a column gives where a function wants a meaning (a format, a zone, a path) is what the literal would give."""

from __future__ import annotations

import polars as pl
import pytest
from tests.unit.compile.calls import call

from yeoul.engine.compile.expressions import compile_expression
from yeoul.engine.compile.faults import EvaluationError
from yeoul.plan.expressions import Call, Case, ColumnRef, Expression, Literal
from yeoul.plan.types import BOOLEAN, INT, STRING

FORMATS = ["yyyy", "MM-dd", None, "yyyy", "HH:mm"]


def _of(texts: list[str | None], expression: Expression) -> list[object]:
    frame = pl.DataFrame({"x": texts, "n": range(len(texts))}, schema={"x": pl.String, "n": pl.Int32})
    return frame.select(compile_expression(expression).alias("y"))["y"].to_list()


def _literal_of(name: str, *args: object) -> object:
    return pl.select(compile_expression(call(name, *args)))[:, 0].to_list()[0]


@pytest.mark.parametrize(
    ("name", "before", "values", "after"),
    [
        ("DATE_FORMAT", ["2024-02-03 04:05:06"], FORMATS, []),
        ("FROM_UNIXTIME", [86_400], FORMATS, []),
        ("TO_TIMESTAMP", ["2024"], FORMATS, []),
        ("TO_DATE", ["2024"], ["yyyy", "yyyy", None], []),
        ("CONVERT_TZ", ["2024-01-01 00:00:00", "UTC"], ["Asia/Seoul", None, "UTC", "Asia/Seoul"], []),
        ("CONVERT_TZ", ["2024-01-01 00:00:00"], ["Asia/Seoul", "UTC"], ["Europe/Berlin"]),
        ("REGEXP_REPLACE", ["aabc"], ["a+", "[bc]", None, "(?=b)", "a+"], ["-"]),
        ("REGEXP_EXTRACT_ALL", ["abab"], ["a", "ab", None], []),
        ("SIMILAR", ["ab"], ["(a|b)+", "a", None], []),
        ("PARSE_URL", ["http://h/p?a=1"], ["HOST", "QUERY", None], []),
        ("TRANSLATE", ["abc"], ["ab", "c"], ["x"]),
    ],
)
def test_each_row_is_computed_by_its_own_value(name, before, values, after):
    varying = call(name, *before, ColumnRef("x", STRING), *after)
    assert _of(values, varying) == [
        None if each is None else _literal_of(name, *before, each, *after) for each in values
    ]
    assert _of([], varying) == []


def test_a_value_without_a_meaning_fails_only_where_it_counts():
    path = call("JSON_VALUE", '{"a": 1}', ColumnRef("x", STRING))
    with pytest.raises(EvaluationError, match="The JSON path 'nonsense' of"):
        _of(["$.a", "nonsense"], path)
    counts = Call("less", (ColumnRef("n", INT), Literal(1, INT.not_null())), BOOLEAN)
    assert _of(["$.a", "nonsense"], Case(((counts, path),), Literal(None, STRING), STRING)) == ["1", None]
