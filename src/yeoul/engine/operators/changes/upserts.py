"""Changes become upserts, for a table that is told by key: of each batch one record for each key that changes.

Changes are first netted row by row, so that a row that comes and goes is nothing. What is left of a key is what it was
and what it is, in whatever order they came: a row that came is the key's, whatever was taken back; if none came, the
key is deleted. Several rows that came, as a stream that only appends may give, leave the last.

A GROUP BY by that very key tells of each once: only what it is now, or what it was and right behind what it is. Then
there is nothing to be found out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import chosen, taken, where, without
from yeoul.engine.contract import CHANGE, WEIGHT
from yeoul.engine.operators.changes.encode import DELETE, UPDATE_AFTER
from yeoul.engine.operators.changes.rows import replaced_at
from yeoul.engine.operators.contract import Stateless
from yeoul.engine.series import series_of
from yeoul.engine.state.fingerprints import fingerprints
from yeoul.kernels.grouping import group_rows

__all__ = ["EncodeUpserts"]

_SEED = 1


class EncodeUpserts(Stateless):
    """Gives `$change`: +U for a key's row, -D for a key without one; each key at most once.

    Args:
        key: Columns that make the key.
        told_once: Whether a batch tells of each key once: what it is, what it was and right behind what it is, or that
            it is gone.
    """

    def __init__(self, key: Sequence[str], *, told_once: bool = False) -> None:
        self._key, self._told_once = list(key), told_once

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        rows, has_weight = without(batch, (WEIGHT,)), WEIGHT in batch.columns
        comes = batch.get_column(WEIGHT).to_numpy() > 0 if has_weight else np.ones(batch.height, np.bool_)
        if self._told_once:
            if has_weight and len(replaced := replaced_at(batch, self._key)):
                stands = np.ones(batch.height, np.bool_)
                stands[replaced] = False
                rows, comes = where(rows, stands), comes[stands]
            return _marked(rows, comes)
        places = np.arange(batch.height)
        if has_weight:
            places, comes = _netted(rows, batch[WEIGHT].to_numpy())
        last = _last_of_each(taken(chosen(rows, self._key), places).get_columns(), comes)
        return _marked(taken(rows, places[last]), comes[last])


def _marked(rows: pl.DataFrame, comes: NDArray[np.bool_]) -> pl.DataFrame:
    return rows.hstack([series_of(CHANGE, np.where(comes, UPDATE_AFTER, DELETE).astype(np.uint8))])


def _netted(rows: pl.DataFrame, weights: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns the last places of rows that do not cancel out, ascending, and whether each comes rather than goes."""
    groups = group_rows(*fingerprints(rows.get_columns(), rows.height, _SEED))
    if groups.order is None:
        return groups.firsts, weights > 0
    begins = np.cumsum(groups.sizes) - groups.sizes
    total = np.add.reduceat(weights[groups.order], begins)
    places = groups.order[begins + groups.sizes - 1].astype(np.int64)[total != 0]
    order = np.argsort(places)
    return places[order], (total[total != 0] > 0)[order]


def _last_of_each(key: Sequence[pl.Series], comes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns, for each key, its last row that comes, else its last; ascending."""
    count = len(comes)
    groups = group_rows(*fingerprints(key, count, _SEED))
    if groups.order is None:
        return groups.firsts
    ranks = (np.arange(count) + comes * count)[groups.order]
    return np.sort(np.maximum.reduceat(ranks, np.cumsum(groups.sizes) - groups.sizes) % count)
