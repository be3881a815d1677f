"""What a node gives: named, typed columns, and the expressions that fill them."""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.plan.expressions import AggregateCall, Expression
from yeoul.plan.types import DataType

__all__ = ["Aggregation", "Field", "Projection", "Schema"]


@dataclass(frozen=True, slots=True)
class Field:
    """A named, typed column of a node's output.

    Attributes:
        name: Unique in its schema.
        type: Its logical type.
        is_rowtime: Whether it is the stream's event time.
        is_proctime: Whether it stands for the time at which a row is worked on, by the clock: PROCTIME().
    """

    name: str
    type: DataType
    is_rowtime: bool = False
    is_proctime: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a node's output, in order, with unique names.

    Example:
        >>> from yeoul.plan.types import INT
        >>> Schema((Field("a", INT),)).names
        ('a',)
    """

    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def rowtime(self) -> Field | None:
        """The first event-time column, if there is one."""
        return next((one for one in self.fields if one.is_rowtime), None)

    def __getitem__(self, name: str) -> Field:
        return next(one for one in self.fields if one.name == name)

    def __contains__(self, name: str) -> bool:
        return any(one.name == name for one in self.fields)


@dataclass(frozen=True, slots=True)
class Projection:
    """One output column and the expression over the input that fills it."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One output column and the aggregate that fills it."""

    name: str
    call: AggregateCall
