"""INTERSECT and EXCEPT: whole rows, counted on each side, as both sides change.

For every different row it is kept how often it stands on the left and on the right; how often it is given follows from
these two numbers. A batch is added up by row first, so that only what it changes in the end is given: a row is given
again, or taken back, as often as its number rises or falls. NULLs are equal here, as everywhere in set operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.state.keyed import KeyedState
from yeoul.plan.nodes import SetKind

__all__ = ["SetOperation"]

_COUNTS = ("$left", "$right")


class SetOperation:
    """Gives rows of port 0 that port 1 has (INTERSECT) or has not (EXCEPT).

    Args:
        columns: Name and type of the columns, the same on both ports.
        kind: Which rows are given.
        keeps_doubles: Whether a row is given as often as the counts say (ALL), or once.
        weighted: Whether what comes out can be taken back.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched row's counts are kept; None: for ever.
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        kind: SetKind,
        *,
        keeps_doubles: bool,
        weighted: bool,
        clock: Clock,
        ttl_ms: int | None = None,
    ) -> None:
        self._columns = list(columns)
        self._kind, self._keeps_doubles, self._weighted = kind, keeps_doubles, weighted
        self._forgetting = Forgetting(clock, ttl_ms)
        self._counts = KeyedState(columns, {name: pl.Int64() for name in _COUNTS})

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forgetting.forget(self._counts)
        weight = pl.col(WEIGHT).sum() if WEIGHT in batch.columns else pl.len().cast(pl.Int64).alias(WEIGHT)
        rows = batch.group_by(self._columns, maintain_order=True).agg(weight)
        if not rows.height:
            return EMPTY
        found = self._counts.upsert(rows)
        before = self._read(found.slots, found.is_new)
        after = list(before)
        after[port] = before[port] + rows[WEIGHT].to_numpy()
        self._counts.write(found.slots, pl.DataFrame(dict(zip(_COUNTS, after, strict=True))))
        self._forgetting.touch(self._counts, found.slots)
        self._counts.remove(found.slots[(after[0] == 0) & (after[1] == 0)])
        return self._changes(rows, self._given(*after) - self._given(*before))

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {"counts": self._counts.snapshot()}

    def restore(self, state: State) -> None:
        self._counts.restore(state["counts"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._counts.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot: the whole row."""
        return {"counts": self._columns}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns what rows are counted by."""
        return batch.select(self._columns)

    def _read(self, slots: NDArray[np.int64], is_new: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        counts = np.zeros((2, len(slots)), np.int64)
        known = ~is_new
        for side, name in enumerate(_COUNTS):
            counts[side, known] = self._counts.read_column(name, slots[known]).to_numpy()
        return list(counts)

    def _given(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often rows are given that stand so often on either side."""
        left, right = np.maximum(left, 0), np.maximum(right, 0)
        if not self._keeps_doubles:
            has_right = right > 0 if self._kind is SetKind.INTERSECT else right == 0
            return ((left > 0) & has_right).astype(np.int64)
        often = np.minimum(left, right)
        return often if self._kind is SetKind.INTERSECT else left - often

    def _changes(self, rows: pl.DataFrame, change: NDArray[np.int64]) -> Output:
        places = np.repeat(np.arange(rows.height), np.abs(change))
        if not len(places):
            return EMPTY
        given = rows.select(self._columns)[places]
        if self._weighted:
            given = given.with_columns(pl.Series(WEIGHT, np.sign(change)[places], dtype=pl.Int64))
        return Output((given,))
