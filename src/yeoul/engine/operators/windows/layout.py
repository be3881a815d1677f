"""Window arithmetic: panes, the windows that contain them, and when those end. Integers of milliseconds, no data.

A pane is the longest stretch of the axis that lies in every window wholly or not at all: the whole window for TUMBLE,
gcd(size, slide) for HOP, one step for CUMULATE. Rows are aggregated by pane; a window is the merge of its panes.

All functions of a pane take an int or a Polars expression alike: the arithmetic is floor division on both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from yeoul.plan.nodes import Window, WindowKind

__all__ = ["WindowLayout"]

Time = TypeVar("Time", int, pl.Expr)


@dataclass(frozen=True, slots=True)
class WindowLayout:
    """Where the windows of one kind, size, slide and offset lie; all in milliseconds.

    Example:
        >>> hop = WindowLayout(WindowKind.HOP, size_ms=10, slide_ms=5)
        >>> hop.pane_of(7), hop.first_end(5), hop.last_end(5), hop.start_of(15)
        (5, 10, 15, 5)
        >>> cumulate = WindowLayout(WindowKind.CUMULATE, size_ms=15, slide_ms=5)
        >>> cumulate.first_end(5), cumulate.last_end(5), cumulate.start_of(10)
        (10, 15, 0)
    """

    kind: WindowKind
    size_ms: int
    slide_ms: int
    offset_ms: int = 0

    @classmethod
    def of(cls, window: Window) -> WindowLayout:
        """Returns the layout of a plan's window."""
        slide_ms = window.size_ms if window.kind is WindowKind.TUMBLE else window.slide_ms
        return cls(window.kind, window.size_ms, slide_ms, window.offset_ms)

    @property
    def pane_ms(self) -> int:
        """The length of a pane."""
        return math.gcd(self.size_ms, self.slide_ms)

    @property
    def has_gaps(self) -> bool:
        """Whether some times lie in no window at all: a HOP whose slide is longer than its size."""
        return self.slide_ms > self.size_ms

    def pane_of(self, time: Time) -> Time:
        """Returns the start of the pane that contains a time."""
        pane_ms, offset_ms = self.pane_ms, self.offset_ms % self.pane_ms
        if not offset_ms:
            return time // pane_ms * pane_ms
        return (time - offset_ms) // pane_ms * pane_ms + offset_ms

    def first_end(self, pane: Time) -> Time:
        """Returns the end of the first window to close that contains a pane."""
        if self.kind is not WindowKind.HOP:
            return pane + self.pane_ms
        before = pane + self.pane_ms - self.size_ms - self.offset_ms
        return (before + self.slide_ms - 1) // self.slide_ms * self.slide_ms + self.offset_ms + self.size_ms

    def last_end(self, pane: Time) -> Time:
        """Returns the end of the last window to close that contains a pane; before `first_end` if no window does."""
        period_ms = self.slide_ms if self.kind is WindowKind.HOP else self.size_ms
        return (pane - self.offset_ms) // period_ms * period_ms + self.offset_ms + self.size_ms

    def end_at_or_before(self, time: Time) -> Time:
        """Returns the latest end of any window that is not after a time."""
        phase = (self.offset_ms + self.size_ms) % self.slide_ms
        return (time - phase) // self.slide_ms * self.slide_ms + phase

    def start_of(self, end: Time) -> Time:
        """Returns the start of the window that ends at `end`."""
        if self.kind is not WindowKind.CUMULATE:
            return end - self.size_ms
        return (end - 1 - self.offset_ms) // self.size_ms * self.size_ms + self.offset_ms

    def next_end(self, pane: int, closed: int) -> int | None:
        """Returns the end of the first window with a pane that ends after `closed`, None if all have ended."""
        first, last = self.first_end(pane), self.last_end(pane)
        if first <= closed:
            first = self.end_at_or_before(closed) + self.slide_ms
        return first if first <= last else None
