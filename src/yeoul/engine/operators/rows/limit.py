"""LIMIT and OFFSET: so many rows in the order of arrival, some passed over before, then nothing more."""

from __future__ import annotations

import polars as pl

from yeoul.engine.operators.contract import EMPTY, Output, State

__all__ = ["Limit"]


class Limit:
    """Passes over `offset` rows and lets `count` through; `is_done` tells that no more input is needed."""

    def __init__(self, count: int, offset: int = 0) -> None:
        self._left, self._skipping = count, offset

    @property
    def is_done(self) -> bool:
        return self._left == 0

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not self._left:
            return EMPTY
        skipped = min(self._skipping, batch.height)
        kept = batch.slice(skipped, self._left)
        self._skipping -= skipped
        self._left -= kept.height
        return Output((kept,)) if kept.height else EMPTY

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {"limit": pl.DataFrame({"left": [self._left], "skipping": [self._skipping]})}

    def restore(self, state: State) -> None:
        self._left, self._skipping = state["limit"].row(0)
