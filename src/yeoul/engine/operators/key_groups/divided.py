"""All key groups of an operator: which one a row belongs to, what waits, and when it is taken in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, LateRows, Output, State, Timed
from yeoul.engine.operators.key_groups.contract import KeyedOperator, Timely
from yeoul.engine.operators.key_groups.group import KeyGroup
from yeoul.engine.operators.key_groups.snapshots import Kept, kept_in, snapshot_of, without_kept
from yeoul.engine.operators.rows.relabel import RESERVED
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.grouping import lanes_of
from yeoul.engine.state.keyed import key_lanes
from yeoul.engine.state.memory import StateMemory

__all__ = ["KeyGroups"]

_SPLIT_BITS = 3
_MOST_BITS = 15
_LEAST_WAIT_MS = 250
_WAITS_PER_ROUND = 2
_IN_MEMORY = 2
"""How many times its frames' bytes state takes in memory, about."""


class KeyGroups:
    """An operator by key group.

    Args:
        pattern: The operator, without state: what it says of keys and times holds for every group.
        make: Makes another one like it.
        memory: What the job's state may take.
        clock: For how long rows wait.

    Attributes:
        pattern: As given.
        passed_ms: The watermark of what is given: what still waits may not be after a later one.
    """

    def __init__(
        self, pattern: KeyedOperator, make: Callable[[], KeyedOperator], memory: StateMemory, clock: Clock
    ) -> None:
        self.pattern, self._make, self._memory, self._clock = pattern, make, memory, clock
        self._state_keys = pattern.state_keys
        self._timely = pattern if isinstance(pattern, Timely) else None
        self._is_timed = isinstance(pattern, Timed)
        self._told_ms = self.passed_ms = START_OF_TIME
        self._turn = self._waiting_bytes = 0
        self._wait_ms = _LEAST_WAIT_MS
        self._round_at_ms: int | None = None
        whole = KeyGroup(0, 0, make, memory)
        whole.operator = make()
        self._set_groups([whole])

    @property
    def size_bytes(self) -> int:
        """What is in memory: state and the rows that wait for it."""
        held = sum(group.size_bytes for group in self._groups if group.operator is not None)
        return held + self._waiting_bytes

    @property
    def spilled_bytes(self) -> int:
        """What lies on disk."""
        return sum(group.spilled_bytes for group in self._groups)

    @property
    def due_ms(self) -> int | None:
        """The least watermark to be told of; None: there is nothing to give, or a round is set already."""
        due_ms = END_OF_TIME if self.holds else min(group.due_ms for group in self._groups)
        return None if due_ms == END_OF_TIME else due_ms

    @property
    def holds(self) -> bool:
        """Whether rows or watermarks wait."""
        return self._round_at_ms is not None

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        whole = self._whole
        if whole is None:
            return self._let_wait(port, self._stamped(batch))
        return self._straight(whole, self._process(whole, port, batch))

    def advance(self, watermark_ms: int) -> Output:
        self._told_ms = watermark_ms
        whole = self._whole
        if whole is not None:
            self.passed_ms = watermark_ms
            return self._straight(whole, whole.advance(watermark_ms))
        if watermark_ms == END_OF_TIME or self._is_full:
            return self._take_in()
        if self._waiting_bytes or watermark_ms >= min(group.due_ms for group in self._groups):
            self._set_round()
        else:
            self.passed_ms = watermark_ms
        return EMPTY

    @property
    def wake_at_ms(self) -> int | None:
        """When the next round is, or a group is to be woken by the clock; None: not until something else happened."""
        times = [self._round_at_ms, *(group.wake_at_ms for group in self._groups)] if self._is_timed else []
        return min((time for time in times if time is not None), default=None) if times else self._round_at_ms

    def wake(self, now_ms: int) -> Output:
        """Takes in what has waited long enough, and wakes the groups whose time has come."""
        outputs = []
        if self._round_at_ms is not None and now_ms >= self._round_at_ms:
            outputs.append(self._take_in())
        for group in _in_memory_first(self._groups):
            if group.wake_at_ms is not None and group.wake_at_ms <= now_ms:
                operator = group.loaded()
                assert isinstance(operator, Timed)
                outputs.append(operator.wake(now_ms))
                self._used(group)
        return _together(outputs)

    def end_round(self) -> Output:
        """Takes in what waits, however long."""
        return self._take_in() if self.holds else EMPTY

    def snapshot(self) -> State:
        return snapshot_of(self._groups, self._told_ms, self.passed_ms)

    def restore(self, state: State) -> None:
        kept = kept_in(state)
        self._told_ms, self.passed_ms = kept.told_ms, kept.passed_ms
        if len(kept.groups) == 1:
            self._restore_whole(without_kept(state))
        else:
            self._restore_groups(state, kept)
        for at, turn, port, rows in kept.waiting:
            self._groups[at].waiting.append((turn, port, rows))
            self._turn = max(self._turn, turn)
            self._count_waiting(rows)
        if self._waiting_bytes or self._told_ms > self.passed_ms:
            self._set_round()

    # --- rows that go straight through

    @property
    def _whole(self) -> KeyedOperator | None:
        """The operator, while it is not divided, in memory, and nothing waits."""
        return self._groups[0].operator if len(self._groups) == 1 and not self._waiting_bytes else None

    def _straight(self, whole: KeyedOperator, output: Output) -> Output:
        self._groups[0].used()
        self._memory.make_room()
        self._divide_large()
        return output

    def _process(self, operator: KeyedOperator, port: int, batch: pl.DataFrame) -> Output:
        return operator.process(port, batch)

    def _keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        return self.pattern.keys_of(port, batch)

    # --- rows that wait

    def _stamped(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns rows with what they are judged by, and alike in their columns."""
        marks = {WATERMARK: pl.lit(self._told_ms, dtype=pl.Int64), ROW: pl.lit(None, pl.UInt32)}
        stamped = batch.with_columns(value.alias(name) for name, value in marks.items() if name not in batch.columns)
        weight = [WEIGHT] if WEIGHT in batch.columns else []
        return stamped.select(pl.exclude(RESERVED), *weight, *marks)

    def _let_wait(self, port: int, batch: pl.DataFrame) -> Output:
        """Lets rows wait; rows that may be late are taken in at once, with what waits for their groups."""
        late = None if self._timely is None else self._timely.may_be_late(port, batch)
        hurries = late is not None and bool(late.any())
        groups = self._wait(port, batch if hurries else _without_numbers(batch))
        if self._is_full:
            return self._take_in()
        if late is None or not hurries:
            return EMPTY
        return self._take_in_early([self._groups[at] for at in np.unique(groups[late.to_numpy()])])

    def _wait(self, port: int, batch: pl.DataFrame) -> NDArray[np.uint16]:
        """Lets rows wait for their groups, which stay as they are while any row waits; returns each row's group."""
        groups = self._groups_of(lanes_of(batch) or key_lanes(self._keys_of(port, batch)))
        kept = compacted(batch[np.argsort(groups, kind="stable").astype(np.uint32)])
        counts = np.bincount(groups, minlength=len(self._groups))
        begins = np.cumsum(counts) - counts
        self._turn += 1
        for at in np.flatnonzero(counts):
            self._groups[at].waiting.append((self._turn, port, kept.slice(begins[at], counts[at])))
        self._count_waiting(kept)
        self._set_round()
        return groups

    def _count_waiting(self, rows: pl.DataFrame) -> None:
        size_bytes = max(1, int(rows.estimated_size()))
        self._waiting_bytes += size_bytes
        self._memory.waiting_bytes += size_bytes

    def _set_round(self) -> None:
        if self._round_at_ms is None:
            self._round_at_ms = self._clock.now_ms() + self._wait_ms

    @property
    def _is_full(self) -> bool:
        """Whether no more may wait."""
        return self._waiting_bytes >= self._memory.most_waiting_bytes

    def _take_in(self) -> Output:
        """Holds a round: gives the rows that wait to their groups, and the watermark to those that it moves."""
        began_s, told_ms = self._clock.monotonic_s(), self._told_ms
        taken, moved = [], []
        for group in _in_memory_first(self._groups):
            if group.waiting or group.due_ms <= told_ms:
                taken += self._drained(group)
                if told_ms > START_OF_TIME:
                    moved.append(group.loaded().advance(told_ms))
                self._used(group)
        self._memory.waiting_bytes -= self._waiting_bytes
        self._waiting_bytes, self._round_at_ms, self.passed_ms = 0, None, told_ms
        self._memory.make_room()
        self._divide_large()
        self._wait_ms = max(_LEAST_WAIT_MS, int(_WAITS_PER_ROUND * 1_000 * (self._clock.monotonic_s() - began_s)))
        return _together([*taken, *moved])

    def _take_in_early(self, groups: Iterable[KeyGroup]) -> Output:
        """Gives some groups the rows that wait for them, without a watermark."""
        outputs = []
        for group in _in_memory_first(groups):
            outputs += self._drained(group)
            self._used(group)
        return _together(outputs)

    def _drained(self, group: KeyGroup) -> list[Output]:
        operator = group.loaded()
        waiting = group.drained(in_order=self._timely is not None)
        return [self._process(operator, port, rows) for port, rows in waiting]

    def _used(self, group: KeyGroup) -> None:
        group.used()
        self._memory.make_room(keep=group)

    # --- groups

    def _set_groups(self, groups: list[KeyGroup]) -> None:
        self._groups = sorted(groups, key=lambda group: group.prefix << (_MOST_BITS - group.bits))
        self._firsts = np.array([group.prefix << (_MOST_BITS - group.bits) for group in self._groups], np.uint16)

    def _groups_of(self, lanes: tuple[NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.uint16]:
        tops = (lanes[1].view(np.uint64) >> np.uint64(64 - _MOST_BITS)).astype(np.uint16)
        return (np.searchsorted(self._firsts, tops, side="right") - 1).astype(np.uint16)

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

    def _divided(self, group: KeyGroup) -> list[KeyGroup]:
        """Returns a group that lies on disk as eight."""
        frames, bits, count = group.frames(), group.bits + _SPLIT_BITS, 1 << _SPLIT_BITS
        parts = [KeyGroup(bits, (group.prefix << _SPLIT_BITS) + at, self._make, self._memory) for at in range(count)]
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
            part.due_ms, part.wake_at_ms = group.due_ms, group.wake_at_ms
        group.forget()
        return parts

    def _restore_whole(self, state: State) -> None:
        whole = self._groups[0]
        size_bytes = sum(int(frame.estimated_size()) for frame in state.values())
        if _IN_MEMORY * size_bytes <= self._memory.limit_bytes:
            whole.loaded().restore(state)
            whole.used()
        else:
            whole.operator = None
            whole.spill(state, _IN_MEMORY * size_bytes)
            # What it waits for is not known until it is loaded.
            whole.due_ms = START_OF_TIME
            self._memory.spilled = True
        self._divide_large()

    def _restore_groups(self, state: State, kept: Kept) -> None:
        self._memory.spilled = True
        groups = []
        for one in kept.groups:
            group = KeyGroup(one.bits, one.prefix, self._make, self._memory)
            own = one.cut_from(state)
            group.spill(own, _IN_MEMORY * sum(int(frame.estimated_size()) for frame in own.values()))
            group.due_ms, group.wake_at_ms = one.due_ms, one.wake_at_ms
            groups.append(group)
        self._set_groups(groups)


def _without_numbers(batch: pl.DataFrame) -> pl.DataFrame:
    """Returns rows without their numbers in a source's batch, which mean nothing in a later round."""
    return batch.with_columns(pl.lit(None, pl.UInt32).alias(ROW)) if ROW in batch.columns else batch


def _in_memory_first(groups: Iterable[KeyGroup]) -> list[KeyGroup]:
    return sorted(groups, key=lambda group: group.operator is None)


def _in_order(given: Sequence[Sequence[pl.DataFrame]]) -> list[pl.DataFrame]:
    """Returns all rows in the order of `$watermark`; changes that were given apart stay apart."""
    rows = pl.concat([batch for some in given for batch in some])
    if WEIGHT not in rows.columns:
        return [rows.sort(WATERMARK, maintain_order=True)]
    begins = [np.arange(batch.height) < (place > 0) for some in given for place, batch in enumerate(some)]
    order = np.argsort(rows[WATERMARK].to_numpy(), kind="stable")
    cuts = np.flatnonzero(np.concatenate(begins)[order])
    rows = rows[order]
    return [rows[begin:end] for begin, end in pairwise([0, *cuts.tolist(), rows.height]) if end > begin]


def _together(outputs: Sequence[Output]) -> Output:
    """Returns what several groups gave; rows with `$watermark` in its order, as the rows came that brought them."""
    given = [[batch for batch in output.batches if batch.height] for output in outputs]
    batches = [batch for some in given for batch in some]
    judged = [[batch for batch in some if WATERMARK in batch.columns] for some in given]
    if sum(map(len, judged)) > 1:
        others = [batch for batch in batches if WATERMARK not in batch.columns]
        batches = [*_in_order(judged), *others]
    late = [output.late.frame for output in outputs if output.late is not None]
    if not batches and not late:
        return EMPTY
    return Output(tuple(batches), LateRows(pl.concat(late)) if late else None)
