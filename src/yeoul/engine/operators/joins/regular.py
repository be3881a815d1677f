"""The regular join: rows of two inputs that belong together, as both change.

Each side's rows are kept by key; a row that comes finds its partners on the other side and goes out with each of them,
+1 or -1 as it came. For kinds that also give rows without a partner, each such row's number of partners is noted beside
it: where it leaves zero, the row with NULLs is taken back; where it comes to zero, it is given (for SEMI and ANTI: the
row itself). A key with a NULL in it has no partner and needs no state.

What a batch gives adds up to the same table however the inputs were cut and whichever side came first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, Output, State
from yeoul.engine.operators.joins.sides import JoinSides
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.rows import KeyedRows
from yeoul.plan.nodes import JoinKind

__all__ = ["Join"]

_PARTNERS = "$partners"
_CHECKS_PER_TTL = 4


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows that belong together: for each pair, the place of the row that came, the slot of its partner, how often."""

    places: NDArray[np.int64]
    slots: Slots
    counts: NDArray[np.int64]


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
        self._clock, self._ttls_ms, self._next_check_ms = clock, ttls_ms, 0
        alone = not sides.kind.gives_right
        self._notes = (sides.kind.keeps_left or alone, sides.kind.keeps_right)
        self._key_names = sides.key_names
        self._rows: list[KeyedRows | None] = [None, None]

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forget_untouched()
        keyed = self._sides.keyed(port, batch)
        height = keyed.height
        weights = batch[WEIGHT] if WEIGHT in batch.columns else pl.repeat(1, height, dtype=pl.Int64, eager=True)
        has_key = pl.Series(np.ones(height, np.bool_))
        for name in self._key_names:
            has_key &= keyed[name].is_not_null()
        given = [] if has_key.all() else self._without_key(port, keyed.filter(~has_key), weights.filter(~has_key))
        rows, signs = keyed.filter(has_key), weights.filter(has_key).to_numpy()
        if rows.height:
            given += self._joined(port, rows, signs)
        given = [frame for frame in given if frame.height]
        if not given:
            return EMPTY
        joined = pl.concat(given)
        return Output((joined if self._weighted else joined.drop(WEIGHT),))

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        names = ("left", "right")
        return {name: rows.snapshot() for name, rows in zip(names, self._rows, strict=True) if rows is not None}

    def restore(self, state: State) -> None:
        for port, name in enumerate(("left", "right")):
            if name in state:
                rows = state[name]
                self._rows[port] = self._made(port, rows)
                self._rows_of(port).restore(rows)

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

    def _joined(self, port: int, rows: pl.DataFrame, signs: NDArray[np.int64]) -> list[pl.DataFrame]:
        pairs = self._pairs(port, rows)
        partners = np.bincount(pairs.places, pairs.counts, rows.height).astype(np.int64)
        before, after = self._changed_partners(port, pairs, signs)
        given = [*before]
        if self._kind.gives_right:
            given.append(self._together(port, rows, signs, pairs))
            if self._sides.keeps(port):
                alone = partners == 0
                given.append(self._alone(port, rows.filter(pl.Series(alone)), signs[alone]))
        elif port == 0:
            wanted = (partners > 0) == (self._kind is JoinKind.SEMI)
            given.append(_weighted(rows.filter(pl.Series(wanted)).select(list(self._sides.output)), signs[wanted]))
        given += after
        self._remember(port, rows, signs, partners)
        return given

    def _pairs(self, port: int, rows: pl.DataFrame) -> _Pairs:
        other = self._rows[1 - port]
        if other is None:
            none = np.empty(0, np.int64)
            return _Pairs(none, none, none)
        found = other.find(rows)
        pairs = _Pairs(found.places, found.slots, other.counts(found.slots))
        if self._sides.condition is None or not len(pairs.places):
            return pairs
        holding = self._sides.holding(self._sides.together(port, rows[pairs.places], other.read(pairs.slots)))
        assert holding is not None
        holds = holding.to_numpy()
        return _Pairs(pairs.places[holds], pairs.slots[holds], pairs.counts[holds])

    def _together(self, port: int, rows: pl.DataFrame, signs: NDArray[np.int64], pairs: _Pairs) -> pl.DataFrame:
        places, slots = np.repeat(pairs.places, pairs.counts), np.repeat(pairs.slots, pairs.counts)
        other = self._rows[1 - port]
        if other is None:
            return self._alone(port, rows.clear(), signs[:0])
        both = self._sides.together(port, rows[places], other.read(slots))
        return _weighted(both.select(list(self._sides.output)), signs[places])

    def _alone(self, port: int, rows: pl.DataFrame, signs: NDArray[np.int64]) -> pl.DataFrame:
        """Rows with NULLs for the other side's columns."""
        return _weighted(self._sides.alone(port, rows), signs)

    def _changed_partners(
        self, port: int, pairs: _Pairs, signs: NDArray[np.int64]
    ) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
        """Notes the other side's new numbers of partners; returns what to give before and after the pairs for it."""
        if not self._notes[1 - port] or not len(pairs.slots):
            return [], []
        other = self._rows_of(1 - port)
        slots, inverse = np.unique(pairs.slots, return_inverse=True)
        change = np.bincount(inverse, signs[pairs.places], len(slots)).astype(np.int64)
        had = other.read_note(_PARTNERS, slots).to_numpy()
        has = had + change
        other.write_note(_PARTNERS, slots, pl.Series(has))
        found, lost = slots[(had == 0) & (has > 0)], slots[(had > 0) & (has == 0)]
        if self._kind is JoinKind.SEMI:
            return [self._again(1 - port, lost, -1)], [self._again(1 - port, found, 1)]
        return [self._again(1 - port, found, -1)], [self._again(1 - port, lost, 1)]

    def _again(self, port: int, slots: Slots, sign: int) -> pl.DataFrame:
        """Rows that are kept, as they stand without a partner (SEMI: with one)."""
        kept = self._rows_of(port)
        slots = np.repeat(slots, kept.counts(slots))
        rows, signs = kept.read(slots), np.full(len(slots), sign, np.int64)
        if self._kind.gives_right:
            return self._alone(port, rows, signs)
        return _weighted(rows.select(list(self._sides.output)), signs)

    def _without_key(self, port: int, rows: pl.DataFrame, weights: pl.Series) -> list[pl.DataFrame]:
        """Rows whose key is NULL: never with a partner."""
        if self._kind.gives_right:
            return [self._alone(port, rows, weights.to_numpy())] if self._sides.keeps(port) else []
        if port == 0 and self._kind is JoinKind.ANTI:
            return [_weighted(rows.select(list(self._sides.output)), weights.to_numpy())]
        return []

    def _remember(self, port: int, rows: pl.DataFrame, signs: NDArray[np.int64], partners: NDArray[np.int64]) -> None:
        if self._rows[port] is None:
            self._rows[port] = self._made(port, rows)
        kept = self._rows_of(port)
        notes = pl.DataFrame({_PARTNERS: partners}) if self._notes[port] else None
        slots = kept.add(rows, signs, notes)
        if self._ttls_ms[port] is not None:
            kept.touch(np.unique(slots), self._clock.now_ms())
        if (signs < 0).any():
            kept.remove_gone(slots)

    def _made(self, port: int, rows: pl.DataFrame) -> KeyedRows:
        columns = {name: rows.schema[name] for name in (*self._sides[port].columns, *self._key_names)}
        return KeyedRows(columns, self._key_names, {_PARTNERS: pl.Int64()} if self._notes[port] else None)

    def _rows_of(self, port: int) -> KeyedRows:
        rows = self._rows[port]
        assert rows is not None
        return rows

    def _forget_untouched(self) -> None:
        shortest_ms = min((ttl_ms for ttl_ms in self._ttls_ms if ttl_ms is not None), default=None)
        if shortest_ms is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + max(1, shortest_ms // _CHECKS_PER_TTL)
            for rows, ttl_ms in zip(self._rows, self._ttls_ms, strict=True):
                if rows is not None and ttl_ms is not None:
                    rows.remove(rows.untouched_since(now_ms - ttl_ms))


def _weighted(rows: pl.DataFrame, signs: NDArray[np.int64]) -> pl.DataFrame:
    return rows.with_columns(pl.Series(WEIGHT, signs, dtype=pl.Int64))
