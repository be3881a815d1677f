"""The table of functions: names, promotion of types, refusals."""

# ruff: noqa: E501
from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.errors import Span, UserError
from yeoul.plan.functions import (
    AGGREGATES,
    SCALARS,
    can_cast,
    common_type,
    is_aggregate,
    is_scalar,
    resolve_aggregate,
    resolve_scalar,
)
from yeoul.plan.functions.page import page
from yeoul.plan.functions.refused import REFUSED
from yeoul.plan.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    FLOAT,
    INT,
    INTERVAL_DAY_TIME,
    NULL,
    SMALLINT,
    STRING,
    TINYINT,
    DataType,
    RowField,
    array_of,
    decimal,
    map_of,
    row_of,
    timestamp,
    timestamp_ltz,
)


@pytest.mark.parametrize(
    ("function", "a", "b", "result"),
    [
        ("add", TINYINT, SMALLINT, "SMALLINT"),
        ("add", INT, BIGINT, "BIGINT"),
        ("add", BIGINT, FLOAT, "FLOAT"),
        ("add", FLOAT, DOUBLE, "DOUBLE"),
        ("add", decimal(10, 2), FLOAT, "DOUBLE"),
        ("add", decimal(10, 2), INT, "DECIMAL(13, 2)"),
        ("add", decimal(10, 2), decimal(5, 4), "DECIMAL(13, 4)"),
        ("subtract", decimal(38, 10), decimal(38, 2), "DECIMAL(38, 6)"),
        ("multiply", decimal(10, 2), decimal(5, 1), "DECIMAL(16, 3)"),
        ("multiply", decimal(30, 20), decimal(30, 20), "DECIMAL(38, 17)"),
        ("divide", INT, INT, "INT"),
        ("divide", decimal(10, 2), INT, "DECIMAL(21, 13)"),
        ("divide", decimal(32, 8), decimal(38, 8), "DECIMAL(38, 6)"),
        ("modulo", BIGINT, INT, "INT"),
        ("modulo", decimal(10, 2), decimal(5, 1), "DECIMAL(6, 2)"),
        ("add", NULL, INT, "INT"),
        ("add", DATE, INTERVAL_DAY_TIME, "DATE"),
        ("subtract", timestamp(3), INTERVAL_DAY_TIME, "TIMESTAMP(3)"),
        ("multiply", INTERVAL_DAY_TIME, INT, "INTERVAL DAY TO SECOND"),
    ],
)
def test_arithmetic_types_are_flinks(function: str, a: DataType, b: DataType, result: str) -> None:
    assert str(resolve_scalar(function, [a, b]).type) == result


def test_nullability_follows_the_arguments() -> None:
    assert str(resolve_scalar("add", [INT.not_null(), INT.not_null()]).type) == "INT NOT NULL"
    assert str(resolve_scalar("is_null", [INT]).type) == "BOOLEAN NOT NULL"
    assert str(resolve_scalar("coalesce", [INT, INT.not_null()]).type) == "INT NOT NULL"
    assert str(resolve_scalar("nullif", [INT.not_null(), INT.not_null()]).type) == "INT"
    assert str(resolve_scalar("from_base64", [STRING.not_null()]).type) == "STRING"
    assert str(resolve_aggregate("count", [INT]).type) == "BIGINT NOT NULL"
    assert str(resolve_aggregate("sum", [INT.not_null()]).type) == "INT"


def test_comparisons_cast_both_sides_to_where_they_meet() -> None:
    for a, b, meeting in (
        (INT, BIGINT, "BIGINT"),
        (INT, STRING, "INT"),
        (STRING, timestamp(3), "TIMESTAMP(3)"),
        (DATE, timestamp(3), "TIMESTAMP(3)"),
        (timestamp(3), timestamp_ltz(6), "TIMESTAMP_LTZ(6)"),
        (decimal(4, 2), INT, "DECIMAL(12, 2)"),
        (NULL, INT, "INT"),
    ):
        assert [str(each) for each in resolve_scalar("equals", [a, b]).args] == [meeting, meeting]


def test_common_types() -> None:
    assert str(common_type([INT.not_null(), NULL])) == "INT"
    assert str(common_type([decimal(4, 2), decimal(10, 0)])) == "DECIMAL(12, 2)"
    assert str(common_type([array_of(INT), array_of(BIGINT)])) == "ARRAY<BIGINT>"
    assert common_type([INT, BOOLEAN]) is None
    assert common_type([NULL, NULL]) == NULL


