"""Partial aggregates by pane: what a windowed aggregate remembers.

Partial frames arrive one per batch, a few panes in each. They are only set aside (`pending`) until somebody asks or
enough has gathered; then they are merged once and cut by pane. A pane's own frames are merged when they have doubled
since the last time, so a row takes part in few merges however small the batches are. Sizes are measured in bytes: the
different values of a group are one row, however many they are. A closed pane is dropped whole.

Within a pane groups stay in the order in which they first came, whatever the batches were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import polars as pl

from yeoul.engine.state.compact import compacted

__all__ = ["PANE", "PaneStore"]

PANE = "$pane"
_PENDING_ROWS = 1 << 16
_PENDING_FRAMES = 512
_PENDING_BYTES = 1 << 24


@dataclass(slots=True)
class _Pane:
    frames: list[pl.DataFrame] = field(default_factory=list)
    rows: int = 0
    size_bytes: int = 0
    merged_bytes: int = 0


class PaneStore:
    """Frames of partial aggregates, each with a `$pane` column, by pane.

    Args:
        merge: Merges rows of equal pane and key, in the order of their first appearance.
    """

    def __init__(self, merge: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        self._merge = merge
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = self._pending_bytes = 0
        self._panes: dict[int, _Pane] = {}

    @property
    def size_bytes(self) -> int:
        """What the frames take."""
        return self._pending_bytes + sum(one.size_bytes for one in self._panes.values())

    def add(self, partial: pl.DataFrame) -> None:
        """Takes the partial aggregates of a batch."""
        self._pending.append(partial)
        self._pending_rows += partial.height
        self._pending_bytes += int(partial.estimated_size())
        many = self._pending_rows >= _PENDING_ROWS or len(self._pending) >= _PENDING_FRAMES
        if many or self._pending_bytes >= _PENDING_BYTES:
            self._settle()

    def starts(self) -> list[int]:
        """Returns the panes that hold something, ascending."""
        self._settle()
        return sorted(self._panes)

    def rows(self, pane: int) -> int:
        """Returns how many rows a settled pane's frames have together."""
        return self._panes[pane].rows

    def take(self, panes: Iterable[int]) -> tuple[pl.DataFrame, bool]:
        """Returns the rows of settled panes, and whether every pane's rows are merged already."""
        found = [self._panes[pane] for pane in panes]
        frames = [frame for one in found for frame in one.frames]
        joined = frames[0] if len(frames) == 1 else pl.concat(frames)
        return joined, all(len(one.frames) == 1 for one in found)

    def replace(self, panes: Iterable[int], merged: pl.DataFrame, pane: int) -> None:
        """Puts merged rows into one pane in place of all rows of several."""
        for old in panes:
            del self._panes[old]
        size_bytes = int(merged.estimated_size())
        self._panes[pane] = _Pane([merged], merged.height, size_bytes, size_bytes)

    def drop(self, panes: Iterable[int]) -> None:
        """Forgets settled panes."""
        for pane in panes:
            del self._panes[pane]

    def snapshot(self) -> pl.DataFrame | None:
        """Returns all rows in one frame; None when there are none."""
        self._settle()
        frames = [frame for pane in sorted(self._panes) for frame in self._panes[pane].frames]
        return self._merge(pl.concat(frames)) if frames else None

    def _settle(self) -> None:
        if not self._pending:
            return
        pending = self._pending
        merged = pending[0] if len(pending) == 1 else compacted(self._merge(pl.concat(pending)))
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        low, high = merged[PANE].min(), merged[PANE].max()
        parts = [merged] if low == high else merged.partition_by(PANE, maintain_order=True)
        for part in parts:
            self._append(int(part[PANE][0]), part)

    def _append(self, pane: int, part: pl.DataFrame) -> None:
        one = self._panes.setdefault(pane, _Pane())
        one.frames.append(part)
        one.rows += part.height
        one.size_bytes += int(part.estimated_size())
        if len(one.frames) == 1:
            one.merged_bytes = one.size_bytes
        elif one.size_bytes > 2 * one.merged_bytes:
            merged = compacted(self._merge(pl.concat(one.frames)))
            one.frames, one.rows = [merged], merged.height
            one.size_bytes = one.merged_bytes = int(merged.estimated_size())
