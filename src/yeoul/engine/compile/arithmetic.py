"""Arithmetic that never wraps silently: integers are exact or fail, decimals are exact to their type's scale.

Overflow is looked for with the columns' bounds first, which costs a pass at memory speed; only columns that come near
the limits are computed again in 128 bits.
"""

from __future__ import annotations

import decimal
import operator
from collections.abc import Callable, Mapping
from itertools import product

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.plan.functions.coercion import as_decimal
from yeoul.plan.types import DataType, Kind

__all__ = ["ARITHMETIC", "shifted_months", "shifted_time"]

_BITS = {Kind.TINYINT: 7, Kind.SMALLINT: 15, Kind.INT: 31, Kind.BIGINT: 63}
_SIGNS = {"add": "+", "subtract": "-", "multiply": "*"}
_EXACT = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_UP)
Operation = Callable[[pl.Series, pl.Series], pl.Series]


def _limits(type: DataType) -> tuple[int, int]:
    bits = _BITS[type.kind]
    return -(1 << bits), (1 << bits) - 1


def _within(a: pl.Series, b: pl.Series, operation: Callable[[int, int], int], low: int, high: int) -> bool:
    """Tells from the columns' bounds alone that no result leaves [low, high]; False means unknown."""
    bounds = [each for column in (a, b) for each in (column.min(), column.max())]
    known = [each for each in bounds if isinstance(each, int)]
    if len(known) < 4:
        return True
    corners = [operation(x, y) for x, y in product(known[:2], known[2:])]
    return low <= min(corners) and max(corners) <= high


def _exact_integers(site: Site, operation: Callable[..., object]) -> pl.Expr:
    low, high = _limits(site.call.type)
    dtype, text, type, sign = site.dtype, site.text, site.call.type, _SIGNS[site.call.function]
    strict, span = site.strict, site.call.span

    def compute(a: pl.Series, b: pl.Series) -> pl.Series:
        if _within(a, b, operation, low, high):  # type: ignore[arg-type]
            result = operation(a, b)
            assert isinstance(result, pl.Series)
            return result
        wide = operation(a.cast(pl.Int128), b.cast(pl.Int128))
        assert isinstance(wide, pl.Series)
        narrow = wide.cast(dtype, strict=False)
        if strict and narrow.null_count() > wide.null_count():
            at = first_true(narrow.is_null() & wide.is_not_null())
            x, y = a[at if len(a) > 1 else 0], b[at if len(b) > 1 else 0]
            raise EvaluationError(
                f"Overflow in {text}: {x} {sign} {y} does not fit {type.or_null()}",
                hint="Cast an operand to a wider type, such as BIGINT or DECIMAL(38, 0).",
                span=span,
            )
        return narrow

    return checked(site.args, compute, dtype)


def _pointwise(operation: Callable[..., object]) -> Lowering:
    """Addition, subtraction and multiplication."""

    def lower(site: Site) -> pl.Expr:
        a, b = site.types
        if site.call.type.is_integer:
            return _exact_integers(site, operation)
        if site.call.type.kind is Kind.DECIMAL:
            return _decimals(site, operation)
        if site.call.type.is_float:
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
        return shifted_months(point, interval, type, site.context.time_zone)
    return shifted_time(point, interval, type, site.text, strict=site.strict)


def shifted_months(point: pl.Expr, months: pl.Expr, type: DataType, zone: str) -> pl.Expr:
    """Moves dates and timestamps by calendar months; the 31st becomes the month's last day."""
    offset = pl.format("{}mo", months)
    if type.kind is Kind.TIMESTAMP_LTZ and zone != "UTC":
        return point.dt.convert_time_zone(zone).dt.offset_by(offset).dt.convert_time_zone("UTC")
    return point.dt.offset_by(offset)


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


def _negate(site: Site) -> pl.Expr:
    if not site.call.type.is_integer:
        return -site.args[0]
    low, _ = _limits(site.call.type)
    text = site.text

    def compute(a: pl.Series) -> pl.Series:
        if site.strict and a.min() == low:
            raise EvaluationError(f"Overflow in {text}: -({low}) does not fit {site.call.type.or_null()}")
        return -a

    return checked(site.args, compute, site.dtype)


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
    text, dtype, strict = site.text, site.dtype, site.strict
    low = _limits(site.types[0])[0] if site.types[0].is_integer else 0

    def compute(a: pl.Series, b: pl.Series) -> pl.Series:
        if strict:
            _zero_divisor(a, b, site)
        if strict and a.min() == low and b.min() == -1 and ((a == low) & (b == -1)).any():
            raise EvaluationError(f"Overflow in {text}: {low} divided by -1 does not fit {site.types[0].or_null()}")
        return pl.select(formula(_operand(a), _operand(b)).cast(dtype)).to_series()

    return checked(site.args, compute, dtype)


