"""Computes the parts of an expression that need no rows: logic, comparisons, whole numbers, casts that cannot fail.

Kept to what is exact: whatever could differ by a digit from the engine's own arithmetic is left to the engine, which
computes it once when the job is compiled. What reads the clock or chance is no constant, and is never touched.
"""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from yeoul.plan.expressions import Call, Case, Cast, Expression, Literal
from yeoul.plan.types import BOOLEAN, DataType, Kind
from yeoul.planner.rewriting import cannot_fail, is_repeatable, map_children

__all__ = ["folded"]

_TRUE, _FALSE = Literal(True, BOOLEAN.not_null()), Literal(False, BOOLEAN.not_null())
_UNKNOWN = Literal(None, BOOLEAN)

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "less": operator.lt,
    "less_or_equal": operator.le,
    "greater": operator.gt,
    "greater_or_equal": operator.ge,
}
_WHOLE: Mapping[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
}
_TRUTHS: Mapping[str, Callable[[object], bool]] = {
    "is_true": lambda value: value is True,
    "is_false": lambda value: value is False,
    "is_not_true": lambda value: value is not True,
    "is_not_false": lambda value: value is not False,
    "is_unknown": lambda value: value is None,
    "is_not_unknown": lambda value: value is not None,
    "is_null": lambda value: value is None,
    "is_not_null": lambda value: value is not None,
}
_EXACT = frozenset({Kind.BOOLEAN, Kind.STRING, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMP})
_BITS = {Kind.TINYINT: 7, Kind.SMALLINT: 15, Kind.INT: 31, Kind.BIGINT: 63}
_WHOLE_TEXT = re.compile(r"-?[0-9]{1,19}")
_DATE_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}")


def folded(expression: Expression) -> Expression:
    """Returns an expression with its constant parts computed.

    Example:
        >>> from yeoul.plan.expressions import ColumnRef
        >>> from yeoul.plan.types import INT
        >>> two, three = Literal(2, INT.not_null()), Literal(3, INT.not_null())
        >>> sum = Call("add", (two, three), INT.not_null())
        >>> folded(Call("multiply", (ColumnRef("x", INT), sum), INT)).args[1].value
        5
    """
    expression = map_children(expression, folded)
    match expression:
        case Call():
            return _folded_call(expression)
        case Cast(operand=Literal() as literal):
            return _folded_cast(expression, literal)
        case Case():
            return _folded_case(expression)
        case _:
            return expression


def _folded_call(call: Call) -> Expression:
    match call.function, call.args:
        case ("and", _):
            return _folded_logic(call, absorbing=False)
        case ("or", _):
            return _folded_logic(call, absorbing=True)
        case ("not", (Literal(value=bool() as value),)):
            return _FALSE if value else _TRUE
        case ("not", (Literal(value=None),)):
            return _UNKNOWN
        case ("not", (Call(function="not", args=(inner,)),)):
            return inner
        case ("negate", (Literal(value=(int() | float() | Decimal()) as value, type=type),)):
            fits = not isinstance(value, bool) and _in_range(-value, type)
            return Literal(-value, type, call.span) if fits else call
        case (name, (Literal(value=value),)) if name in _TRUTHS:
            return _TRUE if _TRUTHS[name](value) else _FALSE
        case (name, (one, other)) if name in _COMPARISONS:
            return _folded_comparison(call, one, other)
        case (name, (Literal(value=int() as one), Literal(value=int() as other))) if name in _WHOLE:
            return _folded_whole(call, one, other)
        case ("coalesce" | "ifnull", args):
            return _first_known(call, args)
        case ("if", (Literal(value=value), yes, no)):
            return _standing_for(call, yes if value is True else no)
        case _:
            return call


def _folded_logic(call: Call, *, absorbing: bool) -> Expression:
    """AND is decided by one FALSE, OR by one TRUE; the other truth value, and what stands there twice, is left out."""
    kept: list[Expression] = []
    for arg in _operands(call, call.function):
        if isinstance(arg, Literal) and arg.value is absorbing:
            return _TRUE if absorbing else _FALSE
        is_neutral = isinstance(arg, Literal) and arg.value is (not absorbing)
        if not is_neutral and not (is_repeatable(arg) and arg in kept):
            kept.append(arg)
    if not kept:
        return _FALSE if absorbing else _TRUE
    if len(kept) == 1:
        return kept[0]
    if len(kept) == sum(1 for _ in _operands(call, call.function)):
        return call
    return _rejoined(call, kept)


def _operands(expression: Expression, function: str) -> Iterator[Expression]:
    if isinstance(expression, Call) and expression.function == function:
        for arg in expression.args:
            yield from _operands(arg, function)
    else:
        yield expression


