"""One watermark out of several: the minimum over inputs, which never runs backwards.

Inputs are a scan's splits, or the ports of an operator with several. An input that is idle or finished does not hold
the watermark; when no input is left that does, the watermark is the furthest that any of them had come (so that it
does not matter in which order they fell idle). An input without a value yet holds it at the start of time.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME

__all__ = ["Bounds", "InputState", "WatermarkMerge"]


class InputState(enum.Enum):
    """Whether an input holds the watermark."""

    ACTIVE = "active"
    IDLE = "idle"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What stands around one input's rows: the merged watermark before them, and how far the other inputs let it go.

    Attributes:
        floor_ms: The merged watermark before the batch.
        ceiling_ms: The minimum over the other inputs that hold it; the end of time if none does.
    """

    floor_ms: int
    ceiling_ms: int

    def clamp(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Turns `$watermark` from the input's own running maximum into the merged watermark before each row."""
        merged = pl.col(WATERMARK)
        if self.ceiling_ms != END_OF_TIME:
            merged = merged.clip(upper_bound=self.ceiling_ms)
        return batch.with_columns(merged.clip(lower_bound=self.floor_ms))


@dataclass(slots=True)
class _Input:
    value_ms: int = START_OF_TIME
    state: InputState = InputState.ACTIVE


class WatermarkMerge:
    """The inputs' watermarks and their merge.

    Example:
        >>> merge = WatermarkMerge()
        >>> merge.add("a"); merge.add("b")
        >>> merge.observe("a", 100) == START_OF_TIME, merge.holder()
        (True, 'b')
        >>> merge.observe("b", 70), merge.bounds("a"), merge.set_idle("b")
        (70, Bounds(floor_ms=70, ceiling_ms=70), 100)
    """

    def __init__(self) -> None:
        self._inputs: dict[str, _Input] = {}
        self.current_ms = START_OF_TIME

    def add(self, name: str) -> None:
        """Makes an input known; it holds the watermark from now on. Known ones are left alone."""
        self._inputs.setdefault(name, _Input())

    def observe(self, name: str, value_ms: int | None) -> int:
        """Takes an input's own watermark (None: it gave rows, but none with a watermark); wakes it if it was idle."""
        one = self._inputs.setdefault(name, _Input())
        one.state = InputState.ACTIVE
        if value_ms is not None and value_ms > one.value_ms:
            one.value_ms = value_ms
        return self._merge()

    def set_idle(self, name: str) -> int:
        """Stops an input from holding the watermark until it is observed again."""
        return self._leave(name, InputState.IDLE)

    def finish(self, name: str) -> int:
        """Stops an input from holding the watermark for good."""
        return self._leave(name, InputState.FINISHED)

    def bounds(self, name: str) -> Bounds:
        """Returns what to judge an input's next rows by."""
        others = (
            one.value_ms for other, one in self._inputs.items() if other != name and one.state is InputState.ACTIVE
        )
        return Bounds(self.current_ms, min(others, default=END_OF_TIME))

    def holder(self) -> str | None:
        """Returns the input that holds the watermark back, None if no input does."""
        active = ((one.value_ms, name) for name, one in self._inputs.items() if one.state is InputState.ACTIVE)
        lowest = min(active, default=None)
        return None if lowest is None else lowest[1]

    @property
    def all_idle(self) -> bool:
        """Whether no input holds the watermark."""
        return all(one.state is not InputState.ACTIVE for one in self._inputs.values())

    @property
    def all_finished(self) -> bool:
        """Whether no input will ever be observed again."""
        return all(one.state is InputState.FINISHED for one in self._inputs.values())

    def inputs(self) -> Mapping[str, tuple[int, InputState]]:
        """Returns each input's own watermark in ms and state."""
        return {name: (one.value_ms, one.state) for name, one in self._inputs.items()}

    def snapshot(self) -> pl.DataFrame:
        """Returns the whole state, one row per input and one, with an empty state, for the merge."""
        rows = [(name, one.value_ms, one.state.value) for name, one in self._inputs.items()]
        schema = {"input": pl.String, "watermark": pl.Int64, "state": pl.String}
        return pl.DataFrame([*rows, ("", self.current_ms, "")], schema=schema, orient="row")

    def restore(self, frame: pl.DataFrame) -> None:
        """Takes what `snapshot` gave."""
        for name, value_ms, state in frame.iter_rows():
            if state:
                self._inputs[name] = _Input(value_ms, InputState(state))
            else:
                self.current_ms = value_ms

    def _leave(self, name: str, state: InputState) -> int:
        one = self._inputs.setdefault(name, _Input())
        if one.state is not InputState.FINISHED:
            one.state = state
        return self._merge()

    def _merge(self) -> int:
        active = [one.value_ms for one in self._inputs.values() if one.state is InputState.ACTIVE]
        merged = min(active) if active else max((one.value_ms for one in self._inputs.values()), default=START_OF_TIME)
        self.current_ms = max(self.current_ms, merged)
        return self.current_ms
