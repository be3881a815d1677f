"""One key group: its operator, in memory or as files, and the rows that wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from operator import itemgetter

import polars as pl

from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME, State, Timed
from yeoul.engine.operators.key_groups.contract import KeyedOperator, Timely
from yeoul.engine.state.memory import StateMemory

__all__ = ["KeyGroup"]


class KeyGroup:
    """The keys whose fingerprints begin with the same bits.

    Args:
        bits: How many bits.
        prefix: Which.
        make: Makes its operator, without state.
        memory: Where it finds room, and files.

    Attributes:
        operator: In memory; None: on disk, or nothing was ever there.
        size_bytes: What the operator takes in memory, or would.
        due_ms: The least watermark that gives something.
        wake_at_ms: When it is to be woken by the clock.
        waiting: Rows to take in: the turn in which they came, their port, themselves.
    """

    def __init__(self, bits: int, prefix: int, make: Callable[[], KeyedOperator], memory: StateMemory) -> None:
        self.bits, self.prefix = bits, prefix
        self.operator: KeyedOperator | None = None
        self.size_bytes = 0
        self.due_ms = END_OF_TIME
        self.wake_at_ms: int | None = None
        self.waiting: list[tuple[int, int, pl.DataFrame]] = []
        self._make, self._memory = make, memory
        self._number: int | None = None

    def loaded(self) -> KeyedOperator:
        """Returns the operator, after making room for it and loading it if it is not in memory."""
        if self.operator is None:
            self._memory.make_room(self.size_bytes, self)
            operator = self._make()
            if self._number is not None:
                operator.restore(self._memory.files.read(self._number))
                self._memory.files.remove(self._number)
                self._number = None
            self.operator = operator
        return self.operator

    def used(self) -> None:
        """Asks the operator what it takes and what it waits for now."""
        operator = self.operator
        assert operator is not None
        self.size_bytes = operator.size_bytes
        if isinstance(operator, Timely):
            due_ms = operator.due_ms
            self.due_ms = END_OF_TIME if due_ms is None else due_ms
        if isinstance(operator, Timed):
            self.wake_at_ms = operator.wake_at_ms
        self._memory.hold(self, self.size_bytes)

    def drained(self, *, in_order: bool) -> Iterator[tuple[int, pl.DataFrame]]:
        """Takes out the rows that wait, by port; as often as ports take turns if the order between ports matters.

        Where it does, a key's end and its next beginning stay apart if they came apart: side by side they would be an
        update.
        """
        waiting, self.waiting = self.waiting, []
        if not in_order:
            waiting.sort(key=itemgetter(1))
        for port, parts in groupby(waiting, key=itemgetter(1)):
            batches = [rows for _, _, rows in parts]
            cuts = [
                at for at in range(1, len(batches)) if in_order and self._begins_anew(port, *batches[at - 1 : at + 1])
            ]
            for begin, end in pairwise([0, *cuts, len(batches)]):
                yield port, pl.concat(batches[begin:end])

    def _begins_anew(self, port: int, one: pl.DataFrame, other: pl.DataFrame) -> bool:
        """Tells whether one batch ends with a key's end, and the other begins with its beginning."""
        if WEIGHT not in one.columns or not one[WEIGHT][-1] < 0 < other[WEIGHT][0]:
            return False
        assert self.operator is not None
        return self.operator.keys_of(port, pl.concat([one.tail(1), other.head(1)])).n_unique() == 1

    def evict(self) -> None:
        """Writes the operator's state to disk."""
        assert self.operator is not None
        self.spill(self.operator.snapshot(), self.size_bytes)
        self.operator = None

    def spill(self, frames: State, size_bytes: int) -> None:
        """Puts state on disk that takes so much in memory."""
        if frames:
            self._number, _ = self._memory.files.write(frames)
        self.size_bytes = size_bytes

    def frames(self) -> State:
        """Returns the state; what lies on disk is mapped."""
        if self.operator is not None:
            return self.operator.snapshot()
        return {} if self._number is None else self._memory.files.read(self._number)

    @property
    def spilled_bytes(self) -> int:
        """What lies on disk."""
        return 0 if self._number is None else self._memory.files.size_of(self._number)

    def forget(self) -> None:
        """Drops the state."""
        self._memory.release(self)
        if self._number is not None:
            self._memory.files.remove(self._number)
        self.operator = self._number = None
