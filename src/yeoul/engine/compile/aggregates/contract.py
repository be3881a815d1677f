"""What each family of aggregates is handed, and what it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.aggregates.bags import settled
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.kernels.folding import Fold, Tell
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.types import DataType

__all__ = ["CompiledAggregate", "Job", "folds_of", "settled_rows", "tells_of"]


@dataclass(frozen=True, slots=True)
class CompiledAggregate:
    """One aggregate, ready to run.

    Attributes:
        name: The output column.
        partial: Over rows: the partial columns.
        merge: Over partial columns: the same partial columns.
        final: Over merged partial columns: the output column.
        bag: The partial column that is to be settled after each merge: a bag or a sketch; None if there is none.
        settle: How.
        folds: What an older and a newer value of each partial column become, two by two; None if that cannot be said.
        tells: The partial columns that tell, and how, whether its value is another; None if it has to be looked at.
    """

    name: str
    partial: tuple[pl.Expr, ...]
    merge: tuple[pl.Expr, ...]
    final: pl.Expr
    bag: str | None = None
    settle: Callable[[pl.Series], pl.Series] = settled
    folds: tuple[Fold, ...] | None = None
    tells: Mapping[str, Tell] | None = None


def settled_rows(rows: pl.DataFrame, aggregates: Sequence[CompiledAggregate]) -> pl.DataFrame:
    """Returns partial columns with those settled that have to be."""
    settled_ones = [one.settle(rows[one.bag]) for one in aggregates if one.bag is not None]
    return rows.with_columns(settled_ones) if settled_ones else rows


def folds_of(aggregates: Iterable[CompiledAggregate], beside: Mapping[str, Fold]) -> dict[str, Fold] | None:
    """Returns how each partial column of aggregates is merged, and those `beside`; None if it cannot be said."""
    found = dict(beside)
    for one in aggregates:
        if one.folds is None:
            return None
        found.update(zip((part.meta.output_name() for part in one.partial), one.folds, strict=True))
    return found


def tells_of(aggregates: Iterable[CompiledAggregate]) -> dict[str, Tell] | None:
    """Returns what tells whether the value of any aggregate is another; None if they have to be looked at."""
    found: dict[str, Tell] = {}
    for one in aggregates:
        if one.tells is None:
            return None
        for name, tell in one.tells.items():
            found[name] = max(tell, found.get(name, tell))
    return found


@dataclass(frozen=True, slots=True)
class Job:
    """One aggregate being compiled."""

    call: AggregateCall
    name: str
    value: pl.Expr
    """The argument, NULL in rows that the filter leaves out."""
    keep: pl.Expr | None
    """The filter."""
    weight: pl.Expr | None = None
    """+1 or -1 a row; None: every row counts once."""
    args: tuple[pl.Expr, ...] = ()
    """All arguments, whatever the filter says."""
    state: str | None = None
    """The aggregate whose partial columns these are, too; None: it has its own."""

    @property
    def type(self) -> DataType:
        """The argument's type."""
        return self.call.args[0].type

    @property
    def always(self) -> bool:
        """Whether every row of a group has a value."""
        return self.keep is None and not self.type.nullable

    @property
    def dtype(self) -> pl.DataType:
        return polars_dtype(self.call.type)

    def rows(self) -> pl.Expr:
        """How many rows the filter leaves."""
        if self.weight is None:
            rows = pl.len() if self.keep is None else self.keep.sum()
        else:
            rows = (self.weight if self.keep is None else pl.when(self.keep).then(self.weight)).sum()
        return rows.cast(pl.Int64)

    def values(self) -> pl.Expr:
        """How many values there are, NULL left out."""
        if self.weight is None:
            return self.value.count().cast(pl.Int64)
        return pl.when(self.value.is_not_null()).then(self.weight).sum().cast(pl.Int64)

    def signed(self, value: pl.Expr) -> pl.Expr:
        """A value, or its negative where the row is taken back."""
        return value if self.weight is None else value * self.weight

    def part(self, part: str) -> str:
        return f"{self.state or self.name}${part}"

    def column(self, part: str) -> pl.Expr:
        return pl.col(self.part(part))

    def done(
        self,
        partial: Mapping[str, pl.Expr],
        merge: Mapping[str, pl.Expr],
        final: pl.Expr,
        fold: Fold | None = None,
        tells: Mapping[str, Tell] | None = None,
    ) -> CompiledAggregate:
        return CompiledAggregate(
            self.name,
            tuple(expression.alias(self.part(part)) for part, expression in partial.items()),
            tuple(expression.alias(self.part(part)) for part, expression in merge.items()),
            final.alias(self.name),
            folds=None if fold is None else (fold,) * len(partial),
            tells=None if tells is None else {self.part(part): tell for part, tell in tells.items()},
        )
