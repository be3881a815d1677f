"""Results on their way to the sinks: small batches put together while more is coming, so that each costs little.

A write costs about the same for one row as for a thousand: encoding calls, a request, a flush of the broker's log.
While the operators have more to take at once, what they give is therefore kept for a moment, at most
`Settings.linger_ms`; as soon as they would wait, it is written. A lone row is never kept.
Owned by the thread of `Execution.run`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from yeoul.engine.columnwise import concatenated
from yeoul.engine.contract import CHANGE, Sink
from yeoul.engine.runtime.settings import Settings
from yeoul.plan.trigger import TriggerKind

__all__ = ["Outlets"]

_MOST_ROWS = 16_384
_SLICE_ROWS = 131_072
"""What is handed to a sink at once: what it makes of a batch is bounded, too."""


class Outlets:
    """The sinks of one execution.

    Args:
        sinks: One for each plan that ends in a write.
        settings: Clock, linger and flush interval.
    """

    def __init__(self, sinks: Sequence[Sink], settings: Settings) -> None:
        self._sinks = sinks
        self._clock = settings.clock
        self._linger_s = settings.linger_ms / 1_000
        is_once = settings.trigger.kind is TriggerKind.ONCE
        self._flush_interval_s = math.inf if is_once else settings.flush_interval_ms / 1_000
        self._kept: dict[int, list[pl.DataFrame]] = {}
        self._kept_rows = 0
        self._kept_since_s = 0.0
        self._unflushed_since_s: float | None = None

    @property
    def keeps(self) -> bool:
        """Whether something was not written yet."""
        return bool(self._kept)

    def add(self, output: int, rows: pl.DataFrame) -> None:
        """Takes a batch for a sink; may write what is kept, and block as the sink does."""
        if not rows.height:
            return
        if not self._kept:
            self._kept_since_s = self._clock.monotonic_s()
        self._kept.setdefault(output, []).append(rows)
        self._kept_rows += rows.height
        if self._kept_rows >= _MOST_ROWS or self._clock.monotonic_s() - self._kept_since_s >= self._linger_s:
            self.write()

    def write(self) -> None:
        """Writes what is kept."""
        kept, self._kept, self._kept_rows = self._kept, {}, 0
        if kept and self._unflushed_since_s is None:
            self._unflushed_since_s = self._clock.monotonic_s()
        for output, frames in kept.items():
            whole = frames[0] if len(frames) == 1 else concatenated(frames)
            # An update's two rows stay together: only rows that stand are cut.
            is_cut = whole.height > _SLICE_ROWS and CHANGE not in whole.columns
            for part in whole.iter_slices(_SLICE_ROWS) if is_cut else (whole,):
                self._sinks[output].write(part)

    def flush_in_s(self) -> float | None:
        """Returns how long until a flush is due; None: nothing was written since the last."""
        if self._unflushed_since_s is None or self._flush_interval_s == math.inf:
            return None
        waited_s = self._clock.monotonic_s() - self._unflushed_since_s
        return max(0.0, self._flush_interval_s - waited_s)

    def flush_if_due(self) -> None:
        """Flushes when what was written first waits for it long enough."""
        if self.flush_in_s() == 0.0:
            self.flush()

    def flush_if_written(self) -> None:
        """Flushes if something is kept or was written since the last time."""
        if self._kept or self._unflushed_since_s is not None:
            self.flush()

    def flush(self) -> None:
        """Writes what is kept, and returns when the sinks have it safe."""
        self.write()
        self._unflushed_since_s = None
        for sink in self._sinks:
            sink.flush()
