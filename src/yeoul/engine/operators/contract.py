"""What an operator is.

An operator owns its state and nothing else: no clock, no thread, no file. The runtime calls `process` with one batch
at a time, then `advance` when the watermark has moved, on one thread; the same calls in the same order always give
the same rows. `snapshot` is called between batches and gives frames; `restore` on a fresh operator with the same
frames continues as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl

__all__ = ["EMPTY", "LateRows", "Operator", "Output"]


@dataclass(frozen=True, slots=True)
class LateRows:
    """Rows that came after their window had fired.

    Attributes:
        frame: `$row` (UInt32, null where the row did not come straight from a source batch), `window_start`,
            `window_end` (Datetime ms), `watermark` (Datetime ms), one row per row and window missed.
    """

    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Output:
    """What a call gave: batches to hand on, in order, and late rows to set aside."""

    batches: tuple[pl.DataFrame, ...] = ()
    late: LateRows | None = None


EMPTY = Output()


class Operator(Protocol):
    """One step of a running plan."""

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        """Takes a batch from input `port`; reserved columns as in `yeoul.engine.contract`."""
        ...

    def advance(self, watermark_ms: int) -> Output:
        """Learns that the watermark is now `watermark_ms`; never lower than before. 2**63 - 1 ends the input."""
        ...

    def snapshot(self) -> Mapping[str, pl.DataFrame]:
        """Returns the whole state as named frames; the operator goes on unchanged."""
        ...

    def restore(self, state: Mapping[str, pl.DataFrame]) -> None:
        """Takes the state of an equal operator; called once, before anything else."""
        ...
