"""Groups that are known merged with fresh ones that stand beside them, row by row: nothing is grouped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import Selection, together
from yeoul.engine.compile.aggregates.contract import WAS, CompiledAggregate
from yeoul.engine.series import series_of

__all__ = ["PairwiseMerge", "pairwise_merge"]


class PairwiseMerge:
    """Merges the partial columns of groups, older ones with newer ones.

    Args:
        merged: Every partial column, of its older values, whose names end in `WAS`, and its newer ones.

    Example:
        >>> merge = PairwiseMerge([(pl.col("n" + WAS) + pl.col("n")).alias("n")])
        >>> old, fresh = pl.DataFrame({"n": [1, 99]}), pl.DataFrame({"n": [10, 20]})
        >>> merge.of(old, fresh, np.array([False, True]))["n"].to_list()
        [11, 20]
    """

    def __init__(self, merged: Sequence[pl.Expr]) -> None:
        self._merged = Selection(merged)

    def of(self, old: pl.DataFrame, fresh: pl.DataFrame, is_new: NDArray[np.bool_]) -> pl.DataFrame:
        """Returns the merged columns.

        Args:
            old: The older values; anything for new groups.
            fresh: The newer ones, a row for each of `old`; other columns do not matter.
            is_new: Which groups have no older values.
        """
        merged = self._merged.of(fresh.hstack([column.alias(column.name + WAS) for column in old.get_columns()]))
        if not is_new.any():
            return merged
        new = series_of("", is_new)
        return together([fresh[name].zip_with(new, merged[name]) for name in merged.columns])


def pairwise_merge(aggregates: Iterable[CompiledAggregate], beside: Sequence[pl.Expr] = ()) -> PairwiseMerge | None:
    """Returns how the partial columns of aggregates are merged, those `beside` first; None if it cannot be said."""
    pairwise = [one.pairwise for one in aggregates]
    if None in pairwise:
        return None
    return PairwiseMerge([*beside, *(expression for each in pairwise if each is not None for expression in each)])
