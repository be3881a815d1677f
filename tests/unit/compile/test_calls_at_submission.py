"""Every function of the table, called with too few, too many and wrongly typed arguments.

A call is refused when it is bound or compiled, in a message that names the function and what it takes; or it runs: over
no rows without any error, over rows with none but those that the data are to blame for.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal

import polars as pl
import pytest

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import compile_projections
from yeoul.engine.compile.faults import EvaluationError
from yeoul.errors import Span, UserError
from yeoul.plan.expressions import ColumnRef, Expression, Literal
from yeoul.plan.functions import (
    AGGREGATES,
    GROUPINGS,
    RANKINGS,
    SCALARS,
    WATERMARKS,
    Function,
    resolve_aggregate,
    resolve_grouping,
    resolve_ranking,
    resolve_watermark,
)
from yeoul.plan.types import (
    BIGINT,
    BITMAP,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INT,
    INTERVAL_DAY_TIME,
    INTERVAL_YEAR_MONTH,
    NULL,
    STRING,
    VARIANT,
    DataType,
    RowField,
    array_of,
    decimal,
    map_of,
    row_of,
    time,
    timestamp,
    timestamp_ltz,
)
from yeoul.planner.binding.expressions.calls import call
from yeoul.planner.sql import parse

_HERE = Span(1, 8)
_PAIRS = row_of(RowField("x", INT), RowField("y", STRING))
_DAY = dt.date(2024, 1, 5)
_MOMENT = dt.datetime(2024, 1, 5, 10)
_VALUES: dict[str, tuple[DataType, object]] = {
    "i": (INT, 3),
    "l": (BIGINT, -5),
    "f": (DOUBLE, 1.5),
    "n": (decimal(10, 2), Decimal("2.50")),
    "s": (STRING, "2024-01-05"),
    "y": (BYTES, b"ab"),
    "b": (BOOLEAN, True),
    "d": (DATE, _DAY),
    "tm": (time(0), dt.time(10)),
    "ts": (timestamp(3), _MOMENT),
    "tz": (timestamp_ltz(3), _MOMENT.replace(tzinfo=dt.UTC)),
    "days": (INTERVAL_DAY_TIME, None),
    "months": (INTERVAL_YEAR_MONTH, None),
    "a": (array_of(INT), [1, 2]),
    "aa": (array_of(array_of(STRING)), [["x"]]),
    "m": (map_of(STRING, INT), [{"key": "a", "value": 1}]),
    "r": (_PAIRS, {"x": 1, "y": "b"}),
    "v": (VARIANT, None),
    "bits": (BITMAP, None),
}
_COLUMNS = {name: ColumnRef(name, type) for name, (type, _) in _VALUES.items()}
_LITERALS: tuple[Expression, ...] = (
    Literal(1, INT.not_null()),
    Literal(-1, INT.not_null()),
    Literal("a", STRING.not_null()),
    Literal("", STRING.not_null()),
    Literal(None, NULL),
)
_EVERYTHING = (*_COLUMNS.values(), *_LITERALS)
_SOME = (*(_COLUMNS[name] for name in ("i", "s", "f", "a", "ts")), *_LITERALS[:1], *_LITERALS[2:3], *_LITERALS[4:])
_FEW = (*(_COLUMNS[name] for name in ("i", "s", "a")), *_LITERALS[2:3], *_LITERALS[4:])


_FIRST_OF_TRIM = tuple(Literal(side, STRING.not_null()) for side in ("BOTH", "LEADING", "TRAILING"))
"""The grammar gives TRIM one of these."""


def _is_written(function: Function, args: Sequence[Expression]) -> bool:
    return function.id != "trim" or len(args) != 3 or args[0] in _FIRST_OF_TRIM


def _arguments() -> Iterator[tuple[Expression, ...]]:
    """Calls without arguments, with one of each kind, and with some kinds for the second to the fourth."""
    yield ()
    yield from itertools.product(_EVERYTHING)
    yield from itertools.product(_EVERYTHING, _SOME)
    yield from itertools.product(_FEW, repeat=3)
    yield (_COLUMNS["s"],) * 8
    yield (_COLUMNS["i"],) * 8
    yield from itertools.product(_FIRST_OF_TRIM, _FEW, _FEW)


def _frame(rows: Sequence[Callable[[object], object]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            pl.Series(name, [row(value) for row in rows], dtype=polars_dtype(type))
            for name, (type, value) in _VALUES.items()
        ]
    )


_NONE, _NULLS, _ONE = _frame([]), _frame([lambda _: None]), _frame([lambda value: value])


def _names(function: Function) -> tuple[str, ...]:
    return function.names or (function.id,)


def _assert_names(error: UserError, function: Function, name: str) -> None:
    assert name in error.message or not function.names, error.message
    assert "line 1, column 8" in error.message


@pytest.mark.parametrize("function", SCALARS, ids=lambda each: each.id)
def test_a_call_is_refused_when_it_is_submitted_or_it_runs(function):
    calls = itertools.product(_names(function), (args for args in _arguments() if _is_written(function, args)))
    for name, args in calls:
        try:
            expression = call(name, args, _HERE)
            compiled = compile_projections([("c", expression)])
        except UserError as error:
            _assert_names(error, function, name)
            continue
        assert _NONE.select(compiled).height == 0
        for rows in (_NULLS, _ONE):
            with suppress(EvaluationError):
                assert rows.select(compiled).height == 1, (name, args)


_OTHERS = (
    (AGGREGATES, resolve_aggregate),
    (RANKINGS, resolve_ranking),
    (GROUPINGS, resolve_grouping),
    (WATERMARKS, resolve_watermark),
)


@pytest.mark.parametrize(("function", "resolve"), [(each, by) for table, by in _OTHERS for each in table])
def test_what_no_scalar_takes_is_named(function, resolve):
    for name, args in itertools.product(_names(function), _arguments()):
        try:
            resolve(name, [one.type for one in args], _HERE)
        except UserError as error:
            _assert_names(error, function, name)


@pytest.mark.parametrize(
    ("written", "column", "says"),
    [
        ("CEIL()", 13, "CEIL(x), CEIL(t TO unit)"),
        ("CEILING(i, 2)", 17, "CEILING(x), CEILING(t TO unit)"),
        ("POSITION('a')", 20, "POSITION(what IN s)"),
        ("EXTRACT(i)", 16, "EXTRACT(unit FROM t)"),
        ("TIMESTAMPADD()", 21, "TIMESTAMPADD(unit, n, t)"),
        ("TRIM(a, b)", 14, "TRIM([BOTH | LEADING | TRAILING] [what FROM] s)"),
        ("OVERLAY()", 16, "OVERLAY(s PLACING new FROM start [FOR length])"),
        ("JSON_EXISTS(s)", 21, "JSON_EXISTS(json, path [TRUE | FALSE | UNKNOWN | ERROR ON ERROR])"),
    ],
)
def test_a_call_with_words_between_its_arguments_says_how_it_is_written(written, column, says):
    with pytest.raises(UserError) as refused:
        parse(f"SELECT {written} FROM t")
    assert f"(line 1, column {column})" in refused.value.message
    assert refused.value.hint == says
