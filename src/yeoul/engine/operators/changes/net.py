"""The changes of a round, netted: of a row that changed several times, what it was and what it is, once.

For jobs that take what has arrived at intervals: whoever runs them says when a round is over. A round that changes
very much is given in parts.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.changes.rows import added_up
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.operators.rows.relabel import RESERVED
from yeoul.engine.state.groups import GroupStore

__all__ = ["NetChanges"]

_AT = "$at"
_CHANGES = "changes"
_MOST_BYTES = 16 << 20
"""How much a round may gather."""


class NetChanges:
    """Adds up changes until a round is over.

    Args:
        key: Columns that identify a row, as far as they are known: what a row was is then right before what it is.
    """

    def __init__(self, key: Collection[str] = ()) -> None:
        self._key = list(key)
        self._changes = GroupStore(added_up)

    @property
    def size_bytes(self) -> int:
        """What it keeps takes in memory."""
        return self._changes.size_bytes

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        weight = pl.col(WEIGHT) if WEIGHT in batch.columns else pl.lit(1, dtype=pl.Int64).alias(WEIGHT)
        self._changes.add(added_up(batch.select(pl.exclude(RESERVED), weight)))
        return self.drained() if self._changes.size_bytes > _MOST_BYTES else EMPTY

    def drained(self) -> Output:
        """Gives and forgets what is left of the changes."""
        changes = self._changes.merged()
        self._changes.clear()
        changes = None if changes is None else changes.filter(pl.col(WEIGHT) != 0)
        if changes is None or not changes.height:
            return EMPTY
        if self._key:
            first = pl.col(_AT).min().over(self._key)
            changes = changes.with_row_index(_AT).with_columns(first).sort(_AT, WEIGHT, maintain_order=True).drop(_AT)
        weights = changes[WEIGHT].to_numpy()
        if (np.abs(weights) > 1).any():
            changes = changes[np.repeat(np.arange(changes.height), np.abs(weights))]
        return Output((changes.with_columns(pl.col(WEIGHT).sign()),))

    def advance(self, watermark_ms: int) -> Output:
        return self.drained() if watermark_ms == END_OF_TIME else EMPTY

    def snapshot(self) -> State:
        changes = self._changes.merged()
        return {} if changes is None else {_CHANGES: changes}

    def restore(self, state: State) -> None:
        if _CHANGES in state:
            self._changes.add(state[_CHANGES])
