"""What a function is to the planner: names, what it takes, what it returns.

A `Rule` looks at the argument types and answers with the types the arguments are to be cast to and the type of the
result, or None if it does not take such arguments. Most rules are built by `takes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yeoul.plan.expressions import LiteralValue
from yeoul.plan.types import BIGINT, BOOLEAN, BYTES, DATE, DOUBLE, INT, STRING, DataType, Kind, decimal, timestamp

__all__ = [
    "ANYTHING",
    "ANY_INTEGER",
    "ANY_NUMBER",
    "ANY_TIMESTAMP",
    "APPROXIMATE",
    "BINARY",
    "CONDITION",
    "DAY",
    "ORDERED",
    "SORTABLE",
    "TEXT",
    "TEXT_OR_BYTES",
    "TEXT_OR_CASTABLE",
    "Function",
    "LiteralRule",
    "Parameter",
    "Resolved",
    "Rule",
    "Typing",
    "any_null",
    "takes",
    "whole",
    "widest_integer",
]


@dataclass(frozen=True, slots=True)
class Resolved:
    """One function applied to argument types.

    Attributes:
        function: The id: what `Call.function` or `AggregateCall.function` holds.
        args: The types the arguments have to be cast to before the call, one each.
        type: What the call returns, nullability included.
    """

    function: str
    args: tuple[DataType, ...]
    type: DataType


Typing = tuple[tuple[DataType, ...], DataType]
Rule = Callable[[tuple[DataType, ...]], Typing | None]
LiteralRule = Callable[[tuple[DataType, ...], tuple[LiteralValue, ...]], Typing | None]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the table.

    Attributes:
        id: What a bound call holds.
        names: The names SQL knows it by, upper case; empty for an operator.
        family: The chapter of the documentation it belongs to.
        usage: How it is written.
        summary: What it does, in one sentence.
        rule: What it takes and returns.
        hint: What to do instead, for arguments it does not take.
        literal_rule: In place of `rule`, for a function whose result's type hangs on the value of a literal argument;
            its second argument holds the literals' values, None where there is no literal.
    """

    id: str
    names: tuple[str, ...]
    family: str
    usage: str
    summary: str
    rule: Rule
    hint: str = ""
    literal_rule: LiteralRule | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A place for an argument: from a given type to the type it is cast to, None if it does not fit."""

    expected: str
    accept: Callable[[DataType], DataType | None]

    def __call__(self, given: DataType) -> DataType | None:
        return self.accept(given)


def _of_kinds(default: DataType, *kinds: Kind) -> Callable[[DataType], DataType | None]:
    def accept(given: DataType) -> DataType | None:
        if given.kind is Kind.NULL:
            return default
        return given if given.kind in kinds else None

    return accept


def _number(given: DataType) -> DataType | None:
    return DOUBLE if given.kind is Kind.NULL else (given if given.is_numeric else None)


def _approximate(given: DataType) -> DataType | None:
    return DOUBLE.or_null(given.nullable) if given.is_numeric or given.kind is Kind.NULL else None


def _integer(given: DataType) -> DataType | None:
    if given.kind is Kind.BIGINT:
        return given
    return INT.or_null(given.nullable) if given.is_integer or given.kind is Kind.NULL else None


def _castable_to_text(given: DataType) -> DataType | None:
    if given.kind in (Kind.ARRAY, Kind.MAP, Kind.ROW, Kind.BYTES):
        return None
    return given if given.kind is Kind.STRING else STRING.or_null(given.nullable)


def _timestamp(given: DataType) -> DataType | None:
    if given.kind is Kind.STRING:
        return timestamp(3).or_null(given.nullable)
    if given.kind is Kind.NULL:
        return timestamp(3)
    return given if given.is_timestamp or given.kind is Kind.DATE else None


_WITHOUT_ORDER = frozenset({Kind.ARRAY, Kind.MAP, Kind.ROW, Kind.VARIANT, Kind.BITMAP})


def _ordered(given: DataType) -> DataType | None:
    return None if given.kind in _WITHOUT_ORDER else given


def _sortable(given: DataType) -> DataType | None:
    if given.kind is not Kind.ARRAY or given.element is None:
        return None
    return given if _ordered(given.element) is not None else None


TEXT = Parameter("a string", _of_kinds(STRING, Kind.STRING))
BINARY = Parameter("bytes", _of_kinds(BYTES, Kind.BYTES))
TEXT_OR_BYTES = Parameter("a string or bytes", _of_kinds(STRING, Kind.STRING, Kind.BYTES))
TEXT_OR_CASTABLE = Parameter("a string or what can be cast to one", _castable_to_text)
CONDITION = Parameter("a BOOLEAN", _of_kinds(BOOLEAN, Kind.BOOLEAN))
ANY_NUMBER = Parameter("a number", _number)
APPROXIMATE = Parameter("a number", _approximate)
ANY_INTEGER = Parameter("an integer", _integer)
DAY = Parameter("a DATE", _of_kinds(DATE, Kind.DATE))
ANY_TIMESTAMP = Parameter("a TIMESTAMP, a DATE or a string", _timestamp)
ORDERED = Parameter("a value with an order", _ordered)
SORTABLE = Parameter("an array of values with an order", _sortable)
ANYTHING = Parameter("anything", lambda given: given)


def any_null(types: Sequence[DataType]) -> bool:
    """Tells whether NULL is a value of any of the types."""
    return any(each.nullable or each.kind is Kind.NULL for each in types)


Result = DataType | Callable[[tuple[DataType, ...]], DataType | None]


def takes(
    *parameters: Parameter,
    returns: Result,
    optional: int = 0,
    repeat_last: bool = False,
    nullable: bool | None = None,
) -> Rule:
    """Builds a rule from parameters.

    Args:
        parameters: In order.
        returns: The result's type, or a function from the cast arguments to it.
        optional: How many of the last parameters may be left out.
        repeat_last: Whether the last parameter may come any number of times.
        nullable: Whether the result may be NULL; by default it may if an argument may.
    """

    def rule(args: tuple[DataType, ...]) -> Typing | None:
        enough = len(args) >= len(parameters) - optional
        if not enough or (len(args) > len(parameters) and not repeat_last):
            return None
        places = [*parameters, *([parameters[-1]] * (len(args) - len(parameters)) if parameters else [])]
        cast = [place(each) for place, each in zip(places, args, strict=False)]
        fitting = tuple(each for each in cast if each is not None)
        result = returns if isinstance(returns, DataType) else returns(fitting) if len(fitting) == len(cast) else None
        if len(fitting) < len(cast) or result is None:
            return None
        return fitting, result.or_null(any_null(args) if nullable is None else nullable)

    return rule


def widest_integer(types: Sequence[DataType]) -> DataType:
    """Returns BIGINT if any of the integer types is, else INT."""
    return BIGINT if any(each.kind is Kind.BIGINT for each in types) else INT


def whole(type: DataType) -> DataType:
    """Returns the type of CEIL and FLOOR of a number: a decimal loses its scale, everything else stays."""
    if type.kind is not Kind.DECIMAL:
        return type
    return decimal(type.precision or 38)
