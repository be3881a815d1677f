"""A frame that is in memory, handed out slice by slice.

Invariants: one bounded split; pieces are slices, nothing is copied; the position is the next row's number.
Callers: `frame` and `side_stream`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.connectors.batches import DecodedBatch, with_places
from yeoul.engine.contract import Polled, Position

__all__ = ["FramePiece", "FrameReader"]

_FEWEST_ROWS = 1_024


@dataclass(frozen=True, slots=True)
class FramePiece:
    """Some rows of the frame; `whole` has all the table's columns, `names` are those to hand on."""

    whole: pl.DataFrame
    names: tuple[str, ...]
    start: int
    split: str
    size_bytes: int

    @property
    def position_after(self) -> Position:
        return self.start + self.whole.height

    def decode(self) -> DecodedBatch:
        return DecodedBatch(self.whole.select(self.names), self.whole.height, recovery=self._recover)

    def _recover(self, rows: pl.Series) -> pl.DataFrame:
        return with_places(self.whole[rows], self.split, (rows + self.start).to_list())


class FrameReader:
    """Hands out slices of a frame from a row on."""

    def __init__(self, frame: pl.DataFrame, names: tuple[str, ...], start: int, split: str) -> None:
        self._frame = frame
        self._names = names
        self._next = start
        self._split = split
        self._row_bytes = max(1.0, frame.estimated_size() / max(1, frame.height))

    def splits(self) -> Sequence[str]:
        return (self._split,)

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        """Returns the next slice at once."""
        if self._split not in splits:
            return Polled()
        rows = max(_FEWEST_ROWS, int(max_bytes / self._row_bytes))
        part = self._frame.slice(self._next, rows)
        pieces = [FramePiece(part, self._names, self._next, self._split, int(part.height * self._row_bytes))]
        self._next += part.height
        left = self._frame.height - self._next
        ended = frozenset({self._split}) if left <= 0 else frozenset[str]()
        return Polled(pieces if part.height else (), at_end=ended, finished=ended, lag={self._split: max(0, left)})

    def wake(self) -> None:
        """A poll never waits."""

    def close(self) -> None:
        """Holds nothing but memory."""
