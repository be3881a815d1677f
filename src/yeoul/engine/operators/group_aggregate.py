"""Aggregation without a window over input that need not end: each batch gives the groups that it changes.

Two phases: `prepare` aggregates a batch by key, on any thread; `process_prepared` finds the groups in keyed state,
merges, and gives for each group whose row differs -1 for what it was and +1 for what it is. A group of which all rows
were taken back is given as -1 and forgotten. What is given over a number of batches adds up to the same table however
they were cut; fewer, larger batches give fewer changes on the way.

With a time to live, a group that no row touched for that long is forgotten in silence, as Flink does: its last row
stands, and a later row of its key begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.compile.aggregates import WAS, CompiledAggregate, settled_rows
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.state.keyed import KeyedState

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
        pairwise = [one.pairwise for one in aggregates]
        self._pairwise: list[pl.Expr] | None = None
        if None not in pairwise:
            added = (pl.col(ROWS + WAS) + pl.col(ROWS)).alias(ROWS)
            self._pairwise = [added, *(expression for one in pairwise if one is not None for expression in one)]
        self._settling = [one for one in aggregates if one.bag is not None]
        finals = {**outer_keys, **{one.name: one.final for one in aggregates}}
        self._final = [finals[name] for name in output]
        self._is_insert_only = not aggregates and not retracts
        self._clock, self._ttl_ms, self._next_check_ms = clock, ttl_ms, 0
        self._over_nothing = over_nothing
        self._state: KeyedState | None = None

    def prepare(self, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Aggregates a batch, None if it has no row; pure, callable from any thread."""
        if not batch.height:
            return None
        if self._keys:
            partial = batch.group_by(self._keys, maintain_order=True).agg(self._partial)
        else:
            partial = batch.group_by(pl.lit(0).alias(_AT)).agg(self._partial).drop(_AT)
        return self._settled(partial)

    def process_prepared(self, partial: pl.DataFrame) -> Output:
        """Takes an aggregated batch and gives the changes that it brings."""
        if self._state is None:
            self._state = self._made(partial)
        state = self._state
        self._forget_untouched(state)
        found = state.upsert(partial)
        slots, fresh = found.slots, partial
        known = len(slots) - int(found.is_new.sum())
        if 0 < known < len(slots):
            order = np.concatenate([np.flatnonzero(~found.is_new), np.flatnonzero(found.is_new)])
            slots, fresh = slots[order], partial[order]
        old = fresh.head(known).with_columns(state.read(slots[:known]))
        merged = self._merged(old, fresh, known)
        lives = (merged[ROWS] > 0).to_numpy()
        state.write(slots, merged)
        if self._ttl_ms is not None:
            state.touch(slots, self._clock.now_ms())
        if not lives.all():
            state.remove(slots[~lives])
        return self._changes(old, merged, lives, known)

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

    def _merged(self, old: pl.DataFrame, fresh: pl.DataFrame, known: int) -> pl.DataFrame:
        """Returns the groups' new partial columns, in the order of `fresh`, whose first `known` groups are `old`."""
        if not known:
            return fresh
        if self._pairwise is not None:
            was = old.drop(self._inner_keys).rename(lambda name: name + WAS)
            merged = pl.concat([fresh.head(known), was], how="horizontal").select(*self._inner_keys, *self._pairwise)
            return merged if known == fresh.height else pl.concat([merged, fresh.slice(known).select(merged.columns)])
        places = pl.Series(_AT, np.concatenate([np.arange(known), np.arange(fresh.height)]))
        both = pl.concat([old, fresh]).with_columns(places)
        merged = both.group_by(_AT, maintain_order=True).agg(self._merge).drop(_AT)
        return (
            fresh.select(self._inner_keys).hstack(self._settled(merged)) if self._inner_keys else self._settled(merged)
        )

    def _settled(self, rows: pl.DataFrame) -> pl.DataFrame:
        return settled_rows(rows, self._settling) if self._settling else rows

    def _changes(self, old: pl.DataFrame, merged: pl.DataFrame, lives: NDArray[np.bool_], known: int) -> Output:
        """Returns, for each group that differs, what it was and right behind what it is."""
        after = merged.select(self._final)
        if self._is_insert_only:
            new = after.slice(known)
            return Output((new,)) if new.height else EMPTY
        before = old.select(self._final)
        differs = np.ones(merged.height, np.bool_)
        differs[:known] = _differ(before, after.head(known))
        gone = np.flatnonzero(differs[:known] | ~lives[:known])
        come = np.flatnonzero(lives & differs)
        if not len(gone) and not len(come):
            return EMPTY
        rows = pl.concat([before[gone], after[come]])
        weights = np.concatenate([np.full(len(gone), -1), np.full(len(come), 1)])
        order = np.argsort(np.concatenate([gone * 2, come * 2 + 1]), kind="stable")
        return Output((rows.with_columns(pl.Series(WEIGHT, weights, dtype=pl.Int64))[order],))

    def _forget_untouched(self, state: KeyedState) -> None:
        if self._ttl_ms is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + max(1, self._ttl_ms // _CHECKS_PER_TTL)
            state.remove(state.untouched_since(now_ms - self._ttl_ms))


def _differ(before: pl.DataFrame, after: pl.DataFrame) -> NDArray[np.bool_]:
    """Tells for each row whether any column differs; NULL equals NULL."""
    differs = np.zeros(before.height, np.bool_)
    for name in before.columns:
        differs |= before[name].ne_missing(after[name]).to_numpy()
    return differs
