"""Changes become upserts, for a table that is told by key: of each batch one record for each key that changes.

Changes are first netted row by row, so that a row that comes and goes is nothing. What is left of a key is what it was
and what it is, in whatever order they came: a row that came is the key's, whatever was taken back; if none came, the
key is deleted. Several rows that came, as a stream that only appends may give, leave the last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.contract import CHANGE, WEIGHT
from yeoul.engine.operators.contract import Stateless
from yeoul.engine.operators.encode_changes import DELETE, UPDATE_AFTER
from yeoul.engine.state.fingerprints import fingerprints

__all__ = ["EncodeUpserts"]

_SEED = 1


class EncodeUpserts(Stateless):
    """Gives `$change`: +U for a key's row, -D for a key without one; each key at most once.

    Args:
        key: Columns that make the key.
    """

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        places = np.arange(batch.height)
        comes = np.ones(batch.height, np.bool_)
        rows = batch.drop(WEIGHT, strict=False)
        if WEIGHT in batch.columns:
            places, comes = _netted(rows, batch[WEIGHT])
        last = _last_of_each(rows.select(self._key)[places] if len(places) < batch.height else rows, self._key, comes)
        change = np.where(comes[last], UPDATE_AFTER, DELETE)
        return rows[places[last]].with_columns(pl.Series(CHANGE, change, dtype=pl.UInt8))


def _netted(rows: pl.DataFrame, weights: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns the last places of rows that do not cancel out, ascending, and whether each comes rather than goes."""
    marks = _lanes(rows, rows.columns).with_columns(weights.alias("weight"), pl.Series("at", np.arange(rows.height)))
    left = marks.group_by("low", "high").agg(pl.col("weight").sum(), pl.col("at").max())
    left = left.filter(pl.col("weight") != 0).sort("at")
    return left["at"].to_numpy(), (left["weight"] > 0).to_numpy()


def _last_of_each(rows: pl.DataFrame, key: Sequence[str], comes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns, for each key, its last row that comes, else its last; ascending."""
    marks = _lanes(rows, key).with_columns(pl.Series("rank", np.arange(rows.height) + comes * rows.height))
    ranks = marks.group_by("low", "high").agg(pl.col("rank").max())["rank"].to_numpy()
    return np.sort(ranks % max(rows.height, 1))


def _lanes(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    low, high = fingerprints((rows[name] for name in names), rows.height, _SEED)
    return pl.DataFrame({"low": low, "high": high})
