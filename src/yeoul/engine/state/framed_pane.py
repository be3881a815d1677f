"""One pane's partial aggregates as frames: for a pane that has few groups, or whose groups merge in no simpler way.

Frames are merged when they have doubled since the last time, so a row takes part in few merges. Sizes are measured in
bytes: the different values of a group are one row, however many they are.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.engine.columnwise import without
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.grouping import LANES

__all__ = ["FramedPane"]


class FramedPane:
    """Frames of partial aggregates.

    Args:
        merge: Merges rows of equal key, in the order of their first appearance.
        merged: What it has from the beginning.

    Attributes:
        rows: How many rows the frames have together.
        size_bytes: What they take.
    """

    def __init__(self, merge: Callable[[pl.DataFrame], pl.DataFrame], merged: pl.DataFrame | None = None) -> None:
        self._merge = merge
        self._frames: list[pl.DataFrame] = []
        self.rows = self.size_bytes = self._merged_bytes = 0
        if merged is not None:
            self._begin(merged)

    def append(self, part: pl.DataFrame) -> bool:
        """Takes partial aggregates, `LANES` left out; returns whether all there is has become one frame."""
        if LANES[0] in part.columns:
            part = compacted(without(part, LANES))
        if not self._frames:
            self._begin(part)
            return True
        self._frames.append(part)
        self.rows += part.height
        self.size_bytes += int(part.estimated_size())
        if self.size_bytes <= 2 * self._merged_bytes:
            return False
        self._begin(compacted(self._merge(pl.concat(self._frames))))
        return True

    def frames(self) -> list[pl.DataFrame]:
        """Returns what there is; one frame has each group once."""
        return self._frames

    def _begin(self, merged: pl.DataFrame) -> None:
        self._frames, self.rows = [merged], merged.height
        self.size_bytes = self._merged_bytes = int(merged.estimated_size())
