"""From what rows were to what they are: which differ, and both as changes side by side."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import selected
from yeoul.engine.contract import WEIGHT

__all__ = ["as_changes", "differing"]

_WAS = "$was "


def differing(before: pl.DataFrame, after: pl.DataFrame, names: Collection[str]) -> NDArray[np.bool_]:
    """Tells of rows in equal places whether some column differs; NULL is NULL's equal.

    Example:
        >>> differing(pl.DataFrame({"a": [1, None]}), pl.DataFrame({"a": [2, None]}), ["a"]).tolist()
        [True, False]
    """
    if not names:
        return np.zeros(before.height, np.bool_)
    both = pl.DataFrame([*(after[name] for name in names), *(before[name].alias(_WAS + name) for name in names)])
    any_differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(_WAS + name)) for name in names)
    return selected(both, [any_differs]).to_series().to_numpy()


def as_changes(
    gone: pl.DataFrame, gone_at: NDArray[np.int64], come: pl.DataFrame, come_at: NDArray[np.int64]
) -> pl.DataFrame:
    """Returns rows that go, -1, and rows that come, +1, in the order of their places; of one place, what goes first.

    Example:
        >>> rows = pl.DataFrame({"a": [10, 20]})
        >>> as_changes(rows[:1], np.array([1]), rows, np.array([0, 1])).rows()
        [(10, 1), (10, -1), (20, 1)]
    """
    weights = pl.Series(WEIGHT, np.repeat(np.array([-1, 1]), [gone.height, come.height]), dtype=pl.Int64)
    order = np.argsort(np.concatenate([gone_at, come_at]), kind="stable")
    return pl.concat([gone, come.select(gone.columns)]).with_columns(weights)[order]
