"""WHERE: keeps the rows for which a predicate is true."""

from __future__ import annotations

import polars as pl

from yeoul.engine.columnwise import Predicate
from yeoul.engine.operators.contract import Stateless
from yeoul.engine.state.compact import compacted

__all__ = ["Filter"]

_SPARSE = 8


class Filter(Stateless):
    """Keeps rows whose predicate is true; false and NULL drop a row.

    Few rows left of many are copied, so that they do not keep the whole batch's buffers alive downstream.
    """

    def __init__(self, predicate: pl.Expr) -> None:
        self._predicate = Predicate(predicate)

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        kept = self._predicate.filtered(batch)
        return compacted(kept) if kept.height * _SPARSE < batch.height else kept
