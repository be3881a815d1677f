"""What a lowering is given: one call, its lowered arguments, and where the clock and the zone come from.

A family module (`arithmetic`, `text`, ...) exports a table from function id to `Lowering`; `expressions` joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.plan.expressions import Call, Cast, Expression, Literal, LiteralValue
from yeoul.plan.rendering import render
from yeoul.plan.types import DataType

__all__ = ["MISSING", "EvaluationContext", "Lowering", "Missing", "Site", "constant_of"]


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """What an expression may know of the world.

    Attributes:
        clock: Read once a batch, by CURRENT_TIMESTAMP and its like.
        time_zone: The session's zone (`table.local-time-zone`), an IANA name.
    """

    clock: Clock = field(default=SYSTEM_CLOCK)
    time_zone: str = "UTC"


class Missing:
    """The type of `MISSING`: there is no constant here."""


MISSING = Missing()


def constant_of(expression: Expression) -> LiteralValue | Missing:
    """Returns the value of a literal, looking through casts between whole numbers; MISSING for anything else."""
    match expression:
        case Literal(value=value):
            return value
        case Cast(operand=operand, type=type) if type.is_integer:
            inner = constant_of(operand)
            return inner if isinstance(inner, int) and not isinstance(inner, bool) else MISSING
        case _:
            return MISSING


@dataclass(frozen=True, slots=True)
class Site:
    """One call being lowered."""

    call: Call
    args: tuple[pl.Expr, ...]
    context: EvaluationContext
    strict: bool = True
    """Whether a value that cannot be computed fails the job; if not, it is NULL."""

    @property
    def types(self) -> tuple[DataType, ...]:
        return tuple(each.type for each in self.call.args)

    @property
    def dtype(self) -> pl.DataType:
        """The type that must come out."""
        return polars_dtype(self.call.type)

    @property
    def text(self) -> str:
        """The call as the user would write it, for messages."""
        return render(self.call)

    def constant(self, index: int) -> LiteralValue | Missing:
        """The value of an argument, if it is a literal."""
        return constant_of(self.call.args[index]) if index < len(self.call.args) else MISSING


Lowering = Callable[[Site], pl.Expr]
