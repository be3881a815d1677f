"""Where a running job stands, as a value: what it has done, how far event time has come, and what holds it back."""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.engine.contract import Position

__all__ = ["OperatorState", "Progress", "SplitProgress"]


@dataclass(frozen=True, slots=True)
class SplitProgress:
    """One split of one table.

    Attributes:
        table: The table it belongs to.
        split: Its name within the table.
        state: `active`, `idle` or `finished`.
        watermark_ms: Its own watermark; None before its first row with one.
        lag: Records (files: bytes) between what was read and its end; None if the source does not know.
        queued_bytes: What was read of it and not yet taken by the operators.
        position: Where to go on after what the operators have taken; None if they have taken nothing.
        holds_watermark: Whether the table's windows stay open because of it.
    """

    table: str
    split: str
    state: str
    watermark_ms: int | None
    lag: int | None
    queued_bytes: int
    position: Position
    holds_watermark: bool


@dataclass(frozen=True, slots=True)
class OperatorState:
    """What an operator remembers.

    Attributes:
        name: What the operator is called.
        memory_bytes: What its state takes in memory, about, with the rows that wait for it.
        spilled_bytes: What of it lies on disk.
    """

    name: str
    memory_bytes: int
    spilled_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A job at one moment.

    Attributes:
        status: `created`, `running`, `stopped`, `finished` or `failed`.
        records_in: Records read: rows, dead and skipped.
        rows_in: Rows decoded.
        rows_out: Rows given to the sink or the caller.
        bytes_in: Bytes read, as the sources charge them.
        batches: Batches taken by the operators.
        late: Late rows set aside, once for each window missed.
        dead: Records that could not become rows, and rows without a row time.
        watermark_ms: The watermark at the top of the plan; None before there is one.
        latest_ms: The greatest row time seen; None before the first.
        held_by: Why no further window has closed: the split that holds the watermark, and how far it has come.
        splits: Every split.
        started_ms: When the run began, wall time; None before.
        elapsed_s: For how long it has run, or ran.
        operators: What each operator that remembers anything takes, inputs before those that read them.
    """

    status: str
    records_in: int
    rows_in: int
    rows_out: int
    bytes_in: int
    batches: int
    late: int
    dead: int
    watermark_ms: int | None
    latest_ms: int | None
    held_by: str | None
    splits: tuple[SplitProgress, ...]
    started_ms: int | None
    elapsed_s: float
    operators: tuple[OperatorState, ...] = ()

    @property
    def state_bytes(self) -> int:
        """What state takes in memory, about."""
        return sum(one.memory_bytes for one in self.operators)

    @property
    def spilled_bytes(self) -> int:
        """What of it lies on disk."""
        return sum(one.spilled_bytes for one in self.operators)

    @property
    def lag(self) -> int | None:
        """The known lags of all splits together; None if no source knows."""
        known = [one.lag for one in self.splits if one.lag is not None]
        return sum(known) if known else None
