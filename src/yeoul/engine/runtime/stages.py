"""Operators in their places, and what a step through them gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME, LateRows, Operator
from yeoul.engine.operators.watermarks import WatermarkMerge
from yeoul.engine.state.memory import StateMemory

__all__ = ["Effects", "Stage"]


@dataclass(slots=True)
class Effects:
    """What a step gave.

    Attributes:
        rows: Batches of the plan's result, reserved columns removed.
        late: Late rows by the name of the operator that met them.
        ended: Lanes that need no more input, because a LIMIT above them is reached.
        outputs: For each of `rows`, the number of the plan that it is a result of.
    """

    rows: list[pl.DataFrame] = field(default_factory=list)
    late: list[tuple[str, LateRows]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Stage:
    """One operator in its place.

    Attributes:
        name: What the operator is called in `$late` and in snapshots; unique in a pipeline.
        operator: The operator.
        parents: Who takes its output: a stage and its port, or None for the result; several where a part of a plan
            is computed once for all that read it.
        ports: The merge of its inputs' watermarks, if it has several.
        delay_ms: How far its rows may be behind its watermark: by so much the stages above are told less.
        gives_at_end: Whether its rows come at the end of its input: until then the stages above are told nothing.
        watermark_ms: How far its input has come.
        given_ms: How far what it gives has come: behind that where rows wait for spilled state.
        is_idle: Whether its input is idle.
        number: Of the plan whose result it gives, if it has no parent.
        memory: Where it counts what its operator keeps, if that is limited and cannot be divided by key.
    """

    name: str
    operator: Operator
    parents: tuple[tuple[Stage, int] | None, ...]
    ports: WatermarkMerge | None = None
    watermark_ms: int = START_OF_TIME
    delay_ms: int = 0
    gives_at_end: bool = False
    given_ms: int = START_OF_TIME
    is_idle: bool = False
    number: int = 0
    memory: StateMemory | None = None

    def passed_on(self, watermark_ms: int) -> int:
        """Returns the watermark of what it gives, when that of what it takes is known."""
        if self.gives_at_end and watermark_ms < END_OF_TIME:
            return START_OF_TIME
        is_time = START_OF_TIME < watermark_ms < END_OF_TIME
        return max(watermark_ms - self.delay_ms, START_OF_TIME) if is_time else watermark_ms
