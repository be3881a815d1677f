"""Arithmetic as Flink has it: integers wrap around, decimals are exact to their type's scale.

A decimal result with too many digits is NULL; only a division by zero fails.
"""

from __future__ import annotations

import decimal
import operator
from collections.abc import Callable, Mapping

import polars as pl

from yeoul.engine.compile.decimals import combined_decimals
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.plan.functions.coercion import MAX_DIGITS, as_decimal
from yeoul.plan.types import DataType, Kind

__all__ = ["ARITHMETIC", "shifted_months", "shifted_time"]

Operation = Callable[[pl.Series, pl.Series], pl.Series]


def _pointwise(operation: Callable[..., object]) -> Lowering:
    """Addition, subtraction and multiplication."""

    def lower(site: Site) -> pl.Expr:
        a, b = site.types
        if site.call.type.kind is Kind.DECIMAL:
            return _decimals(site, operation)
        if site.call.type.is_numeric:
            result = operation(*site.args)
            assert isinstance(result, pl.Expr)
            return result
        return _temporal(site, a, b, operation)

    return lower


def _temporal(site: Site, a: DataType, b: DataType, operation: Callable[..., object]) -> pl.Expr:
    """A point in time and an interval, two intervals, or an interval times a number."""
    left, right = site.args
    if site.call.function == "multiply" or (a.is_interval and b.is_interval):
        result = operation(left, right)
        assert isinstance(result, pl.Expr)
        return result.cast(site.dtype)
    point, interval, type = (right, left, b) if a.is_interval else (left, right, a)
    kind = (a if a.is_interval else b).kind
    if site.call.function == "subtract":
        interval = interval.neg() if kind is Kind.INTERVAL_YEAR_MONTH else -interval
    if kind is Kind.INTERVAL_YEAR_MONTH:
        return shifted_months(point, interval, type)
    return shifted_time(point, interval, type, site.text, strict=site.strict)


def shifted_months(point: pl.Expr, months: pl.Expr, type: DataType) -> pl.Expr:
    """Moves dates and timestamps by calendar months, instants in UTC; the 31st becomes the month's last day."""
    if type.kind is Kind.TIME:
        return pl.when(months.is_not_null()).then(point)
    return point.dt.offset_by(pl.format("{}mo", months))


def shifted_time(point: pl.Expr, interval: pl.Expr, type: DataType, text: str, *, strict: bool = True) -> pl.Expr:
    """Moves a point by a duration; Polars would fall back to the coarser unit, so the units are made equal first."""
    if type.kind is Kind.TIME:
        day_ns = 86_400_000_000_000
        moved = point.cast(pl.Int64) + interval.dt.total_nanoseconds()
        return (((moved % day_ns) + day_ns) % day_ns).cast(pl.Time)
    if type.kind is Kind.DATE:
        return checked([point, interval], _whole_days(text, strict=strict), pl.Date())
    dtype = polars_dtype(type)
    assert isinstance(dtype, pl.Datetime)
    return point + interval.cast(pl.Duration(dtype.time_unit))


def _whole_days(text: str, *, strict: bool) -> Operation:
    def compute(day: pl.Series, interval: pl.Series) -> pl.Series:
        whole = interval.dt.total_milliseconds() // 86_400_000 * 86_400_000
        return day + whole.cast(pl.Duration("ms"))

    return compute


# ---- division and remainder ------------------------------------------------------------


def _operand(column: pl.Series) -> pl.Expr:
    """A column as an expression; one of length one stands for every row."""
    return pl.lit(column).first() if len(column) == 1 else pl.lit(column)


def _zero_divisor(a: pl.Series, b: pl.Series, site: Site) -> None:
    """Fails if a row divides a value by zero; NULL / 0 is NULL."""
    least, most = b.min(), b.max()
    if isinstance(least, int | decimal.Decimal) and isinstance(most, int | decimal.Decimal) and least <= 0 <= most:
        _refuse_zero(a, b, site)


def _refuse_zero(a: pl.Series, b: pl.Series, site: Site) -> None:
    hit = (b == 0) & a.is_not_null()
    if hit.any():
        row = first_true(hit.fill_null(False))
        raise EvaluationError(
            f"Division by zero in {site.text}: {a[row if len(a) > 1 else 0]} divided by 0",
            hint="NULLIF(divisor, 0) turns a zero into NULL.",
            span=site.call.span,
        )


def _divide(site: Site) -> pl.Expr:
    if site.call.type.is_float:
        return site.args[0] / site.args[1]
    if site.call.type.kind is Kind.DECIMAL:
        return _decimals(site, operator.truediv)
    divisor = site.constant(1)
    if isinstance(divisor, int) and divisor not in (0, -1):
        return site.args[0].truncdiv(site.args[1])
    return _integer_division(site, lambda a, b: a.truncdiv(b))


def _remainder(site: Site) -> pl.Expr:
    if site.call.type.is_float:
        a, b = site.args[0], site.args[1].abs()
        return pl.when(a < 0).then(-((-a) % b)).otherwise(a % b)
    if Kind.DECIMAL in (each.kind for each in site.types):
        return _decimals(site, operator.mod)
    divisor = site.constant(1)
    if isinstance(divisor, int) and divisor not in (0, -1):
        a, b = site.args
        return (a - a.truncdiv(b) * b).cast(site.dtype)
    return _integer_division(site, lambda a, b: a - a.truncdiv(b) * b)


def _integer_division(site: Site, formula: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
    dtype, strict = site.dtype, site.strict

    def compute(a: pl.Series, b: pl.Series) -> pl.Series:
        if strict:
            _zero_divisor(a, b, site)
        return pl.select(formula(_operand(a), _operand(b)).cast(dtype)).to_series()

    return checked(site.args, compute, dtype)


# ---- decimals ------------------------------------------------------------


def _decimals(site: Site, operation: Callable[..., object]) -> pl.Expr:
    """Adds as Polars does where 38 digits hold every step, and leaves everything else to the kernel."""
    strict = site.strict
    dtype = site.dtype if isinstance(site.dtype, pl.Decimal) else pl.Decimal(MAX_DIGITS, 0)
    (p1, s1), (p2, s2) = (as_decimal(each) for each in site.types)
    scale = max(s1, s2)
    adds = operation in (operator.add, operator.sub) and scale == dtype.scale
    fits = adds and max(p1 - s1, p2 - s2) + scale < MAX_DIGITS
    divides = operation in (operator.truediv, operator.mod)

    def compute(a: pl.Series, b: pl.Series) -> pl.Series:
        if divides and strict:
            _zero_divisor(a, b, site)
        if not fits:
            return combined_decimals(a, b, operation, dtype)
        working = pl.Decimal(MAX_DIGITS, scale)
        added = operation(a.cast(working), b.cast(working))
        assert isinstance(added, pl.Series)
        return added.cast(dtype)

    computed = checked(site.args, compute, dtype)
    return computed if site.dtype == dtype else computed.cast(pl.Int128).cast(site.dtype, wrap_numerical=True)


ARITHMETIC: Mapping[str, Lowering] = {
    "add": _pointwise(operator.add),
    "subtract": _pointwise(operator.sub),
    "multiply": _pointwise(operator.mul),
    "divide": _divide,
    "modulo": _remainder,
    "negate": lambda site: -site.args[0],
    "plus": lambda site: site.args[0],
}
