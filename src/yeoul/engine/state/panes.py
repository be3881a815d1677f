"""Partial aggregates by pane: what a windowed aggregate remembers.

Partial frames arrive one per batch, a few panes in each. They are only set aside (`pending`) until somebody asks or
enough has gathered; then they are merged once and cut by pane. A pane keeps frames (`FramedPane`), which are merged now
and then, until merging leaves many groups; from then on it finds each group by its key (`KeyedPane`), if whoever made
the store said how groups are merged there. Panes resemble each other: those that come while one of many groups is
closed are keyed from their beginning. A closed pane is dropped whole.

Within a pane groups stay in the order in which they first came, whatever the batches were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from yeoul.engine.state.compact import compacted
from yeoul.engine.state.framed_pane import FramedPane
from yeoul.engine.state.grouping import LANES
from yeoul.engine.state.keyed_pane import KeyedMerge, KeyedPane

__all__ = ["PANE", "PaneStore"]

PANE = "$pane"
_PENDING_ROWS = 1 << 16
_PENDING_FRAMES = 512
_PENDING_BYTES = 1 << 24
_MANY_GROUPS = 1 << 15


class PaneStore:
    """Frames of partial aggregates, each with a `$pane` column, by pane.

    Args:
        merge: Merges rows of equal pane and key, in the order of their first appearance.
        by_key: How a pane of many groups merges them where they stand; None: all panes keep frames.
    """

    def __init__(self, merge: Callable[[pl.DataFrame], pl.DataFrame], by_key: KeyedMerge | None = None) -> None:
        self._merge, self._by_key = merge, by_key
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = self._pending_bytes = 0
        self._panes: dict[int, FramedPane | KeyedPane] = {}
        self._begins_keyed = False
        self.is_keyed = False
        """Whether partial aggregates are welcome with fingerprints: then they come with `LANES`, of each pane every
        group once, and need not be compact. May be asked from any thread."""

    @property
    def size_bytes(self) -> int:
        """What the frames take."""
        return self._pending_bytes + sum(one.size_bytes for one in self._panes.values())

    def add(self, partial: pl.DataFrame) -> None:
        """Takes the partial aggregates of a batch, with `LANES` or without."""
        if LANES[0] in partial.columns:
            self._settle()
            return self._cut(partial)
        self._pending.append(partial)
        self._pending_rows += partial.height
        self._pending_bytes += int(partial.estimated_size())
        many = self._pending_rows >= _PENDING_ROWS or len(self._pending) >= _PENDING_FRAMES
        if many or self._pending_bytes >= _PENDING_BYTES:
            self._settle()
        return None

    def starts(self) -> list[int]:
        """Returns the panes that hold something, ascending."""
        self._settle()
        return sorted(self._panes)

    def rows(self, pane: int) -> int:
        """Returns how many rows a settled pane has, about."""
        return self._panes[pane].rows

    def take(self, panes: Iterable[int]) -> tuple[pl.DataFrame, bool]:
        """Returns the rows of settled panes, and whether every pane's rows are merged already."""
        found = [self._frames(pane) for pane in panes]
        frames = [frame for one in found for frame in one]
        joined = frames[0] if len(frames) == 1 else pl.concat(frames)
        return joined, all(len(one) == 1 for one in found)

    def replace(self, panes: Iterable[int], merged: pl.DataFrame, pane: int) -> None:
        """Puts merged rows into one pane in place of all rows of several."""
        for old in panes:
            del self._panes[old]
        self._panes[pane] = FramedPane(self._merge, merged)
        self._key_if_large(pane)

    def fold(self, panes: Sequence[int], pane: int) -> bool:
        """Lets the first of several settled panes take in the others if it is keyed; else nothing is done.

        Args:
            panes: Each behind the other.
            pane: As what they go on.

        Returns:
            Whether it was.
        """
        first = self._panes[panes[0]]
        if not isinstance(first, KeyedPane):
            return False
        for other in panes[1:]:
            for frame in self._frames(other):
                first.append(frame)
            del self._panes[other]
        del self._panes[panes[0]]
        self._panes[pane] = first
        return True

    def drop(self, panes: Iterable[int]) -> None:
        """Forgets settled panes."""
        gone = [self._panes.pop(pane) for pane in panes]
        if gone:
            self._begins_keyed = any(isinstance(one, KeyedPane) and one.rows >= _MANY_GROUPS // 2 for one in gone)
            self._look()

    def snapshot(self) -> pl.DataFrame | None:
        """Returns all rows in one frame; None when there are none."""
        self._settle()
        keyed = {pane for pane, one in self._panes.items() if isinstance(one, KeyedPane)}
        frames = [frame for pane in sorted(self._panes.keys() - keyed) for frame in self._frames(pane)]
        merged = [self._merge(pl.concat(frames))] if frames else []
        merged += [frame for pane in sorted(keyed) for frame in self._frames(pane)]
        return pl.concat(merged) if merged else None

    def _frames(self, pane: int) -> list[pl.DataFrame]:
        one = self._panes[pane]
        if isinstance(one, FramedPane):
            return one.frames()
        groups = one.groups()
        return [groups.insert_column(0, pl.Series(PANE, [pane], dtype=pl.Int64).new_from_index(0, groups.height))]

    def _settle(self) -> None:
        if not self._pending:
            return
        pending = self._pending
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        self._cut(pending[0] if len(pending) == 1 else compacted(self._merge(pl.concat(pending))))

    def _cut(self, rows: pl.DataFrame) -> None:
        low, high = rows[PANE].min(), rows[PANE].max()
        parts = [rows] if low == high else rows.partition_by(PANE, maintain_order=True)
        for part in parts:
            self._append(int(part[PANE][0]), part)

    def _append(self, pane: int, part: pl.DataFrame) -> None:
        one = self._panes.get(pane)
        if one is None and self._begins_keyed:
            return self._begin_keyed(pane, part)
        if one is None:
            one = self._panes[pane] = FramedPane(self._merge)
        if one.append(part):
            self._key_if_large(pane)
        return None

    def _key_if_large(self, pane: int) -> None:
        """Lets a merged pane find its groups by their keys from now on if they are many."""
        one = self._panes[pane]
        if isinstance(one, FramedPane) and one.rows >= _MANY_GROUPS and self._by_key is not None:
            (merged,) = one.frames()
            self._begin_keyed(pane, merged)

    def _begin_keyed(self, pane: int, first: pl.DataFrame) -> None:
        assert self._by_key is not None
        self._panes[pane] = KeyedPane(self._by_key, first.drop(PANE))
        self._look()

    def _look(self) -> None:
        self.is_keyed = self._begins_keyed or any(isinstance(one, KeyedPane) for one in self._panes.values())
