"""Aggregation without a window over input that need not end: each batch gives the groups that it changes.

Two phases: `prepare` aggregates a batch by key, on any thread; `process_prepared` finds the groups in keyed state,
merges, and gives for each group whose row differs -1 for what it was and +1 for what it is. A group of which all rows
were taken back is given as -1 and forgotten. What is given over a number of batches adds up to the same table however
they were cut; fewer, larger batches give fewer changes on the way.

DISTINCT aggregates keep the different values of their group one by one (`distinct`), found by the fingerprint of the
group's key with the value behind it. A group has a number, by which its values know it: when its key comes again after
it was gone, that is another group.

With a time to live, a group that no row touched for that long is forgotten in silence, as Flink does: its last row
stands, and a later row of its key begins anew. A value that no row of its group had for that long is forgotten, too: it
still counts, and once more when it comes again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import Selection, chosen, taken, together, where, without
from yeoul.engine.compile.aggregates import CompiledAggregate, DistinctValues, folds_of, settled_rows, tells_of
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.changes.rows import differing, picked
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.groups.distinct import NUMBER, DistinctParts
from yeoul.engine.series import series_of
from yeoul.engine.state.grouping import LANES, Grouping, lanes_of
from yeoul.engine.state.keyed import TOUCHED, Found, KeyedState
from yeoul.engine.state.merging import Merging
from yeoul.kernels.folding import Fold
from yeoul.kernels.turns import turns_of

__all__ = ["ROWS", "GroupAggregate"]

ROWS = "$rows"
"""The partial column that counts a group's rows, unless an aggregate does so anyway."""
_AT = "$at"


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
        distinct: The aggregates of different values, by the values that they share.
        gives_before: Whether -1 for what a group was stands before +1 for what it is; where whoever reads the changes
            knows a row by its key, only a group that is gone gives -1.
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
        distinct: Sequence[DistinctValues] = (),
        gives_before: bool = True,
    ) -> None:
        self._inner_keys = [f"$key{index}" for index in range(len(keys))]
        self._keys = [expression.alias(inner) for inner, (_, expression) in zip(self._inner_keys, keys, strict=True)]
        outer_keys = {name: pl.col(inner).alias(name) for inner, (name, _) in zip(self._inner_keys, keys, strict=True)}
        partial = [expression for one in aggregates for expression in one.partial]
        merge = [expression for one in aggregates for expression in one.merge]
        rows = (pl.col(WEIGHT).sum() if retracts else pl.len()).cast(pl.Int64)
        self._rows = _column_of(rows, partial) or ROWS
        if self._rows == ROWS:
            partial, merge = [rows.alias(ROWS), *partial], [pl.col(ROWS).sum(), *merge]
        self._grouping = Grouping(self._keys, partial)
        self._combining = Grouping([pl.col(name) for name in self._inner_keys], merge)
        self._settling = [one for one in aggregates if one.bag is not None]
        self._distinct = DistinctParts(distinct, self._inner_keys, retracts=retracts)
        merge += [expression for one in self._distinct.aggregates for expression in one.merge]
        self._merge = [*merge, pl.col(NUMBER).last()] if self._distinct else merge
        aggregates = [*aggregates, *self._distinct.aggregates]
        beside = {ROWS: Fold.SUM} if self._rows == ROWS else {}
        folds = folds_of(aggregates, {**beside, NUMBER: Fold.LAST} if self._distinct else beside)
        self._merging = None if folds is None else Merging(folds)
        self._tells = None if gives_before else tells_of(aggregates)
        finals = {**outer_keys, **{one.name: one.final for one in aggregates}}
        self._final = Selection([finals[name] for name in output])
        self._key_output = set(outer_keys)
        self._is_insert_only = not aggregates and not retracts
        self._clock, self._ttl_ms, self._forgetting = clock, ttl_ms, Forgetting(clock, ttl_ms)
        self._over_nothing, self._gives_before = over_nothing, gives_before
        self._state: KeyedState | None = None

    def prepare(self, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Aggregates a batch, None if it has no row; pure, callable from any thread."""
        if not batch.height:
            return None
        rows = self._grouping.grouped(batch)
        groups = self._settled(self._grouping.aggregated(batch, rows))
        return self._distinct.beside(groups, batch, rows) if self._distinct else groups

    def process_prepared(self, partial: pl.DataFrame) -> Output:
        """Takes an aggregated batch and gives the changes that it brings."""
        lanes = lanes_of(partial)
        partial = without(partial, LANES)
        if self._state is None:
            self._state = self._made(self._distinct.over_nothing(partial) if self._distinct else partial)
        state = self._state
        self._forgetting.forget(state, *self._distinct.states)
        found = state.upsert(partial, lanes)
        if self._distinct:
            now_ms = None if self._ttl_ms is None else self._clock.now_ms()
            partial = self._distinct.taken(state, partial, found, now_ms)
        merged, old, differs = self._merged(state, partial, found)
        lives = merged.get_column(self._rows).to_numpy() > 0
        self._forgetting.touch(state, found.slots)
        if not lives.all():
            state.remove(found.slots[~lives])
            state.give_back()
            for values in self._distinct.states:
                values.give_back()
        return self._changes(old, merged, lives, found.is_new, differs)

    def combined(self, partials: pl.DataFrame) -> pl.DataFrame:
        """Returns aggregated batches, one behind the other, as one aggregated batch."""
        rows = self._combining.grouped(partials)
        groups = self._settled(self._combining.aggregated(partials, rows))
        return self._distinct.combined(groups, partials, rows) if self._distinct else groups

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        groups = 0 if self._state is None else self._state.size_bytes
        return groups + sum(values.size_bytes for values in self._distinct.states)

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys, or if what is given depends on all groups."""
        divides = self._keys and self._over_nothing is None
        return dict.fromkeys(("groups", *self._distinct.frames), self._inner_keys) if divides else {}

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
        if self._state is None:
            return {}
        values = self._distinct.snapshot(self._state) if self._distinct else {}
        return {"groups": self._state.snapshot(), **values}

    def restore(self, state: State) -> None:
        if "groups" in state:
            groups = state["groups"]
            self._state = self._made(groups.drop(TOUCHED))
            self._state.restore(groups)
            if self._distinct:
                self._distinct.restore(state)

    def _made(self, rows: pl.DataFrame) -> KeyedState:
        keys = {name: rows.schema[name] for name in self._inner_keys}
        return KeyedState(keys, {name: dtype for name, dtype in rows.schema.items() if name not in keys})

    def _merged(
        self, state: KeyedState, fresh: pl.DataFrame, found: Found
    ) -> tuple[pl.DataFrame, pl.DataFrame | None, NDArray[np.bool_] | None]:
        """Merges groups into the state.

        Returns:
            What they are; what they were, which is anything for new ones; which are new or differ. Of the last two one
            is enough, unless what they were is to be given.
        """
        new = found.is_new
        if new.all():
            state.write(found.slots, fresh)
            return fresh, fresh, new
        keys = state.keys_like(fresh, found.slots).get_columns()
        if self._merging is not None and self._tells is not None:
            told = state.told(found, fresh, self._merging, self._tells)
            if told is not None:
                return _beside(keys, told[0]), None, told[1]
        if self._merging is not None:
            was, now = state.merged(found, fresh, self._merging)
            return _beside(keys, now), _beside(keys, was), None
        known = np.flatnonzero(~new)
        there = state.read(found.slots[known])
        places = pl.Series(_AT, np.concatenate([known, np.arange(fresh.height)]))
        both = pl.concat([there, fresh.select(there.columns)]).with_columns(places)
        merged = both.group_by(_AT, maintain_order=True).agg(self._merge).sort(_AT).drop(_AT)
        where = np.zeros(fresh.height, np.uint32)
        where[known] = np.arange(len(known))
        now = self._settled(_beside(keys, merged))
        state.write(found.slots, now)
        return now, _beside(keys, there[where]), None

    def _settled(self, rows: pl.DataFrame) -> pl.DataFrame:
        return settled_rows(rows, self._settling) if self._settling else rows

    def _changes(
        self,
        old: pl.DataFrame | None,
        merged: pl.DataFrame,
        lives: NDArray[np.bool_],
        is_new: NDArray[np.bool_],
        differs: NDArray[np.bool_] | None,
    ) -> Output:
        """Returns, for each group that differs, what it was and right behind what it is."""
        after = self._final.of(merged)
        if self._is_insert_only:
            new = where(after, is_new)
            return Output((new,)) if new.height else EMPTY
        values = [name for name in after.columns if name not in self._key_output]
        before = after if old is None or old is merged else self._final.of(old)
        if differs is None:
            differs = is_new | differing(before, after, values)
        if not self._gives_before:
            given = ~is_new & ~lives | lives & differs
            return Output((where(after.hstack([series_of(WEIGHT, lives * 2 - 1)]), given),)) if given.any() else EMPTY
        turns = turns_of(is_new, lives, differs)
        if not len(turns.rows):
            return EMPTY
        given_values = [picked(before.get_column(name), after.get_column(name), turns) for name in values]
        keys = chosen(after, [name for name in after.columns if name in self._key_output])
        given_keys = taken(keys, turns.rows)
        own = {column.name: column for column in (*given_keys.get_columns(), *given_values)}
        columns = [own[name] for name in after.columns]
        return Output((together([*columns, series_of(WEIGHT, turns.weights)]),))


def _column_of(expression: pl.Expr, named: Sequence[pl.Expr]) -> str | None:
    """Returns the name that an expression has among others; None if it is not there."""
    same = (one for one in named if one.meta.undo_aliases().meta.eq(expression))
    return next((one.meta.output_name() for one in same), None)


def _beside(keys: Sequence[pl.Series], values: pl.DataFrame) -> pl.DataFrame:
    return together([*keys, *values.get_columns()])
