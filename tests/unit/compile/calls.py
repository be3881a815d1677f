"""Bound expressions out of plain values, as the planner would make them, and their evaluation."""

from __future__ import annotations

import datetime
from decimal import Decimal

import polars as pl

from yeoul.clock import ManualClock
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.plan.expressions import Call, Cast, ColumnRef, Expression, Literal
from yeoul.plan.functions import resolve_scalar
from yeoul.plan.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INT,
    INTERVAL_DAY_TIME,
    NULL,
    STRING,
    DataType,
    decimal,
    time,
    timestamp,
)

Plain = (
    None | bool | int | float | str | bytes | Decimal | datetime.date | datetime.time | datetime.timedelta | Expression
)


def literal(value: Plain) -> Expression:
    """A literal typed as the planner types it; an expression stays."""
    match value:
        case None:
            return Literal(None, NULL)
        case bool():
            type = BOOLEAN
        case int():
            type = INT if abs(value) < 2**31 else BIGINT
        case float():
            type = DOUBLE
        case str():
            type = STRING
        case bytes():
            type = BYTES
        case Decimal():
            _, digits, exponent = value.as_tuple()
            scale = -int(exponent)
            type = decimal(max(len(digits), scale), scale)
        case datetime.timedelta():
            type = INTERVAL_DAY_TIME
        case datetime.datetime():
            type = timestamp(6 if value.microsecond % 1000 else 3)
        case datetime.date():
            type = DATE
        case datetime.time():
            type = time(0)
        case _:
            return value
    return Literal(value, type.not_null())


def call(name: str, *values: Plain) -> Call:
    """A call with the implicit casts that the table of functions asks for."""
    args = [literal(value) for value in values]
    constants = [each.value if isinstance(each, Literal) else None for each in args]
    resolved = resolve_scalar(name, [each.type for each in args], None, constants)
    cast = tuple(
        each if each.type.same_as(type) else Cast(each, type.or_null(each.type.nullable))
        for each, type in zip(args, resolved.args, strict=True)
    )
    return Call(resolved.function, cast, resolved.type)


def cast(value: Plain, type: DataType, *, lenient: bool = False) -> Cast:
    return Cast(literal(value), type, lenient)


CLOCK = ManualClock(wall_ms=1_700_000_000_123)


def evaluate(expression: Expression, frame: pl.DataFrame | None = None, zone: str = "UTC") -> list[object]:
    """The column that an expression gives over a frame; checks that its type is the promised one."""
    frame = pl.DataFrame({"$": [0]}) if frame is None else frame
    column = frame.with_columns(compile_expression(expression, EvaluationContext(CLOCK, zone)).alias("o"))["o"]
    assert column.dtype == polars_dtype(expression.type), (column.dtype, expression.type)
    return column.to_list()


def value_of(expression: Expression, zone: str = "UTC") -> object:
    """What an expression without columns is worth."""
    (once,) = evaluate(expression, zone=zone)
    return once


def as_columns(expression: Call, rows: int) -> tuple[Call, pl.DataFrame]:
    """The same call with its arguments out of a frame."""
    columns: dict[str, pl.Series] = {}
    args: list[Expression] = []
    for index, each in enumerate(expression.args):
        name = f"c{index}"
        value = pl.select(compile_expression(each, EvaluationContext(CLOCK))).to_series()[0]
        columns[name] = pl.Series(name, [value] * rows, dtype=polars_dtype(each.type))
        args.append(ColumnRef(name, each.type))
    frame = pl.DataFrame(columns) if columns else pl.DataFrame({"$": [0] * rows})
    return Call(expression.function, tuple(args), expression.type), frame
