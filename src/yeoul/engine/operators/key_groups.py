"""An operator in pieces by key, so that state beyond a memory limit can lie on disk.

A key group is the keys whose fingerprints begin with the same bits; each has an operator of its own, in memory or as
the frames of its snapshot in files. There is one group, and rows go straight through it, until the job's keyed state
takes more than its limit; then groups that are too large to come and go are divided into eight, as often as it takes.

From then on rows wait, and are taken in together: each group that any of them belongs to is loaded once for all of
them, groups in memory first. They wait until they are an eighth of the limit, or for twice as long as the last time
took. So what is given adds up to the same table as without a limit, but comes later and in fewer, larger batches. It
suits operators that only rows move, and the end of the input; see `Keyed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Operator, Output, State
from yeoul.engine.operators.groups.aggregate import Aggregate
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.grouping import lanes_of
from yeoul.engine.state.keyed import key_lanes
from yeoul.engine.state.memory import StateMemory

__all__ = ["AggregateKeyGroups", "KeyGroups", "Keyed", "by_key_group"]

_SPLIT_BITS = 3
_MOST_BITS = 15
_LEAST_WAIT_MS = 250
_WAITS_PER_ROUND = 2
_WAITING = "$waiting"


@runtime_checkable
class Keyed(Protocol):
    """An operator whose rows and state fall apart by key, and that does nothing at a watermark but the last one."""

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        ...

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """For each frame of a snapshot that belongs to keys: the key's columns. Empty: it does not fall apart.

        Other frames have one row of flags, or of numbers that only rise.
        """
        ...

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the key of each row, in columns of the types that `state_keys` have."""
        ...


class _KeyedOperator(Keyed, Operator, Protocol):
    """What is divided."""


class _Group:
    """One key group: its operator in memory, or its files."""

    def __init__(self, bits: int, prefix: int, make: Callable[[], _KeyedOperator], memory: StateMemory) -> None:
        self.bits, self.prefix = bits, prefix
        self.operator: _KeyedOperator | None = None
        self.size_bytes = 0
        self._make, self._memory = make, memory
        self._number: int | None = None

    def loaded(self) -> _KeyedOperator:
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
        """Says what the operator takes now."""
        assert self.operator is not None
        self.size_bytes = self.operator.size_bytes
        self._memory.hold(self, self.size_bytes)

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

    def forget(self) -> None:
        """Drops the state."""
        self._memory.release(self)
        if self._number is not None:
            self._memory.files.remove(self._number)
        self.operator = self._number = None


