"""Key groups as frames: every group's frames one behind the other, and a frame that says which rows are whose.

So that a group is what it was when it is restored: groups learn of watermarks at different times. Rows that wait come
with the place of their group and the turn in which they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME, State
from yeoul.engine.operators.key_groups.group import KeyGroup

__all__ = ["Kept", "KeptGroup", "kept_in", "snapshot_of", "without_kept"]

_GROUPS, _TIMES, _WAITING = "key_groups", "key_groups_times", "key_groups_waiting"
_OWN = ("bits", "prefix", "due_ms", "wake_at_ms")
_AT, _TURN = "$group", "$turn"


@dataclass(frozen=True, slots=True)
class KeptGroup:
    """One group.

    Attributes:
        bits, prefix, due_ms, wake_at_ms: As in `KeyGroup`.
        rows: For each frame, its first row and how many there are.
    """

    bits: int
    prefix: int
    due_ms: int
    wake_at_ms: int | None
    rows: Mapping[str, tuple[int, int]]

    def cut_from(self, state: State) -> State:
        """Returns the group's frames."""
        return {name: state[name].slice(*rows) for name, rows in self.rows.items()}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a snapshot says besides the groups' frames.

    Attributes:
        told_ms: The newest watermark.
        passed_ms: The watermark of what was given.
        groups: All groups; one, if it was not divided.
        waiting: Rows that wait, in the order in which they came: the place of their group, their turn and port.
    """

    told_ms: int
    passed_ms: int
    groups: Sequence[KeptGroup]
    waiting: Sequence[tuple[int, int, int, pl.DataFrame]]


def snapshot_of(groups: Sequence[KeyGroup], told_ms: int, passed_ms: int) -> State:
    """Returns groups and what waits for them as frames."""
    parts: dict[str, list[pl.DataFrame]] = {}
    sizes: list[dict[str, int]] = []
    for group in groups:
        frames = group.frames()
        sizes.append({name: frame.height for name, frame in frames.items()})
        for name, frame in frames.items():
            parts.setdefault(name, []).append(frame)
    state = {name: frames[0] if len(frames) == 1 else pl.concat(frames) for name, frames in parts.items()}
    state[_TIMES] = pl.DataFrame({"told_ms": [told_ms], "passed_ms": [passed_ms]}, schema_overrides=_INTEGERS)
    if len(groups) > 1:
        own = [[getattr(group, name) for group in groups] for name in _OWN]
        counts = {name: [size.get(name) for size in sizes] for name in parts}
        columns = {**dict(zip(_OWN, own, strict=True)), **counts}
        state[_GROUPS] = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))
    return {**state, **_waiting_of(groups)}


_INTEGERS = {"told_ms": pl.Int64, "passed_ms": pl.Int64}


def _waiting_of(groups: Sequence[KeyGroup]) -> State:
    parts: dict[str, list[pl.DataFrame]] = {}
    for at, group in enumerate(groups):
        for turn, port, rows in group.waiting:
            marks = (pl.lit(at, dtype=pl.Int64).alias(_AT), pl.lit(turn, dtype=pl.Int64).alias(_TURN))
            parts.setdefault(f"{_WAITING}{port}", []).append(rows.with_columns(marks))
    return {name: pl.concat(rows) for name, rows in parts.items()}


def kept_in(state: State) -> Kept:
    """Returns what a snapshot says besides the groups' frames; one of an operator that is not divided says nothing."""
    told_ms, passed_ms = state[_TIMES].row(0) if _TIMES in state else (START_OF_TIME, START_OF_TIME)
    waiting = sorted(_waiting_in(state), key=lambda each: each[1])
    return Kept(told_ms, passed_ms, list(_groups_in(state)), waiting)


def without_kept(state: State) -> State:
    """Returns the groups' frames alone."""
    return {name: frame for name, frame in state.items() if not name.startswith(_GROUPS)}


def _groups_in(state: State) -> Iterator[KeptGroup]:
    if _GROUPS not in state:
        yield KeptGroup(0, 0, END_OF_TIME, None, {})
        return
    begins: dict[str, int] = {}
    for row in state[_GROUPS].iter_rows(named=True):
        rows = {}
        for name, count in row.items():
            if name not in _OWN and count is not None:
                begin = begins.get(name, 0)
                rows[name], begins[name] = (begin, count), begin + count
        yield KeptGroup(row["bits"], row["prefix"], row["due_ms"], row["wake_at_ms"], rows)


def _waiting_in(state: State) -> Iterator[tuple[int, int, int, pl.DataFrame]]:
    for name, frame in state.items():
        if name.startswith(_WAITING):
            port = int(name.removeprefix(_WAITING))
            for (at, turn), rows in frame.partition_by(_AT, _TURN, maintain_order=True, as_dict=True).items():
                yield int(at), int(turn), port, rows.drop(_AT, _TURN)
