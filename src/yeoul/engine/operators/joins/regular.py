"""The regular join: rows of two inputs that belong together, as both change.

Each side's rows are kept by key, as its `SideState` says; a row that comes finds its partners on the other side and
goes out with each of them, +1 or -1 as it came. For kinds that also give rows without a partner, each such row's number
of partners is noted beside it: where it leaves zero, the row with NULLs is taken back; where it comes to zero, it is
given (for SEMI and ANTI: the row itself). A key with a NULL in it has no partner and needs no state, unless NULLs meet.

What a batch gives adds up to the same table however the inputs were cut and whichever side came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import concatenated, taken, where
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.joins.sides import JoinSides
from yeoul.engine.state.columns import Slots, numbered
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import lanes_by
from yeoul.engine.state.rows import KeyedRows
from yeoul.engine.state.standing_rows import StandingRows
from yeoul.engine.state.unique_rows import UniqueRows
from yeoul.plan.join_state import RowsKept
from yeoul.plan.nodes import JoinKind

__all__ = ["Join"]

_PARTNERS = "$partners"
_NONE = np.empty(0, np.int64)


_Rows = StandingRows | UniqueRows | KeyedRows


@dataclass(frozen=True, slots=True)
class _Arrived:
    """Rows that came and have a key, with their weights and the fingerprints of their keys."""

    rows: pl.DataFrame
    signs: NDArray[np.int64]
    lanes: Lanes


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows that belong together.

    Attributes:
        places: For each pair, the place of the row that came.
        slots: The slot of its partner.
        both: Both rows beside each other; None if nobody asked for them.
    """

    places: NDArray[np.int64]
    slots: Slots
    both: pl.DataFrame | None


