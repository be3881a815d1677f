"""The lookup join: each row beside the rows of an outside table that have its key, as they are when it comes.

All keys of a batch are asked for at once, each once. What was found is kept as the table's options say, and as long as
the memory of the job's state lets it: then the keys that were not asked for the longest go, half of them at a time.
There is no other state: a restored join asks anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT, CacheBounds, Lookup
from yeoul.engine.operators.contract import EMPTY, Output, State
from yeoul.engine.operators.joins.sides import holding
from yeoul.engine.state.lookup_cache import LookupCache
from yeoul.engine.state.memory import StateMemory

__all__ = ["LookedUpValue", "LookupJoin"]


@dataclass(frozen=True, slots=True)
class LookedUpValue:
    """What is asked of each row found.

    Attributes:
        name: What it is called among the rows given.
        value: Over the table's columns.
        dtype: Its type, for rows without a partner.
    """

    name: str
    value: pl.Expr
    dtype: pl.DataType


class LookupJoin:
    """Looks up each row's partners.

    Args:
        lookup: The outside table.
        keys: The table's columns to look up by, and their values over the input.
        columns: Name and type of the table's columns that are read, keys included, as they are called there.
        values: What is asked of the rows found.
        condition: What must hold besides, over the input's columns and the values; None: nothing.
        keeps_left: Whether a row without a partner is given, with NULLs.
        output: The names of the columns given, in order.
        clock: The time, for the cache.
        bounds: How much of what was found is kept.
        memory: What the job's state may take; None: all.
    """

    def __init__(
        self,
        lookup: Lookup,
        keys: Mapping[str, pl.Expr],
        columns: Mapping[str, pl.DataType],
        values: Sequence[LookedUpValue],
        condition: pl.Expr | None,
        *,
        keeps_left: bool,
        output: Sequence[str],
        clock: Clock,
        bounds: CacheBounds,
        memory: StateMemory | None = None,
    ) -> None:
        self._lookup, self._keys, self._columns, self._values = lookup, dict(keys), dict(columns), list(values)
        self._condition, self._keeps_left, self._output = condition, keeps_left, list(output)
        self._clock, self._memory = clock, memory
        self._cache = LookupCache(self._columns, list(keys), bounds)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        keys = self._keys_of(batch)
        self._fetch(keys)
        places, found = self._cache.find(keys)
        self._cache.settle()
        self._make_room()
        both = batch[places]
        if self._values:
            values = [one.value.cast(one.dtype).alias(one.name) for one in self._values]
            partners = found.with_columns(values).select([one.name for one in self._values])
            both = pl.concat([both, partners], how="horizontal")
        if self._condition is not None and both.height:
            holds = holding(self._condition, both)
            both, places = both.filter(holds), places[holds.to_numpy()]
        if self._keeps_left:
            both = self._with_lonely(batch, both, places)
        reserved = [name for name in (WATERMARK, ROW, WEIGHT) if name in batch.columns]
        return Output((both.select(*self._output, *reserved),)) if both.height else EMPTY

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        return None

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._cache.size_bytes

    def evict(self) -> None:
        """Gives room to other state: half of what is kept."""
        self._cache.halve()
        assert self._memory is not None
        self._memory.hold(self, self._cache.size_bytes)

    def _make_room(self) -> None:
        if self._memory is None:
            return
        self._memory.hold(self, self._cache.size_bytes)
        while self._cache.size_bytes and self._memory.used_bytes > self._memory.limit_bytes:
            before = self._memory.used_bytes
            self._memory.make_room()
            if self._memory.used_bytes >= before:
                return

    def _keys_of(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys to look up; a value that the table's column cannot hold has no partner, as NULL has none."""
        values = [value.cast(self._columns[name], strict=False).alias(name) for name, value in self._keys.items()]
        return batch.select(values)

    def _with_lonely(self, batch: pl.DataFrame, both: pl.DataFrame, places: NDArray[np.int64]) -> pl.DataFrame:
        lonely = np.setdiff1d(np.arange(batch.height), places)
        if not len(lonely):
            return both
        nulls = [pl.lit(None, one.dtype).alias(one.name) for one in self._values]
        joined = pl.concat([both, batch[lonely].with_columns(nulls).select(both.columns)])
        return joined[np.argsort(np.concatenate([places, lonely]), kind="stable")]

    def _fetch(self, keys: pl.DataFrame) -> None:
        """Asks for the keys of which nothing is known."""
        now_ms = self._clock.now_ms()
        is_known = self._cache.are_known(keys, now_ms)
        unknown = keys.filter(pl.Series(~is_known)).drop_nulls().unique(maintain_order=True)
        if unknown.height:
            found = self._lookup.find(unknown)
            own = found.select([pl.col(name).cast(dtype) for name, dtype in self._columns.items()])
            self._cache.add(unknown, own, now_ms)
