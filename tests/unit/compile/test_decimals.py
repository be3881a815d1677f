"""Decimals in columns are those of Python's `decimal`, rounded half up; too many digits are NULL."""

from __future__ import annotations

import decimal
import operator
from collections.abc import Callable
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.compile.decimals import combined_decimals
from yeoul.plan import types
from yeoul.plan.functions.coercion import (
    decimal_addition,
    decimal_division,
    decimal_modulo,
    decimal_multiplication,
)

_EXACT = decimal.Context(prec=200, rounding=decimal.ROUND_HALF_UP)
_OPERATIONS: dict[
    Callable[..., object], tuple[Callable[[Decimal, Decimal], Decimal], Callable[..., types.DataType]]
] = {
    operator.add: (_EXACT.add, decimal_addition),
    operator.sub: (_EXACT.subtract, decimal_addition),
    operator.mul: (_EXACT.multiply, decimal_multiplication),
    operator.truediv: (_EXACT.divide, decimal_division),
    operator.mod: (_EXACT.remainder, decimal_modulo),
}


@st.composite
def _types_and_pairs(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int], list[tuple[Decimal, Decimal]]]:
    def type() -> tuple[int, int]:
        precision = draw(st.integers(1, 38))
        return precision, draw(st.integers(0, precision))

    def value(precision: int, scale: int) -> Decimal:
        size = draw(st.integers(0, precision))
        digits = draw(st.one_of(st.integers(0, 10**size - 1), st.just(10**size - 1), st.just(10 ** max(0, size - 1))))
        return Decimal((draw(st.integers(0, 1)), tuple(map(int, str(digits))), -scale))

    a, b = type(), type()
    return a, b, [(value(*a), value(*b)) for _ in range(draw(st.integers(1, 5)))]


def _expected(x: Decimal, y: Decimal, operation: Callable[..., object], result: types.DataType) -> Decimal | None:
    if y == 0 and operation in (operator.truediv, operator.mod):
        return None
    assert result.precision is not None
    assert result.scale is not None
    value = _OPERATIONS[operation][0](x, y).quantize(Decimal(1).scaleb(-result.scale), context=_EXACT)
    return value if value.copy_abs() < Decimal(10) ** (result.precision - result.scale) else None


@settings(deadline=None)
@given(_types_and_pairs())
def test_every_operation_is_exact_to_the_scale_of_its_type(
    drawn: tuple[tuple[int, int], tuple[int, int], list[tuple[Decimal, Decimal]]],
) -> None:
    (p1, s1), (p2, s2), pairs = drawn
    a = pl.Series("a", [x for x, _ in pairs], dtype=pl.Decimal(p1, s1))
    b = pl.Series("b", [y for _, y in pairs], dtype=pl.Decimal(p2, s2))
    for operation, (_, type_of) in _OPERATIONS.items():
        result = type_of(types.decimal(p1, s1), types.decimal(p2, s2))
        dtype = pl.Decimal(result.precision or 0, result.scale or 0)
        found = combined_decimals(a, b, operation, dtype)
        assert found.to_list() == [_expected(x, y, operation, result) for x, y in pairs]
        assert found.dtype == dtype


def test_one_number_stands_for_every_row_and_null_stays_null_also_in_a_slice() -> None:
    column = pl.Series("a", [Decimal(9), Decimal(1), None, Decimal(-2)], dtype=pl.Decimal(5, 0)).slice(1)
    third = pl.Series("b", [3])
    dtype = pl.Decimal(16, 6)
    by_three = [Decimal("0.333333"), None, Decimal("-0.666667")]
    assert combined_decimals(column, third, operator.truediv, dtype).to_list() == by_three
    assert combined_decimals(third, column, operator.truediv, dtype).to_list() == [Decimal(3), None, Decimal("-1.5")]
    assert combined_decimals(column.clear(), third, operator.truediv, dtype).to_list() == []
