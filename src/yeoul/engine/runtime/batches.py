"""Small batches of a table as one: what came while the operators were busy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import cast

import numpy as np
import polars as pl

from yeoul.engine.contract import DeadLetters, Fetched, Joinable, Omitted, SourceBatch

__all__ = ["JoinedBatch", "decoded"]


def decoded(pieces: Sequence[Fetched]) -> SourceBatch:
    """Decodes pieces of one table into one batch: put together before, if they can be, else after."""
    first, *others = pieces
    if not others:
        return first.decode()
    # Asked of every small batch: `isinstance` would look a protocol's members up each time.
    if hasattr(first, "joined_with"):
        return cast("Joinable", first).joined_with(others).decode()
    return JoinedBatch([piece.decode() for piece in pieces])


class JoinedBatch:
    """Several `SourceBatch`es, one after the other."""

    def __init__(self, batches: Sequence[SourceBatch]) -> None:
        self._batches = batches
        self._ends = list(accumulate(batch.frame.height for batch in batches))
        self.frame = pl.concat([batch.frame for batch in batches])
        self.records = sum(batch.records for batch in batches)

    @property
    def dead(self) -> DeadLetters | None:
        frames = [batch.dead.frame for batch in self._batches if batch.dead is not None]
        return DeadLetters(pl.concat(frames)) if frames else None

    @property
    def omitted(self) -> Omitted | None:
        told = next((batch.omitted for batch in self._batches if batch.omitted is not None), None)
        if told is None:
            return None
        parts = [_all_times(batch, told.times.columns) for batch in self._batches]
        starts = np.cumsum([0, *(part.times.height for part in parts[:-1])])
        kept = [part.kept + start for part, start in zip(parts, starts, strict=True)]
        return Omitted(pl.concat([part.times for part in parts]), np.concatenate(kept))

    def recover(self, rows: pl.Series) -> pl.DataFrame:
        """Recovers each batch's own rows; `rows` may come in any order."""
        parts, order, start = [], [], 0
        for batch, end in zip(self._batches, self._ends, strict=True):
            here = rows.is_between(start, end, closed="left")
            if here.any():
                parts.append(batch.recover((rows.filter(here).cast(pl.Int64) - start).cast(pl.UInt32)))
                order.append(here.arg_true())
            start = end
        return pl.concat(parts)[pl.concat(order).arg_sort()]


def _all_times(batch: SourceBatch, names: Sequence[str]) -> Omitted:
    """Returns the times of all rows of a batch, whether it left any out or not."""
    if batch.omitted is not None:
        return batch.omitted
    return Omitted(batch.frame.select(names), np.arange(batch.frame.height))
