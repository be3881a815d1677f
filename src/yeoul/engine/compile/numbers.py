"""Functions of numbers: rounding, powers, trigonometry, chance."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from yeoul.engine.compile.casts import rounded_decimal
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.plan.types import Kind

__all__ = ["NUMBERS"]

_WHOLE_DOUBLES = 2.0**52


def _float(function: Callable[[pl.Expr], pl.Expr]) -> Lowering:
    return lambda site: function(site.args[0])


def _log10(numbers: pl.Series) -> pl.Series:
    """The logarithm of a power of ten is whole, which the quotient of two natural logarithms is not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return pl.Series(np.log10(numbers))


def _whole(*, up: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        operand = site.args[0]
        if site.types[0].is_integer:
            return operand
        if site.types[0].kind is Kind.DECIMAL:
            return _whole_decimal(operand, up=up).cast(site.dtype, strict=False)
        return (operand.ceil() if up else operand.floor()).cast(site.dtype)

    return lower


def _whole_decimal(operand: pl.Expr, *, up: bool) -> pl.Expr:
    """Integers of 128 bits: the next whole number need not fit a decimal of the operand's scale."""
    cut = operand.truncate(0)
    whole = cut.cast(pl.Int128)
    return whole + (operand > cut) if up else whole - (operand < cut)


def _rounded(*, nearest: bool) -> Lowering:
    """ROUND and TRUNCATE; halves go away from zero."""

    def lower(site: Site) -> pl.Expr:
        digits = site.constant(1) if len(site.args) > 1 else 0
        operand = site.args[0]
        if digits is None:
            return pl.lit(None, dtype=site.dtype)
        if isinstance(digits, int):
            if site.types[0].is_integer and digits >= 0:
                return operand
            if site.types[0].kind is Kind.DECIMAL:
                return _rounded_decimal(site, digits, nearest=nearest)
            if site.types[0].is_integer:
                return _in_units(operand.cast(pl.Int128), 10**-digits, nearest=nearest).cast(
                    site.dtype, wrap_numerical=True
                )
        return checked([operand.cast(pl.Float64), _digits(site)], _by_decimal_places(nearest), pl.Float64()).cast(
            site.dtype
        )

    return lower


def _digits(site: Site) -> pl.Expr:
    return site.args[1] if len(site.args) > 1 else pl.lit(0)


def _by_decimal_places(nearest: bool) -> Callable[[pl.Series, pl.Series], pl.Series]:
    """Rounds or cuts doubles by the digits that they are written with: 1.005 to two places is 1.01, 0.29 stays."""

    def compute(column: pl.Series, digits: pl.Series) -> pl.Series:
        value, places = column.to_numpy(), digits.to_numpy()
        scale, up = 10.0 ** np.abs(places), places >= 0
        with np.errstate(all="ignore"):
            units = np.where(up, value * scale, value / scale)
            if nearest:
                halves = np.rint(units * 2)
                finer = np.where(up, scale * 10, scale / 10)
                is_half = np.where(up, halves * 5 / finer, halves * 5 * finer) == value
                kept = np.where(is_half, np.copysign(np.floor(np.abs(halves) / 2 + 0.5), value), np.rint(units))
            else:
                near = np.rint(units)
                kept = np.where(np.where(up, near / scale, near * scale) == value, near, np.trunc(units))
            found = np.where(up, kept / scale, kept * scale) + 0.0
        known = pl.Series(np.where(np.abs(units) < _WHOLE_DOUBLES, found, value))
        return (
            known.set(column.is_null() | digits.is_null(), None) if column.has_nulls() or digits.has_nulls() else known
        )

    return compute


def _rounded_decimal(site: Site, digits: int, *, nearest: bool) -> pl.Expr:
    dtype = site.dtype
    assert isinstance(dtype, pl.Decimal)
    scale = site.types[0].scale or 0

    def compute(column: pl.Series) -> pl.Series:
        if digits >= scale:
            return column.cast(dtype)
        if digits < 0:
            whole = pl.col("a").cast(pl.Decimal(38, scale)).truncate(0).cast(pl.Int128)
            units = column.to_frame("a").select(_in_units(whole, 10**-digits, nearest=nearest)).to_series()
            return units.cast(dtype, strict=False)
        return rounded_decimal(column, dtype) if nearest else column.truncate(digits).cast(dtype)

    return checked([site.args[0]], compute, dtype)


def _in_units(whole: pl.Expr, unit: int, *, nearest: bool) -> pl.Expr:
    """Whole multiples of `unit`, of 128-bit integers: the nearest, halves away from zero, or the next towards zero."""
    if unit > 10**38:
        return whole * 0
    step = pl.lit(unit, dtype=pl.Int128)
    half = pl.lit(unit // 2, dtype=pl.Int128) * whole.sign() if nearest else pl.lit(0, dtype=pl.Int128)
    return (whole + half).truncdiv(step) * step


def _logarithm(site: Site) -> pl.Expr:
    if len(site.args) == 1:
        return site.args[0].log()
    return site.args[1].log() / site.args[0].log()


def _rows() -> pl.Expr:
    return pl.int_range(pl.len())


def _seed(site: Site) -> int | None:
    given = site.constant(0)
    return given % 2**64 if isinstance(given, int) else None


def _rand(site: Site) -> pl.Expr:
    fixed = _seed(site) if site.args else None

    def compute(rows: pl.Series) -> pl.Series:
        return pl.Series("rand", np.random.default_rng(fixed).random(len(rows)))

    return checked([_rows()], compute, pl.Float64())


def _rand_integer(site: Site) -> pl.Expr:
    fixed = _seed(site) if len(site.args) > 1 else None
    bound = site.args[-1]
    text = site.text

    def compute(rows: pl.Series, bounds: pl.Series) -> pl.Series:
        least = bounds.min()
        if len(rows) and isinstance(least, int) and least <= 0:  # never lenient: there is no row to blame
            raise EvaluationError(f"The bound of {text} must be above 0, got {least}")
        high = bounds.fill_null(1).to_numpy()
        drawn = pl.Series("rand", np.random.default_rng(fixed).integers(0, high, len(rows)), dtype=pl.Int32)
        return drawn if not bounds.has_nulls() else drawn.zip_with(bounds.is_not_null(), drawn.clear(len(drawn)))

    return checked([_rows(), bound], compute, pl.Int32())


def _uuid(site: Site) -> pl.Expr:
    def compute(rows: pl.Series) -> pl.Series:
        words = np.frombuffer(bytearray(os.urandom(16 * len(rows))), np.uint8).reshape(-1, 16)
        words[:, 6] = (words[:, 6] & 0x0F) | 0x40
        words[:, 8] = (words[:, 8] & 0x3F) | 0x80
        text = words.tobytes().hex()
        return _dashed(pl.Series("u", [text[at : at + 32] for at in range(0, len(text), 32)], dtype=pl.String))

    return checked([_rows()], compute, pl.String())


def _dashed(digits: pl.Series) -> pl.Series:
    cuts = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    parts = [pl.col("u").str.slice(start, length) for start, length in cuts]
    return digits.to_frame().select(pl.concat_str(parts, separator="-").alias("u")).to_series()


NUMBERS: Mapping[str, Lowering] = {
    "abs": lambda site: site.args[0].abs(),
    "sign": lambda site: site.args[0].sign().cast(site.dtype),
    "ceil": _whole(up=True),
    "floor": _whole(up=False),
    "round": _rounded(nearest=True),
    "truncate": _rounded(nearest=False),
    "power": lambda site: site.args[0].pow(site.args[1]),
    "sqrt": _float(lambda x: x.sqrt()),
    "exp": _float(lambda x: x.exp()),
    "ln": _float(lambda x: x.log()),
    "log10": lambda site: checked([site.args[0]], _log10, pl.Float64()),
    "log2": _float(lambda x: x.log(2.0)),
    "log": _logarithm,
    "sin": _float(lambda x: x.sin()),
    "cos": _float(lambda x: x.cos()),
    "tan": _float(lambda x: x.tan()),
    "cot": _float(lambda x: x.cot()),
    "asin": _float(lambda x: x.arcsin()),
    "acos": _float(lambda x: x.arccos()),
    "atan": _float(lambda x: x.arctan()),
    "atan2": lambda site: pl.arctan2(site.args[0], site.args[1]),
    "sinh": _float(lambda x: x.sinh()),
    "cosh": _float(lambda x: x.cosh()),
    "tanh": _float(lambda x: x.tanh()),
    "degrees": _float(lambda x: x.degrees()),
    "radians": _float(lambda x: x.radians()),
    "pi": lambda site: pl.lit(math.pi),
    "e": lambda site: pl.lit(math.e),
    "rand": _rand,
    "rand_integer": _rand_integer,
    "uuid": _uuid,
}
