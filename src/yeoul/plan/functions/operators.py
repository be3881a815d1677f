"""Operators: arithmetic, comparison, logic. The planner calls them by id."""

from __future__ import annotations

from collections.abc import Callable

from yeoul.plan.functions.coercion import (
    MAX_DIGITS,
    common_type,
    comparable_type,
    decimal_addition,
    decimal_division,
    decimal_modulo,
    decimal_multiplication,
    numeric_type,
)
from yeoul.plan.functions.signatures import (
    ANY_NUMBER,
    ANYTHING,
    CONDITION,
    ORDERED,
    TEXT,
    Function,
    Rule,
    Typing,
    any_null,
    takes,
)
from yeoul.plan.types import (
    BIGINT,
    BOOLEAN,
    INT,
    DataType,
    Kind,
)

__all__ = ["OPERATORS"]

_SUBTRACT_HINT = (
    "For the time between two timestamps write TIMESTAMPDIFF(SECOND, a, b); cast a string to a number first."
)


def _arithmetic(
    decimal_rule: Callable[[DataType, DataType], DataType], *, sums: bool = False, remainder: bool = False
) -> Rule:
    """Numbers: integers stay integers, decimals follow their rule, a float makes all float."""

    def rule(args: tuple[DataType, ...]) -> Typing | None:
        if len(args) != 2:
            return None
        a, b = _null_as_other(*args)
        nullable = any_null(args)
        meeting = numeric_type(a, b)
        if meeting is None:
            return _temporal(a, b, nullable) if sums else None
        if meeting.kind is Kind.DECIMAL:  # taken at their own scales: the result's type says how to compute
            type = decimal_rule(a, b)
            return (a, b), type.or_null(nullable or type.precision == MAX_DIGITS)
        result = b if remainder and meeting.is_integer else meeting
        return (meeting.or_null(args[0].nullable), meeting.or_null(args[1].nullable)), result.or_null(nullable)

    return rule


def _null_as_other(a: DataType, b: DataType) -> tuple[DataType, DataType]:
    """Gives an untyped NULL the type of the other side."""
    if a.kind is Kind.NULL and b.kind is Kind.NULL:
        return INT, INT
    return (b.or_null() if a.kind is Kind.NULL else a), (a.or_null() if b.kind is Kind.NULL else b)


def _temporal(a: DataType, b: DataType, nullable: bool) -> Typing | None:
    points = (Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ)
    if a.is_interval and b.is_interval:
        return ((a, b), a.or_null(nullable)) if a.kind is b.kind else None
    if a.kind in points and b.is_interval:
        return (a, b), a.or_null(nullable)
    return None


def _add(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) == 2 and args[0].is_interval and not args[1].is_interval:
        turned = _ADDITION((args[1], args[0]))
        return None if turned is None else ((turned[0][1], turned[0][0]), turned[1])
    return _ADDITION(args)


def _multiply(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) == 2 and args[0].is_interval != args[1].is_interval:
        interval, number = (args[0], args[1]) if args[0].is_interval else (args[1], args[0])
        factor = BIGINT.or_null(number.nullable)
        if not number.is_integer:
            return None
        cast = (interval, factor) if args[0].is_interval else (factor, interval)
        return cast, interval.or_null(any_null(args))
    return _MULTIPLICATION(args)


_ADDITION = _arithmetic(decimal_addition, sums=True)
_MULTIPLICATION = _arithmetic(decimal_multiplication)


def _negate(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) == 1 and args[0].is_interval:
        return args, args[0]
    return takes(ANY_NUMBER, returns=lambda given: given[0])(args)


def _comparison(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) != 2:
        return None
    meeting = comparable_type(*args)
    if meeting is None or meeting.kind is Kind.MAP:
        return None
    if all(each.kind is Kind.NULL for each in args):
        return args, BOOLEAN
    return tuple(meeting.or_null(each.nullable) for each in args), BOOLEAN.or_null(any_null(args))


def _order(args: tuple[DataType, ...]) -> Typing | None:
    """Which of two values is the greater: arrays, maps and rows have no order."""
    return None if any(each.kind in _UNORDERED for each in args) else _comparison(args)


_UNORDERED = frozenset({Kind.ARRAY, Kind.MAP, Kind.ROW, Kind.BITMAP, Kind.VARIANT})


def _never_null(rule: Rule) -> Rule:
    def wrapped(args: tuple[DataType, ...]) -> Typing | None:
        typing = rule(args)
        return None if typing is None else (typing[0], typing[1].not_null())

    return wrapped


def _membership(args: tuple[DataType, ...]) -> Typing | None:
    """`value IN (item, ...)`, and BETWEEN: all in one type; strings among them give way to the value's type."""
    if len(args) < 2:
        return None
    meeting = common_type(args)
    if meeting is None:
        meeting = args[0]
        for each in args[1:]:
            met = comparable_type(meeting, each)
            if met is None:
                return None
            meeting = met
    return tuple(meeting.or_null(each.nullable) for each in args), BOOLEAN.or_null(any_null(args))


