"""Bound expressions: every name resolved, every type known, every span kept for messages.

Expressions are values. The planner makes them, `engine.compile` lowers them, `clusters` renders them. A function is
named by its id in `yeoul.plan.functions`, which holds the one table of what exists and what it returns.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from yeoul.errors import Span
from yeoul.plan.types import DataType

__all__ = [
    "AggregateCall",
    "Call",
    "Case",
    "Cast",
    "ColumnRef",
    "Expression",
    "Literal",
    "LiteralValue",
    "children_of",
    "columns_of",
]

LiteralValue = (
    None
    | bool
    | int
    | float
    | Decimal
    | str
    | bytes
    | datetime.date
    | datetime.time
    | datetime.datetime
    | datetime.timedelta
)
"""A year-month interval is an int of months; a day-time interval a timedelta."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: LiteralValue
    type: DataType
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column of the node's input, by its name there (unique within a node's schema).

    `written` is how messages call it: as the user wrote it, whatever the planner calls it; empty if as `name`.
    """

    name: str
    type: DataType
    span: Span | None = field(default=None, compare=False)
    written: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar function or operator over its arguments."""

    function: str
    args: tuple[Expression, ...]
    type: DataType
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Cast:
    """CAST, or TRY_CAST when `null_on_error`; `type` is the target."""

    operand: Expression
    type: DataType
    null_on_error: bool = False
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Case:
    """The value beside the first condition that is true, else `otherwise`."""

    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression
    type: DataType
    span: Span | None = field(default=None, compare=False)


Expression = Literal | ColumnRef | Call | Cast | Case


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """An aggregate function over the rows of a group; not an Expression: only aggregating nodes hold one.

    Attributes:
        function: `count_star`, `count`, `sum`, `avg`, `min`, `max`, `approx_count_distinct`, ... as in
            `yeoul.plan.functions`.
        args: Empty for `count_star`.
        distinct: Whether equal arguments count once.
        filter: The FILTER (WHERE ...) predicate.
    """

    function: str
    args: tuple[Expression, ...]
    type: DataType
    distinct: bool = False
    filter: Expression | None = None
    span: Span | None = field(default=None, compare=False)


def children_of(expression: Expression) -> tuple[Expression, ...]:
    """Returns the direct operands of an expression."""
    match expression:
        case Call():
            return expression.args
        case Cast():
            return (expression.operand,)
        case Case():
            return (*(part for branch in expression.branches for part in branch), expression.otherwise)
        case _:
            return ()


def columns_of(expression: Expression) -> Iterator[str]:
    """Yields the name of every column reference in an expression, repeats included.

    Example:
        >>> from yeoul.plan.types import INT
        >>> list(columns_of(Call("add", (ColumnRef("a", INT), Literal(1, INT)), INT)))
        ['a']
    """
    if isinstance(expression, ColumnRef):
        yield expression.name
    for child in children_of(expression):
        yield from columns_of(child)
