"""LIMIT: the first rows in the order of arrival, then nothing more."""

from __future__ import annotations

import polars as pl

from yeoul.engine.operators.contract import EMPTY, Output, State

__all__ = ["Limit"]


class Limit:
    """Lets `count` rows through; `is_done` tells that no more input is needed."""

    def __init__(self, count: int) -> None:
        self._left = count

    @property
    def is_done(self) -> bool:
        return self._left == 0

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not self._left:
            return EMPTY
        kept = batch.head(self._left)
        self._left -= kept.height
        return Output((kept,))

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {"limit": pl.DataFrame({"left": [self._left]})}

    def restore(self, state: State) -> None:
        self._left = state["limit"]["left"].item()