def _between(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) != 3 or any(ORDERED(each) is None for each in args):
        return None
    return _membership(args)


_LOGIC = takes(CONDITION, CONDITION, returns=BOOLEAN, repeat_last=True)
_TRUTH = takes(CONDITION, returns=BOOLEAN, nullable=False)
_NULLNESS = takes(ANYTHING, returns=BOOLEAN, nullable=False)
_PATTERN = takes(TEXT, TEXT, TEXT, returns=BOOLEAN, optional=1)


def _operator(id: str, usage: str, summary: str, rule: Rule, hint: str = "", family: str = "comparison") -> Function:
    return Function(id, (), family, usage, summary, rule, hint)


OPERATORS: tuple[Function, ...] = (
    _operator("equals", "a = b", "Equal.", _comparison),
    _operator("not_equals", "a <> b", "Not equal.", _comparison),
    _operator("less", "a < b", "Less.", _order),
    _operator("less_or_equal", "a <= b", "Less or equal.", _order),
    _operator("greater", "a > b", "Greater.", _order),
    _operator("greater_or_equal", "a >= b", "Greater or equal.", _order),
    _operator(
        "is_distinct_from", "a IS DISTINCT FROM b", "Not equal, NULL being a value like any.", _never_null(_comparison)
    ),
    _operator(
        "is_not_distinct_from",
        "a IS NOT DISTINCT FROM b",
        "Equal, NULL being a value like any.",
        _never_null(_comparison),
    ),
    _operator("is_null", "a IS NULL", "Whether it is NULL.", _NULLNESS),
    _operator("is_not_null", "a IS NOT NULL", "Whether it is not NULL.", _NULLNESS),
    _operator("in", "a IN (b, ...)", "Equal to any of the list.", _membership),
    _operator("not_in", "a NOT IN (b, ...)", "Equal to none of the list.", _membership),
    _operator("between", "a BETWEEN b AND c", "b <= a and a <= c.", _between),
    _operator("not_between", "a NOT BETWEEN b AND c", "a < b or c < a.", _between),
    _operator("like", "a LIKE pattern [ESCAPE e]", "% is any text, _ any character.", _PATTERN),
    _operator("not_like", "a NOT LIKE pattern [ESCAPE e]", "NOT of LIKE.", _PATTERN),
    _operator("similar", "a SIMILAR TO pattern [ESCAPE e]", "SQL's regular expressions.", _PATTERN),
    _operator("not_similar", "a NOT SIMILAR TO pattern [ESCAPE e]", "NOT of SIMILAR TO.", _PATTERN),
    _operator("and", "a AND b", "Three-valued; b is not evaluated strictly where a is false.", _LOGIC, family="logic"),
    _operator("or", "a OR b", "Three-valued; b is not evaluated strictly where a is true.", _LOGIC, family="logic"),
    _operator("not", "NOT a", "Three-valued.", takes(CONDITION, returns=BOOLEAN), family="logic"),
    _operator("is_true", "a IS TRUE", "True, not NULL.", _TRUTH, family="logic"),
    _operator("is_false", "a IS FALSE", "False, not NULL.", _TRUTH, family="logic"),
    _operator("is_not_true", "a IS NOT TRUE", "False or NULL.", _TRUTH, family="logic"),
    _operator("is_not_false", "a IS NOT FALSE", "True or NULL.", _TRUTH, family="logic"),
    _operator("is_unknown", "a IS UNKNOWN", "NULL.", _TRUTH, family="logic"),
    _operator("is_not_unknown", "a IS NOT UNKNOWN", "Not NULL.", _TRUTH, family="logic"),
    _operator(
        "add",
        "a + b",
        "Sum; also time + interval.",
        _add,
        "Cast a string to a number first; || joins strings.",
        "arithmetic",
    ),
    _operator("subtract", "a - b", "Difference; also time - interval.", _ADDITION, _SUBTRACT_HINT, "arithmetic"),
    _operator("multiply", "a * b", "Product; also interval * integer.", _multiply, family="arithmetic"),
    _operator(
        "divide",
        "a / b",
        "Quotient; of integers an integer, cut towards zero.",
        _arithmetic(decimal_division),
        family="arithmetic",
    ),
    Function(
        "modulo",
        ("MOD",),
        "arithmetic",
        "a % b",
        "Remainder, with the sign of a.",
        _arithmetic(decimal_modulo, remainder=True),
    ),
    _operator("negate", "-a", "Negative.", _negate, family="arithmetic"),
    _operator(
        "plus", "+a", "The number itself.", takes(ANY_NUMBER, returns=lambda given: given[0]), family="arithmetic"
    ),
)
