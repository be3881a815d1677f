"""Partial aggregates by key: what an aggregate without a window remembers.

Partial frames arrive one per batch and are only set aside. When many have gathered they are merged with each other, and
all there is once it has doubled since the last time: a row takes part in few merges, however small the batches and
however many the keys are. Sizes are measured in bytes, because a DISTINCT's set is one row.

Groups stay in the order in which they first came, whatever the batches were.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.engine.state.compact import compacted

__all__ = ["GroupStore"]

_LEAST_BYTES = 16 << 20
"""Below this it is not worth while to merge what has gathered."""
_MOST_PENDING = 512


class GroupStore:
    """Frames of partial aggregates.

    Args:
        merge: Merges rows of equal key, in the order of their first appearance.
            No method of who holds the store: state in such a circle stays in memory until the collector comes by.
    """

    def __init__(self, merge: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        self._merge = merge
        self._frames: list[pl.DataFrame] = []
        self._pending: list[pl.DataFrame] = []
        self._bytes = self._merged_bytes = 0

    @property
    def size_bytes(self) -> int:
        """What the frames take."""
        return self._bytes

    def add(self, partial: pl.DataFrame) -> None:
        """Takes the partial aggregates of a batch."""
        self._pending.append(partial)
        self._bytes += _size_bytes(partial)
        if self._bytes > max(_LEAST_BYTES, 2 * self._merged_bytes):
            self.merged()
        elif len(self._pending) >= _MOST_PENDING:
            self._settle()

    def merged(self) -> pl.DataFrame | None:
        """Returns every group once; None when there is none."""
        frames = [*self._frames, *self._pending]
        if len(frames) > 1:
            frames = [self._merged(frames)]
        self._frames, self._pending = frames, []
        self._bytes = self._merged_bytes = _size_bytes(*frames)
        return frames[0] if frames else None

    def clear(self) -> None:
        """Forgets everything."""
        self._frames, self._pending = [], []
        self._bytes = self._merged_bytes = 0

    def _settle(self) -> None:
        """Merges what came since the last time."""
        settled = self._merged(self._pending)
        self._bytes += _size_bytes(settled) - _size_bytes(*self._pending)
        self._frames.append(settled)
        self._pending = []

    def _merged(self, frames: list[pl.DataFrame]) -> pl.DataFrame:
        return compacted(self._merge(pl.concat(frames)))


def _size_bytes(*frames: pl.DataFrame) -> int:
    return sum(int(frame.estimated_size()) for frame in frames)