class KeyGroups:
    """An operator by key group.

    Args:
        pattern: The operator, without state: what it says of keys holds for every group.
        make: Makes another one like it.
        memory: What the job's state may take.
        clock: For how long rows wait.
    """

    def __init__(
        self, pattern: _KeyedOperator, make: Callable[[], _KeyedOperator], memory: StateMemory, clock: Clock
    ) -> None:
        self._pattern, self._make, self._memory, self._clock = pattern, make, memory, clock
        self._state_keys = self._pattern.state_keys
        self._waiting: list[tuple[int, pl.DataFrame, list[int]]] = []
        self._waiting_bytes = 0
        self._wait_ms = _LEAST_WAIT_MS
        self.wake_at_ms: int | None = None
        whole = _Group(0, 0, make, memory)
        whole.operator = make()
        self._set_groups([whole])

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        return self._take(port, batch)

    def advance(self, watermark_ms: int) -> Output:
        if watermark_ms < END_OF_TIME:
            return EMPTY
        outputs = [self._take_in()]
        for group in self._in_memory_first(self._groups):
            outputs.append(group.loaded().advance(watermark_ms))
            group.used()
            self._memory.make_room(keep=group)
        return _together(outputs)

    def wake(self, now_ms: int) -> Output:
        """Takes in what has waited long enough."""
        due = self.wake_at_ms is not None and now_ms >= self.wake_at_ms
        return self._take_in() if due else EMPTY

    def snapshot(self) -> State:
        frames: dict[str, list[pl.DataFrame]] = {}
        for group in self._groups:
            for name, frame in group.frames().items():
                frames.setdefault(name, []).append(frame)
        state = {name: self._one(name, parts) for name, parts in frames.items()}
        for port in sorted({port for port, _, _ in self._waiting}):
            state[f"{_WAITING}{port}"] = pl.concat([rows for own, rows, _ in self._waiting if own == port])
        return state

    def restore(self, state: State) -> None:
        own = {name: frame for name, frame in state.items() if not name.startswith(_WAITING)}
        whole = self._groups[0]
        size_bytes = sum(int(frame.estimated_size()) for frame in own.values())
        if 2 * size_bytes <= self._memory.limit_bytes:
            whole.loaded().restore(own)
            whole.used()
        else:
            whole.operator = None
            whole.spill(own, 2 * size_bytes)
            self._memory.spilled = True
        self._divide_large()
        for name, frame in state.items():
            if name.startswith(_WAITING):
                self._wait(int(name.removeprefix(_WAITING)), frame)

    # --- rows that come

    def _take(self, port: int, batch: pl.DataFrame) -> Output:
        only = self._groups[0]
        if len(self._groups) == 1 and only.operator is not None and not self._waiting_bytes:
            output = self._process(only.operator, port, batch)
            only.used()
            self._memory.make_room()
            self._divide_large()
            return output
        self._wait(port, batch)
        return self._take_in() if self._waiting_bytes >= self._memory.most_waiting_bytes else EMPTY

    def _process(self, operator: _KeyedOperator, port: int, batch: pl.DataFrame) -> Output:
        return operator.process(port, batch)

    def _joined(self, operator: _KeyedOperator, batches: pl.DataFrame) -> pl.DataFrame:
        """Returns batches that waited, one behind the other, as one."""
        return batches

    def _keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        return self._pattern.keys_of(port, batch)

    def _wait(self, port: int, batch: pl.DataFrame) -> None:
        """Lets rows wait, in the order of their groups, which stay as they are while any row waits."""
        groups = self._groups_of(lanes_of(batch) or key_lanes(self._keys_of(port, batch)))
        kept = compacted(batch[np.argsort(groups, kind="stable").astype(np.uint32)])
        cuts = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=len(self._groups)))])
        self._waiting.append((port, kept, cuts.tolist()))
        self._waiting_bytes += (size_bytes := int(kept.estimated_size()))
        self._memory.waiting_bytes += size_bytes
        if self.wake_at_ms is None:
            self.wake_at_ms = self._clock.now_ms() + self._wait_ms

    def _take_in(self) -> Output:
        """Gives the rows that wait to their groups."""
        if not self._waiting:
            return EMPTY
        began_s = self._clock.monotonic_s()
        outputs = []
        parts = [(group, list(self._waiting_for(at))) for at, group in enumerate(self._groups)]
        for group, rows in sorted((each for each in parts if each[1]), key=lambda each: each[0].operator is None):
            operator = group.loaded()
            outputs += [self._process(operator, port, self._joined(operator, part)) for port, part in rows]
            group.used()
            self._memory.make_room(keep=group)
        self._memory.waiting_bytes -= self._waiting_bytes
        self._waiting, self._waiting_bytes, self.wake_at_ms = [], 0, None
        self._memory.make_room()
        self._divide_large()
        self._wait_ms = max(_LEAST_WAIT_MS, int(_WAITS_PER_ROUND * 1_000 * (self._clock.monotonic_s() - began_s)))
        return _together(outputs)

    def _waiting_for(self, at: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Finds the rows that wait for a group, port by port."""
        for port in sorted({port for port, _, _ in self._waiting}):
            cut = [
                rows.slice(cuts[at], cuts[at + 1] - cuts[at])
                for own, rows, cuts in self._waiting
                if own == port and cuts[at] < cuts[at + 1]
            ]
            if cut:
                yield port, pl.concat(cut)

    # --- groups

    def _set_groups(self, groups: list[_Group]) -> None:
        self._groups = sorted(groups, key=lambda group: group.prefix << (_MOST_BITS - group.bits))
        self._firsts = np.array([group.prefix << (_MOST_BITS - group.bits) for group in self._groups], np.uint16)

    def _groups_of(self, lanes: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.uint16]:
        tops = (lanes[1].view(np.uint64) >> np.uint64(64 - _MOST_BITS)).astype(np.uint16)
        return (np.searchsorted(self._firsts, tops, side="right") - 1).astype(np.uint16)

    def _in_memory_first(self, groups: Sequence[_Group]) -> list[_Group]:
        return sorted(groups, key=lambda group: group.operator is None)

    def _divide_large(self) -> None:
        """Divides groups that lie on disk and are too large to come and go."""
        if not self._memory.spilled:
            return
        most_bytes = self._memory.most_of_one_bytes
        while large := [
            group
            for group in self._groups
            if group.operator is None and group.size_bytes > most_bytes and group.bits + _SPLIT_BITS <= _MOST_BITS
        ]:
            kept = [group for group in self._groups if group not in large]
            self._set_groups([*kept, *(part for group in large for part in self._divided(group))])

    def _divided(self, group: _Group) -> list[_Group]:
        """Returns a group that lies on disk as eight."""
        frames, bits, count = group.frames(), group.bits + _SPLIT_BITS, 1 << _SPLIT_BITS
        parts = [_Group(bits, (group.prefix << _SPLIT_BITS) + at, self._make, self._memory) for at in range(count)]
        numbers: dict[str, NDArray[np.uint64]] = {}
        for name, columns in self._state_keys.items():
            if name in frames:
                _, high = key_lanes(frames[name].select(columns))
                numbers[name] = (high.view(np.uint64) >> np.uint64(64 - bits)) & np.uint64(count - 1)
        rows = max(1, sum(len(each) for each in numbers.values()))
        for at, part in enumerate(parts):
            own = {
                name: frame.filter(pl.Series(numbers[name] == at)) if name in numbers else frame
                for name, frame in frames.items()
            }
            share = sum(int((each == at).sum()) for each in numbers.values()) / rows
            part.spill(own, int(group.size_bytes * share))
        group.forget()
        return parts

    def _one(self, name: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
        """Returns the groups' frames of one name as one."""
        whole = parts[0] if len(parts) == 1 else pl.concat(parts)
        return whole if name in self._state_keys or whole.height <= 1 else whole.max()


class AggregateKeyGroups(KeyGroups):
    """An aggregate without a window by key group: what waits are batches that are aggregated already."""

    _pattern: Aggregate | GroupAggregate

    def prepare(self, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Aggregates a batch, None if it has no row; pure, callable from any thread."""
        return self._pattern.prepare(batch)

    def process_prepared(self, partial: pl.DataFrame) -> Output:
        """Takes an aggregated batch and gives the changes that it brings, or lets it wait."""
        return self._take(0, partial)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        partial = self.prepare(batch)
        return EMPTY if partial is None else self.process_prepared(partial)

    def _process(self, operator: _KeyedOperator, port: int, batch: pl.DataFrame) -> Output:
        assert isinstance(operator, Aggregate | GroupAggregate)
        return operator.process_prepared(batch)

    def _joined(self, operator: _KeyedOperator, batches: pl.DataFrame) -> pl.DataFrame:
        assert isinstance(operator, Aggregate | GroupAggregate)
        return operator.combined(batches)


def by_key_group(operator: Operator, make: Callable[[], Operator], memory: StateMemory, clock: Clock) -> Operator:
    """Returns an operator by key group if its state falls apart by key, else as it is.

    Args:
        operator: The operator, without state.
        make: Makes another one like it.
        memory: What the job's state may take.
        clock: For how long rows wait.
    """
    if not isinstance(operator, Keyed) or not operator.state_keys:
        return operator
    kind = AggregateKeyGroups if isinstance(operator, Aggregate | GroupAggregate) else KeyGroups
    return kind(operator, make, memory, clock)  # type: ignore[arg-type]


def _together(outputs: Sequence[Output]) -> Output:
    batches = tuple(batch for output in outputs for batch in output.batches if batch.height)
    assert all(output.late is None for output in outputs)
    return Output(batches) if batches else EMPTY