class Join:
    """Joins two inputs: port 0 is the left, port 1 the right.

    Args:
        sides: The inputs and what is given.
        weighted: Whether what comes out can be taken back.
        clock: The time, for the time to live.
        ttls_ms: How long an untouched row of each side is kept; None: for ever.
    """

    def __init__(
        self,
        sides: JoinSides,
        *,
        weighted: bool,
        clock: Clock,
        ttls_ms: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._sides, self._kind, self._weighted = sides, sides.kind, weighted
        self._forgettings = [Forgetting(clock, ttl_ms) for ttl_ms in ttls_ms]
        alone = not sides.kind.gives_right
        self._notes = (sides.kind.keeps_left or alone, sides.kind.keeps_right)
        self._key_names = sides.key_names
        self._rows: list[_Rows | None] = [None, None]

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        for kept, forgetting in zip(self._rows, self._forgettings, strict=True):
            if kept is not None:
                forgetting.forget(kept)
        rows = self._sides.keyed(port, batch)
        signs = batch[WEIGHT].to_numpy() if WEIGHT in batch.columns else np.ones(rows.height, np.int64)
        given = []
        has_key = self._sides.has_key(rows)
        if has_key is not None:
            given += self._without_key(port, where(rows, ~has_key), signs[~has_key.to_numpy()])
            rows, signs = where(rows, has_key), signs[has_key.to_numpy()]
        if rows.height:
            given += self._joined(port, _Arrived(rows, signs, lanes_by(rows, self._key_names)))
        given = [frame for frame in given if frame.height]
        return Output((concatenated(given),)) if given else EMPTY

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        names = ("left", "right")
        return {name: rows.snapshot() for name, rows in zip(names, self._rows, strict=True) if rows is not None}

    def restore(self, state: State) -> None:
        for port, name in enumerate(("left", "right")):
            if name not in state:
                continue
            kept = self._made(port, state[name])
            if kept.restore(state[name]) is False:
                kept = self._counted(port, state[name])
                kept.restore(state[name])
            self._rows[port] = kept

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return sum(rows.size_bytes for rows in self._rows if rows is not None)

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {"left": self._key_names, "right": self._key_names} if self._key_names else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of an input's rows."""
        return self._sides.keyed(port, batch).select(self._key_names)

    def _joined(self, port: int, arrived: _Arrived) -> list[pl.DataFrame]:
        rows, signs = arrived.rows, arrived.signs
        pairs = self._pairs(port, arrived)
        partners = np.bincount(pairs.places, minlength=rows.height)
        before, after = self._changed_partners(port, pairs, signs)
        given = [*before]
        if self._kind.gives_right:
            if pairs.both is not None:
                given.append(self._weighed(pairs.both[list(self._sides.output)], signs[pairs.places]))
            if self._sides.keeps(port):
                alone = partners == 0
                given.append(self._alone(port, where(rows, alone), signs[alone]))
        elif port == 0:
            wanted = (partners > 0) == (self._kind is JoinKind.SEMI)
            given.append(self._itself(where(rows, wanted), signs[wanted]))
        given += after
        self._remember(port, arrived, partners)
        return given

    def _pairs(self, port: int, arrived: _Arrived) -> _Pairs:
        """Finds partners; one of which there are several equal ones stands as often."""
        other = self._rows[1 - port]
        if other is None:
            return _Pairs(_NONE, _NONE, None)
        found = other.find(arrived.rows, arrived.lanes)
        places, slots = found.places, found.slots
        if isinstance(other, KeyedRows):
            counts = other.counts(slots)
            if (counts != 1).any():
                places, slots = np.repeat(places, counts), np.repeat(slots, counts)
        if not len(places) or not (self._kind.gives_right or self._sides.condition is not None):
            return _Pairs(places, slots, None)
        both = self._sides.together(port, taken(arrived.rows, places), other.read(slots))
        holding = self._sides.holding(both)
        if holding is None or holding.all():
            return _Pairs(places, slots, both)
        holds = holding.to_numpy()
        return _Pairs(places[holds], slots[holds], where(both, holding))

    def _alone(self, port: int, rows: pl.DataFrame, signs: NDArray[np.int64]) -> pl.DataFrame:
        """Rows with NULLs for the other side's columns."""
        return self._weighed(self._sides.alone(port, rows), signs)

    def _itself(self, rows: pl.DataFrame, signs: NDArray[np.int64]) -> pl.DataFrame:
        return self._weighed(rows[list(self._sides.output)], signs)

    def _weighed(self, rows: pl.DataFrame, signs: NDArray[np.int64]) -> pl.DataFrame:
        return rows.hstack([pl.Series(WEIGHT, signs)]) if self._weighted else rows

    def _changed_partners(
        self, port: int, pairs: _Pairs, signs: NDArray[np.int64]
    ) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
        """Notes the other side's new numbers of partners; returns what to give before and after the pairs for it."""
        if not self._notes[1 - port] or not len(pairs.slots):
            return [], []
        other = self._rows_of(1 - port)
        slots, inverse = numbered(pairs.slots)
        change = np.bincount(inverse, signs[pairs.places], len(slots)).astype(np.int64)
        if isinstance(other, KeyedRows):
            # Of equal rows each has met the same partners.
            change //= np.maximum(other.counts(slots), 1)
        had = other.read_note(_PARTNERS, slots).to_numpy()
        has = had + change
        other.write_note(_PARTNERS, slots, pl.Series(has))
        self._forgettings[1 - port].touch(other, slots)
        found, lost = slots[(had == 0) & (has > 0)], slots[(had > 0) & (has == 0)]
        if self._kind is JoinKind.SEMI:
            return [self._again(1 - port, lost, -1)], [self._again(1 - port, found, 1)]
        return [self._again(1 - port, found, -1)], [self._again(1 - port, lost, 1)]

    def _again(self, port: int, slots: Slots, sign: int) -> pl.DataFrame:
        """Rows that are kept, as they stand without a partner (SEMI: with one)."""
        kept = self._rows_of(port)
        if isinstance(kept, KeyedRows):
            slots = np.repeat(slots, kept.counts(slots))
        rows, signs = kept.read(slots), np.full(len(slots), sign, np.int64)
        return self._alone(port, rows, signs) if self._kind.gives_right else self._itself(rows, signs)

    def _without_key(self, port: int, rows: pl.DataFrame, signs: NDArray[np.int64]) -> list[pl.DataFrame]:
        """Rows whose key is NULL, which equals nothing: never with a partner."""
        if self._kind.gives_right:
            return [self._alone(port, rows, signs)] if self._sides.keeps(port) else []
        return [self._itself(rows, signs)] if port == 0 and self._kind is JoinKind.ANTI else []

    def _remember(self, port: int, arrived: _Arrived, partners: NDArray[np.int64]) -> None:
        kept = self._rows[port]
        if kept is None:
            kept = self._rows[port] = self._made(port, arrived.rows)
        notes = pl.DataFrame({_PARTNERS: partners}) if self._notes[port] else None
        slots = self._added(kept, arrived, notes)
        if slots is None:
            # The input is not what the plan says of it: from now on equal rows are counted.
            counted = self._rows[port] = self._counted(port, arrived.rows)
            counted.restore(kept.snapshot())
            slots = self._added(kept := counted, arrived, notes)
        assert slots is not None
        self._forgettings[port].touch(kept, slots)
        if isinstance(kept, KeyedRows) and (arrived.signs < 0).any():
            kept.remove_gone(slots)

    def _added(self, kept: _Rows, arrived: _Arrived, notes: pl.DataFrame | None) -> Slots | None:
        match kept:
            case StandingRows():
                return kept.add(arrived.rows, notes, arrived.lanes)
            case UniqueRows():
                return kept.apply(arrived.rows, arrived.signs, notes)
            case KeyedRows():
                return kept.add(arrived.rows, arrived.signs, notes)

    def _made(self, port: int, rows: pl.DataFrame) -> _Rows:
        side = self._sides[port]
        keys = {name: rows.schema[name] for name in self._key_names}
        columns = {name: rows.schema[name] for name in side.columns}
        match side.state.kept:
            case RowsKept.STANDING:
                return StandingRows(columns, keys, self._noted(port))
            case RowsKept.COUNTED:
                return self._counted(port, rows)
            case _:
                return UniqueRows({**columns, **keys}, self._key_names, side.state.unique, self._noted(port))

    def _counted(self, port: int, rows: pl.DataFrame) -> KeyedRows:
        columns = {name: rows.schema[name] for name in (*self._sides[port].columns, *self._key_names)}
        return KeyedRows(columns, self._key_names, self._noted(port))

    def _noted(self, port: int) -> dict[str, pl.DataType]:
        return {_PARTNERS: pl.Int64()} if self._notes[port] else {}

    def _rows_of(self, port: int) -> _Rows:
        rows = self._rows[port]
        assert rows is not None
        return rows
