"""Implicit casts: where a value of one type stands for another without CAST being written.

Source: Flink's LogicalTypeCasts: widening, and numbers into a DECIMAL; strings never turn into numbers by themselves on
their way to a table.
"""

from __future__ import annotations

from dataclasses import replace

from yeoul.plan.expressions import Cast, ColumnRef, Expression, Literal
from yeoul.plan.functions.coercion import may_lose_digits
from yeoul.plan.types import DataType, Kind

__all__ = ["can_store", "can_widen", "coerced", "widened_column"]

_INTEGER_RANKS = {Kind.TINYINT: 0, Kind.SMALLINT: 1, Kind.INT: 2, Kind.BIGINT: 3}
_INTEGER_DIGITS = {Kind.TINYINT: 3, Kind.SMALLINT: 5, Kind.INT: 10, Kind.BIGINT: 19}


def coerced(expression: Expression, target: DataType) -> Expression:
    """Returns the expression cast to the target, or itself if it has that type but for nullability."""
    if expression.type.same_as(target):
        return expression
    if isinstance(expression, Literal) and (expression.value is None or _same_value(expression.type, target)):
        return replace(expression, type=target.or_null(expression.value is None))
    nullable = expression.type.nullable or may_lose_digits(expression.type, target)
    return Cast(expression, target.or_null(nullable), span=expression.span)


def _same_value(source: DataType, target: DataType) -> bool:
    """Tells whether a literal of one type is written the same as one of the other."""
    wider = source.is_integer and target.is_integer and can_widen(source, target)
    return wider or (source.kind is target.kind and source.is_timestamp and can_widen(source, target))


def can_widen(source: DataType, target: DataType) -> bool:
    """Tells whether every value of one type is one of the other, so that no CAST needs to be written.

    Example:
        >>> from yeoul.plan.types import BIGINT, INT, STRING
        >>> can_widen(INT, BIGINT), can_widen(BIGINT, INT), can_widen(STRING, INT)
        (True, False, False)
    """
    if source.same_as(target) or source.kind is Kind.NULL:
        return True
    a, b = source.kind, target.kind
    if a in _INTEGER_RANKS and b in _INTEGER_RANKS:
        return _INTEGER_RANKS[a] <= _INTEGER_RANKS[b]
    if source.is_numeric and b is Kind.DECIMAL:
        return _fits_decimal(source, target)
    if source.is_numeric and target.is_float:
        return b is Kind.DOUBLE or a is not Kind.DOUBLE
    if a is b:
        return _widens_within(source, target)
    return {a, b} == {Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ} or (a is Kind.DATE and target.is_timestamp)


def can_store(source: DataType, target: DataType) -> bool:
    """Tells whether INSERT takes a value without CAST: what widens, and any number into a DECIMAL, as in Flink.

    Example:
        >>> from yeoul.plan.types import BIGINT, decimal
        >>> can_store(decimal(24, 3), decimal(23, 3)), can_store(decimal(24, 3), BIGINT)
        (True, False)
    """
    return can_widen(source, target) or (source.is_numeric and target.kind is Kind.DECIMAL)


def _fits_decimal(source: DataType, target: DataType) -> bool:
    digits, scale = _INTEGER_DIGITS.get(source.kind, source.precision), source.scale or 0
    if source.is_float or digits is None:
        return False
    return (target.scale or 0) >= scale and (target.precision or 0) - (target.scale or 0) >= digits - scale


def _widens_within(source: DataType, target: DataType) -> bool:
    match source.kind:
        case Kind.STRING | Kind.BYTES | Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ | Kind.TIME:
            return True
        case Kind.ARRAY | Kind.MAP:
            pairs = ((source.element, target.element), (source.key, target.key))
            return all(x is None or y is None or can_widen(x, y) for x, y in pairs)
        case Kind.ROW if len(source.fields) == len(target.fields):
            return all(can_widen(x.type, y.type) for x, y in zip(source.fields, target.fields, strict=True))
        case _:
            return False


def widened_column(value: Expression) -> str | None:
    """Returns the column that a value is, perhaps in a type that holds all of its values; None if it is no such."""
    while isinstance(value, Cast) and can_widen(value.operand.type, value.type):
        value = value.operand
    return value.name if isinstance(value, ColumnRef) else None