def _rejoined(call: Call, parts: list[Expression]) -> Expression:
    if len(parts) == 1:
        return parts[0]
    halves = (_rejoined(call, parts[: len(parts) // 2]), _rejoined(call, parts[len(parts) // 2 :]))
    return replace(call, args=halves)


def _folded_comparison(call: Call, one: Expression, other: Expression) -> Expression:
    literals = [side for side in (one, other) if isinstance(side, Literal)]
    if any(side.value is None for side in literals) and cannot_fail(one) and cannot_fail(other):
        return _UNKNOWN
    if len(literals) < 2:
        return call
    (first, second), (type, other_type) = (each.value for each in literals), (each.type for each in literals)
    comparable = (type.kind is other_type.kind and type.kind in _EXACT) or (type.is_integer and other_type.is_integer)
    if not comparable or first is None or second is None:
        return call
    return _TRUE if _COMPARISONS[call.function](first, second) else _FALSE


def _folded_whole(call: Call, one: int, other: int) -> Expression:
    whole = call.type.is_integer and not isinstance(one, bool) and not isinstance(other, bool)
    if not whole:
        return call
    value = _WHOLE[call.function](one, other)
    return Literal(value, call.type.not_null(), call.span) if _in_range(value, call.type) else call


def _first_known(call: Call, args: tuple[Expression, ...]) -> Expression:
    """NULLs are left out, and so is all that stands behind a constant."""
    kept: list[Expression] = []
    for arg in args:
        if isinstance(arg, Literal) and arg.value is None:
            continue
        kept.append(arg)
        if isinstance(arg, Literal):
            break
    if not kept:
        return Literal(None, call.type.or_null(), call.span)
    if len(kept) == 1:
        return _standing_for(call, kept[0])
    if len(kept) == len(args) or call.function == "ifnull":
        return call
    return replace(call, args=tuple(kept))


def _standing_for(call: Call | Case, value: Expression) -> Expression:
    """Returns a value in the place of what it was chosen by, which may be of another type."""
    if isinstance(value, Literal) and value.value is None:
        return Literal(None, call.type.or_null(), call.span)
    return value if value.type.same_as(call.type) else call


def _folded_cast(cast: Cast, literal: Literal) -> Expression:
    value, target = literal.value, cast.type
    if value is None:
        return Literal(None, target.or_null(), cast.span)
    type = target.not_null()
    if isinstance(value, str):
        read = _read(value, target)
        return cast if read is None else Literal(read, type, cast.span)
    if isinstance(value, bool) or not literal.type.is_numeric:
        return cast
    if target.is_integer and isinstance(value, int) and _in_range(value, target):
        return Literal(value, type, cast.span)
    if target.kind is Kind.DOUBLE and isinstance(value, (int, Decimal)):
        return Literal(float(value), type, cast.span)
    if target.kind is Kind.DECIMAL and isinstance(value, (int, Decimal)):
        exact = _rescaled(Decimal(value), target)
        return cast if exact is None else Literal(exact, type, cast.span)
    return cast


def _read(text: str, target: DataType) -> int | datetime.date | None:
    """Returns what a text in the plainest spelling stands for; None if it is in another, or no value at all."""
    if target.is_integer and _WHOLE_TEXT.fullmatch(text):
        value = int(text)
        return value if _in_range(value, target) else None
    if target.kind is Kind.DATE and _DATE_TEXT.fullmatch(text):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            return None
    return None


def _rescaled(value: Decimal, target: DataType) -> Decimal | None:
    """Returns the value with the target's scale, None if digits would be lost."""
    scale, precision = target.scale or 0, target.precision or 0
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or -exponent > scale or len(digits) + exponent + scale > precision:
        return None
    shift = scale + exponent
    return Decimal((value.as_tuple().sign, (*digits, *([0] * shift)), -scale))


def _in_range(value: int | float | Decimal, type: DataType) -> bool:
    bits = _BITS.get(type.kind)
    return bits is None or -(1 << bits) <= value < (1 << bits)


def _folded_case(case: Case) -> Expression:
    branches: list[tuple[Expression, Expression]] = []
    for condition, value in case.branches:
        if isinstance(condition, Literal) and condition.value is True:
            if not branches:
                return _standing_for(case, value)
            return replace(case, branches=tuple(branches), otherwise=value)
        if not isinstance(condition, Literal):
            branches.append((condition, value))
    if not branches:
        return _standing_for(case, case.otherwise)
    return case if len(branches) == len(case.branches) else replace(case, branches=tuple(branches))
