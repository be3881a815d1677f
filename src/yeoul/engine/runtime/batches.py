"""Small batches of a table as one: what came while the operators were busy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import polars as pl

from yeoul.engine.contract import DeadLetters, Fetched, Joinable, SourceBatch

__all__ = ["JoinedBatch", "decoded"]


def decoded(pieces: Sequence[Fetched]) -> SourceBatch:
    """Decodes pieces of one table into one batch: put together before, if they can be, else after."""
    first, *others = pieces
    if not others:
        return first.decode()
    if isinstance(first, Joinable):
        return first.joined_with(others).decode()
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
