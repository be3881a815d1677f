"""Aggregation without a window over input that need not end: each batch gives the groups that it changes.

Two phases: `prepare` aggregates a batch by key, on any thread; `process_prepared` finds the groups in keyed state,
merges, and gives for each group whose row differs -1 for what it was and +1 for what it is. A group of which all rows
were taken back is given as -1 and forgotten. What is given over a number of batches adds up to the same table however
they were cut; fewer, larger batches give fewer changes on the way.

With a time to live, a group that no row touched for that long is forgotten in silence, as Flink does: its last row
stands, and a later row of its key begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import Selection, without
from yeoul.engine.compile.aggregates import WAS, CompiledAggregate, settled_rows
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.changes.rows import differing
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.state.grouping import LANES, Grouping, lanes_of
from yeoul.engine.state.keyed import Found, KeyedState

__all__ = ["ROWS", "GroupAggregate"]

ROWS = "$rows"
"""The partial column that counts a group's rows."""
_AT = "$at"
_CHECKS_PER_TTL = 4


class GroupAggregate:
    """Aggregates rows by key, as changes.

    Args:
        keys: Output name and expression over the input; may be empty: one group.
        aggregates: The aggregates, each naming its output; compiled with the weight if the input has one.
        output: Output names, in order.
        retracts: Whether rows of the input may be taken back.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched group is kept; None: for ever.
        over_nothing: What is given at the end of the input if there is no group then; None: nothing.
    """

    def __init__(
        self,
        keys: Sequence[tuple[str, pl.Expr]],
        aggregates: Sequence[CompiledAggregate],
        output: Sequence[str],
        *,
        retracts: bool,
        clock: Clock,
        ttl_ms: int | None = None,
        over_nothing: pl.DataFrame | None = None,
    ) -> None:
        self._inner_keys = [f"$key{index}" for index in range(len(keys))]
        self._keys = [expression.alias(inner) for inner, (_, expression) in zip(self._inner_keys, keys, strict=True)]
        outer_keys = {name: pl.col(inner).alias(name) for inner, (name, _) in zip(self._inner_keys, keys, strict=True)}
        rows = pl.col(WEIGHT).sum() if retracts else pl.len().cast(pl.Int64)
        self._partial = [rows.alias(ROWS), *(expression for one in aggregates for expression in one.partial)]
        self._merge = [pl.col(ROWS).sum(), *(expression for one in aggregates for expression in one.merge)]
        self._grouping = Grouping(self._keys, self._partial)
        pairwise = [one.pairwise for one in aggregates]
        self._pairwise: Selection | None = None
        if None not in pairwise:
            added = (pl.col(ROWS + WAS) + pl.col(ROWS)).alias(ROWS)
            self._pairwise = Selection([added, *(one for each in pairwise if each is not None for one in each)])
        self._settling = [one for one in aggregates if one.bag is not None]
        finals = {**outer_keys, **{one.name: one.final for one in aggregates}}
        self._final = Selection([finals[name] for name in output])
        self._key_output = set(outer_keys)
        self._is_insert_only = not aggregates and not retracts
        self._clock, self._ttl_ms, self._next_check_ms = clock, ttl_ms, 0
        self._over_nothing = over_nothing
        self._state: KeyedState | None = None

    def prepare(self, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Aggregates a batch, None if it has no row; pure, callable from any thread."""
        if not batch.height:
            return None
        if self._keys:
            return self._settled(self._grouping.of(batch))
        return self._settled(batch.group_by(pl.lit(0).alias(_AT)).agg(self._partial).drop(_AT))

    def process_prepared(self, partial: pl.DataFrame) -> Output:
        """Takes an aggregated batch and gives the changes that it brings."""
        lanes = lanes_of(partial)
        partial = without(partial, LANES)
        if self._state is None:
            self._state = self._made(partial)
        state = self._state
        self._forget_untouched(state)
        found = state.upsert(partial, lanes)
        merged, old = self._merged(state, partial, found)
        lives = (merged[ROWS] > 0).to_numpy()
        state.write(found.slots, merged)
        if self._ttl_ms is not None:
            state.touch(found.slots, self._clock.now_ms())
        if not lives.all():
            state.remove(found.slots[~lives])
            state.give_back()
        return self._changes(old, merged, lives, found.is_new)

    def combined(self, partials: pl.DataFrame) -> pl.DataFrame:
        """Returns aggregated batches, one behind the other, as one aggregated batch."""
        return self._settled(Grouping([pl.col(name) for name in self._inner_keys], self._merge).of(partials))

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return 0 if self._state is None else self._state.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys, or if what is given depends on all groups."""
        return {"groups": self._inner_keys} if self._keys and self._over_nothing is None else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of an aggregated batch."""
        return batch.select(self._inner_keys)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        partial = self.prepare(batch)
        return EMPTY if partial is None else self.process_prepared(partial)

    def advance(self, watermark_ms: int) -> Output:
        if watermark_ms < END_OF_TIME or self._over_nothing is None or (self._state is not None and len(self._state)):
            return EMPTY
        return Output((self._over_nothing.with_columns(pl.lit(1, dtype=pl.Int64).alias(WEIGHT)),))

    def snapshot(self) -> State:
        return {} if self._state is None else {"groups": self._state.snapshot()}

    def restore(self, state: State) -> None:
        if "groups" in state:
            groups = state["groups"]
            self._state = self._made(groups.drop("$touched"))
            self._state.restore(groups)

    def _made(self, rows: pl.DataFrame) -> KeyedState:
        keys = {name: rows.schema[name] for name in self._inner_keys}
        return KeyedState(keys, {name: dtype for name, dtype in rows.schema.items() if name not in keys})

    def _merged(self, state: KeyedState, fresh: pl.DataFrame, found: Found) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Returns the groups' new partial columns and what they were, which is anything for new groups."""
        new, keys = found.is_new, [fresh[name] for name in self._inner_keys]
        if new.all():
            return fresh, fresh
        if self._pairwise is not None:
            old = state.read(found.slots)
            merged = self._pairwise.of(fresh.hstack(_named(old, WAS)))
            if new.any():
                is_new = pl.Series(new)
                merged = pl.DataFrame([fresh[name].zip_with(is_new, merged[name]) for name in merged.columns])
            return _beside(keys, merged), _beside(keys, old)
        known = np.flatnonzero(~new)
        there = state.read(found.slots[known])
        places = pl.Series(_AT, np.concatenate([known, np.arange(fresh.height)]))
        both = pl.concat([there, fresh.select(there.columns)]).with_columns(places)
        merged = both.group_by(_AT, maintain_order=True).agg(self._merge).sort(_AT).drop(_AT)
        where = np.zeros(fresh.height, np.uint32)
        where[known] = np.arange(len(known))
        return self._settled(_beside(keys, merged)), _beside(keys, there[where])

    def _settled(self, rows: pl.DataFrame) -> pl.DataFrame:
        return settled_rows(rows, self._settling) if self._settling else rows

    def _changes(
        self, old: pl.DataFrame, merged: pl.DataFrame, lives: NDArray[np.bool_], is_new: NDArray[np.bool_]
    ) -> Output:
        """Returns, for each group that differs, what it was and right behind what it is."""
        after = self._final.of(merged)
        if self._is_insert_only:
            new = after.filter(pl.Series(is_new))
            return Output((new,)) if new.height else EMPTY
        before = self._final.of(old)
        differs = is_new | differing(before, after, [name for name in after.columns if name not in self._key_output])
        given = np.empty(2 * after.height, np.bool_)
        given[0::2] = ~is_new & (differs | ~lives)
        given[1::2] = lives & differs
        turns = np.flatnonzero(given)
        if not len(turns):
            return EMPTY
        rows, is_after = turns >> 1, turns & 1
        of_keys = pl.Series(rows.astype(np.uint32))
        of_values = pl.Series((rows + is_after * after.height).astype(np.uint32))
        values = [name for name in after.columns if name not in self._key_output]
        both = (pl.concat([before[name], after[name]], rechunk=True) for name in values)
        taken = dict(zip(values, _taken(both, of_values), strict=True))
        keys = [name for name in after.columns if name in self._key_output]
        taken |= zip(keys, _taken((after[name] for name in keys), of_keys), strict=True)
        columns = [taken[name] for name in after.columns]
        weights = pl.Series(WEIGHT, is_after * 2 - 1)
        return Output((pl.DataFrame([*columns, weights]),))

    def _forget_untouched(self, state: KeyedState) -> None:
        if self._ttl_ms is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + max(1, self._ttl_ms // _CHECKS_PER_TTL)
            state.remove(state.untouched_since(now_ms - self._ttl_ms))


def _taken(columns: Iterable[pl.Series], rows: pl.Series) -> list[pl.Series]:
    """Returns the rows of some columns; the query engine, which `Series.gather` asks, has no part in it."""
    frame = pl.DataFrame(columns)
    return frame[rows].get_columns() if frame.width else []


def _named(rows: pl.DataFrame, ending: str) -> list[pl.Series]:
    return [column.alias(column.name + ending) for column in rows.get_columns()]


def _beside(keys: Sequence[pl.Series], values: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame([*keys, *values.get_columns()])
