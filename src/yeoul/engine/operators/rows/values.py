"""VALUES, and SELECT without FROM: literal rows, given once."""

from __future__ import annotations

import polars as pl

from yeoul.engine.operators.contract import EMPTY, Output, State

__all__ = ["Values"]


class Values:
    """A source of rows known beforehand: `start` gives them, once."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame
        self._given = False

    def start(self) -> Output:
        """Returns the rows, unless they were given before a snapshot."""
        if self._given:
            return EMPTY
        self._given = True
        return Output((self._frame,))

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        raise AssertionError("VALUES has no input")

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {"values": pl.DataFrame({"given": [self._given]})}

    def restore(self, state: State) -> None:
        self._given = state["values"]["given"].item()