# ---- decimals ------------------------------------------------------------


def _decimals(site: Site, operation: Callable[..., object]) -> pl.Expr:
    """Computes in columns where 38 digits hold every step, else value by value with unlimited precision."""
    target, text = site.call.type, site.text
    scale = target.scale or 0
    (p1, s1), (p2, s2) = (as_decimal(each) for each in site.types)
    whole = max(p1 - s1, p2 - s2)
    working = s1 + s2 if operation is operator.mul else max(scale, s1, s2)
    fits = whole + working <= 38 and working == scale and operation is not operator.truediv
    dtype, strict = site.dtype, site.strict
    divides = operation in (operator.truediv, operator.mod)

    def compute(a: pl.Series, b: pl.Series) -> pl.Series:
        if divides and strict:
            _zero_divisor(a, b, site)
        if fits:
            try:
                return _in_columns(a, b, operation, working, dtype)
            except pl.exceptions.PolarsError:
                pass
        return _by_value(a, b, operation, target, text, strict=strict).cast(dtype)

    return checked(site.args, compute, dtype)


def _in_columns(
    a: pl.Series, b: pl.Series, operation: Callable[..., object], scale: int, dtype: pl.DataType
) -> pl.Series:
    working = pl.Decimal(38, scale)
    x, y = a.cast(working), b.cast(working)
    if operation is operator.mod:
        y = y.abs()
        negative = (a < 0).fill_null(False)
        left, right = _operand(x), _operand(y)
        result = pl.select(pl.when(_operand(negative)).then(-((-left) % right)).otherwise(left % right)).to_series()
        return result.cast(dtype)
    combined = operation(x, y)
    assert isinstance(combined, pl.Series)
    return combined.cast(dtype)


_BY_VALUE: Mapping[Callable[..., object], Callable[[decimal.Decimal, decimal.Decimal], decimal.Decimal]] = {
    operator.add: _EXACT.add,
    operator.sub: _EXACT.subtract,
    operator.mul: _EXACT.multiply,
    operator.truediv: _EXACT.divide,
    operator.mod: _EXACT.remainder,
}


def _by_value(
    a: pl.Series, b: pl.Series, operation: Callable[..., object], target: DataType, text: str, *, strict: bool
) -> pl.Series:
    """Each different pair of values once: exact, rounded half up to the type's scale."""
    pairs = pl.select(_operand(a).alias("a"), _operand(b).alias("b"))
    unit = decimal.Decimal(1).scaleb(-(target.scale or 0))
    limit = decimal.Decimal(10) ** ((target.precision or 38) - (target.scale or 0))
    compute = _BY_VALUE[operation]
    known: dict[tuple[object, object], decimal.Decimal | None] = {}
    for x, y in pairs.unique().iter_rows():
        if x is None or y is None or (y == 0 and operation in (operator.truediv, operator.mod)):
            known[x, y] = None
            continue
        value = compute(decimal.Decimal(x), decimal.Decimal(y)).quantize(unit, context=_EXACT)
        if abs(value) >= limit and not strict:
            known[x, y] = None
            continue
        if abs(value) >= limit:
            raise EvaluationError(
                f"Overflow in {text}: the result for {x} and {y} does not fit {target.or_null()}",
                hint="Cast the operands to fewer digits first.",
            )
        known[x, y] = value
    dtype = pl.Decimal(target.precision or 38, target.scale or 0)
    return pl.Series("a", [known[pair] for pair in pairs.iter_rows()], dtype=dtype)


ARITHMETIC: Mapping[str, Lowering] = {
    "add": _pointwise(operator.add),
    "subtract": _pointwise(operator.sub),
    "multiply": _pointwise(operator.mul),
    "divide": _divide,
    "modulo": _remainder,
    "negate": _negate,
    "plus": lambda site: site.args[0],
}
