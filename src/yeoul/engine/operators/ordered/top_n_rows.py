"""Which rows a Top-N is asked for, and its changes as they are handed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, Output
from yeoul.engine.operators.ordered.codes import order_codes, places_in_order
from yeoul.engine.operators.ordered.ranks import Changed, Entries, changed
from yeoul.plan.ordering import Ranking, SortKey

__all__ = ["TopNRows"]


@dataclass(frozen=True, slots=True)
class TopNRows:
    """Which rows are asked for.

    Attributes:
        columns: Name and type of the input's columns, in order.
        partition: Those that make the partition; may be none.
        order: What the rank goes by.
        ranking: How rows are numbered.
        first: The least rank.
        last: The greatest.
        rank: The output column of the rank; None if it is not asked for.
        updating: Whether changes are given; else all rows once, at the end of the input.
    """

    columns: Mapping[str, pl.DataType]
    partition: Sequence[str]
    order: Sequence[SortKey]
    ranking: Ranking
    first: int
    last: int
    rank: str | None
    updating: bool

    @property
    def is_first_place(self) -> bool:
        """Whether it is one row of each partition, the first by ROW_NUMBER."""
        return self.ranking is Ranking.ROW_NUMBER and self.first == self.last == 1

    @property
    def by(self) -> list[str]:
        """The columns that the rank goes by, each once."""
        return list(dict.fromkeys(key.column for key in self.order))

    def sorted(self, partition: NDArray[np.int64], by: pl.DataFrame) -> tuple[NDArray[np.int64], Entries]:
        """Returns entries in order, equal ones as they stood.

        Args:
            partition: The number of each one's partition.
            by: The columns that the rank goes by.

        Returns:
            The place where each entry of the order stood, and the order.
        """
        codes = [order_codes(by[key.column], key) for key in self.order]
        places = places_in_order([partition, *codes])
        return places, Entries.of(partition[places], [code[places] for code in codes])

    def changes(self, entries: Entries, before: NDArray[np.int64], after: NDArray[np.int64]) -> Changed:
        """Returns what comes and goes."""
        ranked = self.rank is not None
        return changed(entries, before, after, self.ranking, self.first, self.last, ranked=ranked)

    def given(self, rows: pl.DataFrame, change: Changed) -> Output:
        """Returns changes as they are handed on; `rows` are those of the change, in its order, with all columns."""
        if not rows.height:
            return EMPTY
        ranks = [] if self.rank is None else [pl.Series(self.rank, change.ranks)]
        weight = [pl.Series(WEIGHT, change.weights)] if self.updating else []
        return Output((pl.DataFrame([*(rows[name] for name in self.columns), *ranks, *weight]),))
