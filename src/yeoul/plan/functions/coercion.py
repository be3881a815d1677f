"""Which types meet, and in what: Flink's promotion rules for numbers, times and everything else.

Pure functions over `DataType`; `None` always means "these do not meet". The decimal rules are those of T-SQL, which
Flink follows (its LogicalTypeMerging), with BIGINT counted as DECIMAL(19, 0).

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/types/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yeoul.plan.types import (
    BIGINT,
    DOUBLE,
    FLOAT,
    INT,
    SMALLINT,
    TINYINT,
    DataType,
    Kind,
    RowField,
    array_of,
    decimal,
    map_of,
    row_of,
    timestamp,
    timestamp_ltz,
)

__all__ = [
    "MAX_DIGITS",
    "as_decimal",
    "can_cast",
    "common_type",
    "comparable_type",
    "decimal_addition",
    "decimal_division",
    "decimal_modulo",
    "decimal_multiplication",
    "decimal_rounding",
    "may_lose_digits",
    "numeric_type",
]

_INTEGER_ORDER = (TINYINT, SMALLINT, INT, BIGINT)
_INTEGER_DIGITS = {Kind.TINYINT: 3, Kind.SMALLINT: 5, Kind.INT: 10, Kind.BIGINT: 19}
MAX_DIGITS = 38
"""The digits of the widest decimal; a result that would need more is NULL."""
_TIMES = frozenset({Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ})


def as_decimal(type: DataType) -> tuple[int, int]:
    """Returns precision and scale of an exact number's type.

    Example:
        >>> as_decimal(INT), as_decimal(decimal(7, 2))
        ((10, 0), (7, 2))
    """
    if type.kind is Kind.DECIMAL:
        return type.precision or MAX_DIGITS, type.scale or 0
    return _INTEGER_DIGITS[type.kind], 0


def _adjusted(precision: int, scale: int) -> DataType:
    """Fits a decimal into 38 digits: the scale gives way first, down to 6."""
    if precision <= MAX_DIGITS:
        return decimal(precision, scale)
    whole = precision - scale
    return decimal(MAX_DIGITS, max(MAX_DIGITS - whole, min(scale, 6)))


def decimal_addition(a: DataType, b: DataType) -> DataType:
    """Returns the type of a sum or a difference.

    Example:
        >>> str(decimal_addition(decimal(10, 2), INT))
        'DECIMAL(13, 2)'
    """
    (p1, s1), (p2, s2) = as_decimal(a), as_decimal(b)
    scale = max(s1, s2)
    return _adjusted(max(p1 - s1, p2 - s2) + scale + 1, scale)


def decimal_multiplication(a: DataType, b: DataType) -> DataType:
    """Returns the type of a product."""
    (p1, s1), (p2, s2) = as_decimal(a), as_decimal(b)
    return _adjusted(p1 + p2 + 1, s1 + s2)


def decimal_division(a: DataType, b: DataType) -> DataType:
    """Returns the type of a quotient.

    Example:
        >>> str(decimal_division(decimal(30, 20), decimal(30, 20)))
        'DECIMAL(38, 8)'
    """
    (p1, s1), (p2, s2) = as_decimal(a), as_decimal(b)
    scale = max(6, s1 + p2 + 1)
    return _adjusted(p1 - s1 + s2 + scale, scale)


def decimal_modulo(a: DataType, b: DataType) -> DataType:
    """Returns the type of a remainder."""
    (p1, s1), (p2, s2) = as_decimal(a), as_decimal(b)
    if s1 == 0 and s2 == 0:
        return b
    scale = max(s1, s2)
    return _adjusted(min(p1 - s1, p2 - s2) + scale, scale)


def decimal_rounding(type: DataType, digits: int | None) -> DataType:
    """Returns the type of ROUND(x, digits); with digits unknown at plan time the scale stays."""
    precision, scale = as_decimal(type)
    if digits is None or digits >= scale:
        return type
    if digits < 0:
        return decimal(min(MAX_DIGITS, 1 + precision - scale))
    return decimal(min(MAX_DIGITS, 1 + precision - scale + digits), digits)


def numeric_type(a: DataType, b: DataType) -> DataType | None:
    """Returns the type in which two numbers meet, nullable; the wider of the two.

    Example:
        >>> str(numeric_type(INT, BIGINT)), str(numeric_type(BIGINT, FLOAT)), str(numeric_type(decimal(4, 2), FLOAT))
        ('BIGINT', 'FLOAT', 'DOUBLE')
    """
    if not (a.is_numeric and b.is_numeric):
        return None
    if a.is_float or b.is_float:
        if Kind.DOUBLE in (a.kind, b.kind) or Kind.DECIMAL in (a.kind, b.kind):
            return DOUBLE
        return FLOAT
    if Kind.DECIMAL in (a.kind, b.kind):
        (p1, s1), (p2, s2) = as_decimal(a), as_decimal(b)
        scale = max(s1, s2)
        return decimal(min(MAX_DIGITS, max(p1 - s1, p2 - s2) + scale), scale)
    kinds = [each.kind for each in _INTEGER_ORDER]
    return _INTEGER_ORDER[max(kinds.index(a.kind), kinds.index(b.kind))]


def common_type(types: Sequence[DataType]) -> DataType | None:
    """Returns the type that can hold the values of all, nullable if any is: for CASE, COALESCE, IN, UNION ALL.

    Example:
        >>> from yeoul.plan.types import STRING
        >>> str(common_type([INT.not_null(), BIGINT.not_null()])), str(common_type([INT, STRING]))
        ('BIGINT NOT NULL', 'None')
    """
    nullable = any(each.nullable or each.kind is Kind.NULL for each in types)
    known = [each for each in types if each.kind is not Kind.NULL]
    if not known:
        return types[0] if types else None
    result: DataType | None = known[0]
    for each in known[1:]:
        result = None if result is None else _common_of_two(result, each)
    return None if result is None else result.or_null(nullable)


def _common_of_two(a: DataType, b: DataType) -> DataType | None:
    if a.same_as(b):
        return a
    if a.is_numeric and b.is_numeric:
        return _common_number(a, b)
    if a.kind is b.kind:
        return _common_of_one_kind(a, b)
    if {a.kind, b.kind} <= {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ}:
        precision = max(a.precision or 0, b.precision or 0)
        return timestamp_ltz(precision) if Kind.TIMESTAMP_LTZ in (a.kind, b.kind) else timestamp(precision)
    return None


def _common_number(a: DataType, b: DataType) -> DataType | None:
    """As `numeric_type`, but of two decimals that need more than 38 digits the scale gives way."""
    met = numeric_type(a, b)
    if met is None or met.kind is not Kind.DECIMAL:
        return met
    (p1, s1), (p2, s2) = as_decimal(a), as_decimal(b)
    return decimal(met.precision or MAX_DIGITS, min(max(s1, s2), MAX_DIGITS - max(p1 - s1, p2 - s2)))


def _common_of_one_kind(a: DataType, b: DataType) -> DataType | None:
    match a.kind:
        case Kind.STRING | Kind.BYTES:
            longest = None if a.precision is None or b.precision is None else max(a.precision, b.precision)
            return replace(a, precision=longest, fixed=a.fixed and b.fixed and a.precision == b.precision)
        case Kind.TIME | Kind.TIMESTAMP | Kind.TIMESTAMP_LTZ:
            return a if (a.precision or 0) >= (b.precision or 0) else b
        case Kind.ARRAY | Kind.MAP:
            return _common_container(a, b)
        case Kind.ROW if len(a.fields) == len(b.fields):
            types = [common_type([x.type, y.type]) for x, y in zip(a.fields, b.fields, strict=True)]
            if any(each is None for each in types):
                return None
            return row_of(*(RowField(x.name, t) for x, t in zip(a.fields, types, strict=True) if t is not None))
        case _:
            return None


def _common_container(a: DataType, b: DataType) -> DataType | None:
    if a.element is None or b.element is None:
        return None
    element = common_type([a.element, b.element])
    if element is None or a.key is None or b.key is None:
        return None if element is None else array_of(element)
    key = common_type([a.key, b.key])
    return None if key is None else map_of(key, element)


def comparable_type(a: DataType, b: DataType) -> DataType | None:
    """Returns the type in which two values are compared; a string gives way to what it is compared with.

    Example:
        >>> from yeoul.plan.types import STRING
        >>> str(comparable_type(INT, STRING)), str(comparable_type(timestamp(3), STRING))
        ('INT', 'TIMESTAMP(3)')
    """
    if a.is_numeric and b.is_numeric:
        met = numeric_type(a, b)
        return None if met is None else met.or_null(a.nullable or b.nullable)
    common = common_type([a, b])
    if common is not None:
        return common
    for text, other in ((a, b), (b, a)):
        gives_way = other.is_numeric or other.kind in _TIMES or other.kind is Kind.BOOLEAN
        if text.kind is Kind.STRING and gives_way:
            return other.or_null(a.nullable or b.nullable)
    return None


def may_lose_digits(source: DataType, target: DataType) -> bool:
    """Tells whether a number's cast gives NULL for some values: those with too many digits for a DECIMAL.

    Example:
        >>> may_lose_digits(INT, decimal(5, 2)), may_lose_digits(INT, decimal(10)), may_lose_digits(DOUBLE, INT)
        (True, False, False)
    """
    if source.kind is Kind.BOOLEAN and target.kind is Kind.DECIMAL:
        return target.precision == target.scale
    if not source.is_numeric or target.kind is not Kind.DECIMAL:
        return False
    if source.is_float:
        return True
    (p1, s1), (p2, s2) = as_decimal(source), as_decimal(target)
    return p2 - s2 < p1 - s1 or (s2 < s1 and p2 - s2 == p1 - s1)


def can_cast(source: DataType, target: DataType) -> bool:
    """Tells whether CAST from one type to the other exists; whether each value passes shows at run time only.

    Example:
        >>> from yeoul.plan.types import STRING
        >>> can_cast(STRING, INT), can_cast(INT, array_of(INT))
        (True, False)
    """
    a, b = source.kind, target.kind
    if Kind.NULL in (a, b) or a is b:
        return a is Kind.NULL or _can_cast_parts(source, target)
    if Kind.VARIANT in (a, b):
        return False
    if Kind.STRING in (a, b):
        other = a if b is Kind.STRING else b
        return b is Kind.STRING or not (other in (Kind.ARRAY, Kind.MAP, Kind.ROW, Kind.BITMAP) or target.is_interval)
    if source.is_numeric and target.is_numeric:
        return True
    if Kind.BOOLEAN in (a, b):
        return source.is_numeric or target.is_numeric
    if a in _TIMES and b in _TIMES:
        return {a, b} != {Kind.DATE, Kind.TIME}
    return (source.is_interval and target.is_integer) or (source.is_integer and target.is_interval)


def _can_cast_parts(source: DataType, target: DataType) -> bool:
    if source.kind is Kind.ROW:
        pairs = zip(source.fields, target.fields, strict=False)
        return len(source.fields) == len(target.fields) and all(can_cast(x.type, y.type) for x, y in pairs)
    parts = ((source.element, target.element), (source.key, target.key))
    return all(x is None or y is None or can_cast(x, y) for x, y in parts)
