"""Changes settled: the rows that are left, once, at the end of the input.

Rows are added up by their values, weights and all, in a `GroupStore`; what is left above zero is given at the end, as
often as it is left, in the order in which rows first came.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.state.groups import GroupStore

__all__ = ["SettleChanges"]


class SettleChanges:
    """Adds up rows.

    Args:
        columns: The columns, in order.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._rows = GroupStore(functools.partial(_added_up, self._columns))
        self._given = False

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        weight = pl.col(WEIGHT) if WEIGHT in batch.columns else pl.lit(1, dtype=pl.Int64).alias(WEIGHT)
        self._rows.add(_added_up(self._columns, batch.select(*self._columns, weight)))
        return EMPTY

    def advance(self, watermark_ms: int) -> Output:
        if watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        rows = self._rows.merged()
        self._rows.clear()
        if rows is None:
            return EMPTY
        places = np.repeat(np.arange(rows.height), rows[WEIGHT].clip(lower_bound=0).to_numpy())
        return Output((rows.select(self._columns)[places],)) if len(places) else EMPTY

    def snapshot(self) -> State:
        state = {"progress": pl.DataFrame({"given": [self._given]})}
        rows = self._rows.merged()
        if rows is not None:
            state["rows"] = rows
        return state

    def restore(self, state: State) -> None:
        self._given = state["progress"]["given"].item()
        if "rows" in state:
            self._rows.add(state["rows"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._rows.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot: the whole row."""
        return {"rows": self._columns}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns what rows are added up by."""
        return batch.select(self._columns)


def _added_up(columns: Sequence[str], rows: pl.DataFrame) -> pl.DataFrame:
    added = rows.group_by(columns, maintain_order=True).agg(pl.col(WEIGHT).sum())
    return added.filter(pl.col(WEIGHT) != 0)
