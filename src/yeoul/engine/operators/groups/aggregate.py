"""Aggregation without a window: each group given out once, at the end of a bounded input.

Two phases, as in the windowed one: `prepare` aggregates a batch by key, on any thread; `process` sets that small frame
aside in a `GroupStore`, which merges now and then. `advance` to the end of time gives out every group. Nothing can be
late here: a row counts whenever it comes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import polars as pl

from yeoul.engine.compile.aggregates import CompiledAggregate, settled_rows
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.groups import GroupStore

__all__ = ["Aggregate"]

_ALL = "$all"


class Aggregate:
    """Aggregates all rows by key.

    Args:
        keys: Output name and expression over the input; may be empty: one group, also of no row.
        aggregates: The aggregates, each naming its output.
        over_nothing: The one row that is given when there are no keys and no row came; only its columns that are in
            `output` count.
        output: Output names, in order.
    """

    def __init__(
        self,
        keys: Sequence[tuple[str, pl.Expr]],
        aggregates: Sequence[CompiledAggregate],
        over_nothing: pl.DataFrame,
        output: Sequence[str],
    ) -> None:
        self._inner_keys = [f"$key{index}" for index in range(len(keys))]
        self._keys = [expression.alias(inner) for inner, (_, expression) in zip(self._inner_keys, keys, strict=True)]
        outer_keys = {name: pl.col(inner).alias(name) for inner, (name, _) in zip(self._inner_keys, keys, strict=True)}
        self._partial = [expression for one in aggregates for expression in one.partial]
        self._settling = [one for one in aggregates if one.bag is not None]
        self._columns = {**outer_keys, **{one.name: one.final for one in aggregates}}
        self._over_nothing, self._output = over_nothing, list(output)
        merge = [expression for one in aggregates for expression in one.merge]
        self._groups = GroupStore(functools.partial(_merged, self._inner_keys or [_ALL], merge, self._settling))
        self._given = False

    def prepare(self, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Aggregates a batch, None if it has no row; pure, callable from any thread."""
        if not batch.height:
            return None
        if self._keys:
            partial = _grouped(batch, self._keys, self._partial)
        else:
            same = pl.Series(_ALL, [0], dtype=pl.UInt8).new_from_index(0, batch.height)
            partial = _grouped(batch.with_columns(same), [pl.col(_ALL)], self._partial)
        return compacted(settled_rows(partial, self._settling))

    def process_prepared(self, partial: pl.DataFrame) -> Output:
        """Takes an aggregated batch."""
        self._groups.add(partial)
        return EMPTY

    def combined(self, partials: pl.DataFrame) -> pl.DataFrame:
        """Returns aggregated batches, one behind the other, as one: they are merged when there are many."""
        return partials

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._groups.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {"groups": self._inner_keys} if self._keys else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of an aggregated batch."""
        return batch.select(self._inner_keys)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        partial = self.prepare(batch)
        if partial is not None:
            self.process_prepared(partial)
        return EMPTY

    def advance(self, watermark_ms: int) -> Output:
        if watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        merged = self._groups.merged()
        self._groups.clear()
        if merged is not None:
            return Output((merged.select(self._columns[name] for name in self._output),))
        return EMPTY if self._keys else Output((self._over_nothing.select(self._output),))

    def snapshot(self) -> State:
        state = {"progress": pl.DataFrame({"given": [self._given]})}
        merged = self._groups.merged()
        if merged is not None:
            state["groups"] = merged
        return state

    def restore(self, state: State) -> None:
        self._given = state["progress"]["given"].item()
        if "groups" in state:
            self._groups.add(state["groups"])


def _merged(
    keys: Sequence[str], merge: Sequence[pl.Expr], settling: Sequence[CompiledAggregate], frame: pl.DataFrame
) -> pl.DataFrame:
    """Returns every group once."""
    return settled_rows(_grouped(frame, [pl.col(name) for name in keys], merge), settling)


def _grouped(frame: pl.DataFrame, keys: Sequence[pl.Expr], aggregates: Sequence[pl.Expr]) -> pl.DataFrame:
    if not aggregates:
        return frame.select(keys).unique(maintain_order=True)
    return frame.group_by(keys, maintain_order=True).agg(aggregates)
