"""What an operator is.

An operator owns its state and nothing else: no clock, no thread, no file. The runtime calls `process` with one batch
at a time, then `advance` when the watermark has moved, on one thread; the same calls in the same order always give
the same rows. `snapshot` is called between batches and gives frames; `restore` on a fresh operator with the same
frames continues as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import polars as pl

__all__ = [
    "EMPTY",
    "END_OF_TIME",
    "START_OF_TIME",
    "LateRows",
    "Operator",
    "Output",
    "Sized",
    "State",
    "Stateless",
    "Timed",
]

END_OF_TIME = 2**63 - 1
"""The watermark that ends an input."""
START_OF_TIME = -(2**63)
"""The watermark before anything is known."""

State = Mapping[str, pl.DataFrame]
"""What a snapshot holds: named frames."""


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
        """Takes a batch from input `port`; reserved columns as in `yeoul.engine.contract`.

        A batch without `$watermark` is judged as a whole against the last watermark of `advance`: whoever left the
        column out vouches that no row is late by what came before it within the batch.
        """
        ...

    def advance(self, watermark_ms: int) -> Output:
        """Learns that the watermark is now `watermark_ms`; never lower than before. 2**63 - 1 ends the input."""
        ...

    def snapshot(self) -> State:
        """Returns the whole state as named frames; the operator goes on unchanged."""
        ...

    def restore(self, state: State) -> None:
        """Takes the state of an equal operator; called once, before anything else."""
        ...


@runtime_checkable
class Timed(Protocol):
    """An operator that has to be called at times of its own, too."""

    @property
    def wake_at_ms(self) -> int | None:
        """The time, by the clock, at which to call `wake`; None: not until something else happened."""
        ...

    def wake(self, now_ms: int) -> Output:
        """Learns the time; called when it is due, or sooner."""
        ...


@runtime_checkable
class Sized(Protocol):
    """An operator that tells how much it remembers."""

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        ...


class Stateless:
    """The base of operators that keep nothing: `transform` may run on any thread, on several batches at once."""

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns what becomes of a batch; reserved columns are passed on."""
        raise NotImplementedError

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        return Output((self.transform(batch),))

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        return None
