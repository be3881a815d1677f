"""Changes without the updates after which a row is what it was.

An aggregate that computes for several readers tells of a group when any of its values changes. A reader of some of
them sees only what changes these: what a row was and, right behind, what it is go together if they are equal.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from yeoul.engine.columnwise import where
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.changes.rows import replaced_at
from yeoul.engine.operators.contract import Stateless

__all__ = ["DropUnchanged"]


class DropUnchanged(Stateless):
    """Hands on the changes that change something."""

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        unchanged = replaced_at(batch, [name for name in batch.columns if name != WEIGHT])
        if not len(unchanged):
            return batch
        kept = np.ones(batch.height, np.bool_)
        kept[unchanged] = kept[unchanged + 1] = False
        return where(batch, kept)