def test_sums_and_means_keep_the_type_as_flink_does() -> None:
    assert str(resolve_aggregate("SUM", [INT]).type) == "INT"
    assert str(resolve_aggregate("SUM", [decimal(10, 2)]).type) == "DECIMAL(38, 2)"
    assert str(resolve_aggregate("avg", [BIGINT]).type) == "BIGINT"
    assert str(resolve_aggregate("Avg", [decimal(10, 2)]).type) == "DECIMAL(38, 6)"
    assert str(resolve_aggregate("avg", [decimal(20, 10)]).type) == "DECIMAL(38, 10)"
    assert resolve_aggregate("COUNT", []).function == "count_star"


def test_literals_decide_the_type_of_rounding_and_fields() -> None:
    rounded = resolve_scalar("ROUND", [decimal(10, 4), INT.not_null()], None, [None, 2])
    assert str(rounded.type) == "DECIMAL(9, 2)"
    row = row_of(RowField("a", INT.not_null()), RowField("b", STRING))
    assert str(resolve_scalar("field", [row, STRING.not_null()], None, [None, "a"]).type) == "INT"
    assert str(resolve_scalar("field", [row.not_null(), STRING.not_null()], None, [None, "a"]).type) == "INT NOT NULL"


def test_casts_that_exist() -> None:
    assert can_cast(STRING, timestamp(3))
    assert can_cast(array_of(INT), STRING)
    assert can_cast(array_of(INT), array_of(STRING))
    assert not can_cast(STRING, array_of(INT))
    assert not can_cast(DATE, INT)
    assert not can_cast(STRING, INTERVAL_DAY_TIME)
    assert not can_cast(timestamp(3), BIGINT)
    assert not can_cast(map_of(STRING, INT), map_of(STRING, array_of(INT)))


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        ("uper", [STRING], "Unknown function 'uper' (line 2, column 8). Did you mean 'UPPER'?"),
        ("upper", [INT], "UPPER does not take (INT); expected UPPER(s) (line 2, column 8)"),
        (
            "add",
            [STRING, INT],
            "a + b does not take (STRING, INT); expected a + b (line 2, column 8). "
            "Cast a string to a number first; || joins strings.",
        ),
        ("bitmap_build", [STRING], "BITMAP_BUILD does not take (STRING); expected BITMAP_BUILD(array) (line 2, column 8)"),
        ("source_watermark", [], "The function SOURCE_WATERMARK of Flink is not supported (line 2, column 8). Write WATERMARK FOR ts AS ts - INTERVAL ... instead."),
        ("subtract", [timestamp(3), timestamp(3)], "a - b does not take (TIMESTAMP(3), TIMESTAMP(3)); expected a - b (line 2, column 8). "
         "For the time between two timestamps write TIMESTAMPDIFF(SECOND, a, b); cast a string to a number first."),
    ],
)  # fmt: skip
def test_refusals_read_well(name: str, args: list[DataType], text: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_scalar(name, args, Span(2, 8))
    assert str(caught.value) == text


def test_aggregates_are_no_scalars_and_the_other_way_round() -> None:
    assert is_aggregate("sum")
    assert not is_scalar("sum")
    assert is_scalar("UPPER")
    with pytest.raises(UserError, match="SUM does not take"):
        resolve_aggregate("sum", [STRING])
    with pytest.raises(UserError, match="Unknown function 'median'"):
        resolve_aggregate("median", [DOUBLE])


def test_ids_and_names_are_unique_and_never_both_done_and_refused() -> None:
    for table in (SCALARS, AGGREGATES):
        keys = [key for each in table for key in {each.id.upper(), *each.names}]
        assert len(keys) == len(set(keys))
        assert not set(keys) & set(REFUSED)


def test_every_rule_survives_any_arguments() -> None:
    some = (INT, STRING, BYTES, NULL, timestamp(3), array_of(INT), map_of(STRING, INT), DOUBLE, decimal(4, 2))
    for function in (*SCALARS, *AGGREGATES):
        for first in some:
            for args in (
                (),
                (first,),
                (first, INT),
                (first, first),
                (first, STRING, INT),
                (first, first, first, first),
            ):
                typing = function.rule(args)
                assert typing is None or len(typing[0]) == len(args)


def test_the_page_of_functions_is_up_to_date() -> None:
    written = Path(__file__).parents[3].joinpath("docs", "functions.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m yeoul.plan.functions.page > docs/functions.md"
