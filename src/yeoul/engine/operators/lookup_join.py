"""The lookup join: each row beside the rows of an outside table that have its key, as they are when it comes.

All keys of a batch are asked for at once, each once. What was found is kept, if the table's options say so, for a time
and up to a number of rows; that a key has no row is kept, too. There is no other state: a restored join asks anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT, Lookup
from yeoul.engine.operators.contract import EMPTY, Output, State
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.timed_rows import TimedRows

__all__ = ["LookupJoin"]

_AT = "$at"


class LookupJoin:
    """Looks up each row's partners.

    Args:
        lookup: The outside table.
        keys: The table's columns to look up by, and their values over the input.
        columns: Name and type of the table's columns that are read, keys included, as they are called there.
        names: What the columns that are given out are called there and here.
        condition: What must hold besides, over the input's columns and those given out; None: nothing.
        keeps_left: Whether a row without a partner is given, with NULLs.
        output: The names of the columns given, in order.
        clock: The time, for the cache.
        max_rows: How many rows are kept; 0: none.
        ttl_ms: For how long a row is kept; None: for ever.
    """

    def __init__(
        self,
        lookup: Lookup,
        keys: Mapping[str, pl.Expr],
        columns: Mapping[str, pl.DataType],
        names: Mapping[str, str],
        condition: pl.Expr | None,
        *,
        keeps_left: bool,
        output: Sequence[str],
        clock: Clock,
        max_rows: int = 0,
        ttl_ms: int | None = None,
    ) -> None:
        self._lookup, self._keys, self._columns, self._names = lookup, dict(keys), dict(columns), dict(names)
        self._condition, self._keeps_left, self._output = condition, keeps_left, list(output)
        self._clock, self._max_rows, self._ttl_ms = clock, max_rows, ttl_ms
        self._forget()

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        keys = batch.select([value.cast(self._columns[name]).alias(name) for name, value in self._keys.items()])
        self._fetch(keys)
        places, slots = self._rows.find(keys)
        partners = self._rows.read(slots)
        partners = partners.select([pl.col(there).alias(here) for there, here in self._names.items()])
        both = pl.concat([batch[places], partners], how="horizontal") if self._names else batch[places]
        if self._condition is not None and both.height:
            holds = both.select(self._condition.fill_null(False)).to_series()
            both, places = both.filter(holds), places[holds.to_numpy()]
        if self._keeps_left:
            both = self._with_lonely(batch, both, places)
        reserved = [name for name in (WATERMARK, ROW, WEIGHT) if name in batch.columns]
        if not self._max_rows:
            self._forget()
        return Output((both.select(*self._output, *reserved),)) if both.height else EMPTY

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        return None

    def _with_lonely(self, batch: pl.DataFrame, both: pl.DataFrame, places: NDArray[np.int64]) -> pl.DataFrame:
        lonely = np.setdiff1d(np.arange(batch.height), places)
        if not len(lonely):
            return both
        nulls = [pl.lit(None, self._columns[there]).alias(here) for there, here in self._names.items()]
        joined = pl.concat([both, batch[lonely].with_columns(nulls).select(both.columns)])
        return joined[np.argsort(np.concatenate([places, lonely]), kind="stable")]

    def _fetch(self, keys: pl.DataFrame) -> None:
        """Asks for the keys of which nothing is known."""
        now_ms = self._clock.now_ms()
        if self._ttl_ms is not None:
            self._expire(now_ms - self._ttl_ms)
        if len(self._rows) + len(self._known) > self._max_rows:
            self._forget()
        unknown = keys.filter(pl.Series(self._known.find(keys) < 0)).drop_nulls().unique(maintain_order=True)
        if not unknown.height:
            return
        found = self._lookup.find(unknown)
        slots = self._known.upsert(unknown).slots
        self._known.write(slots, pl.DataFrame({_AT: np.full(len(slots), now_ms)}))
        if found.height:
            own = found.select([pl.col(name).cast(dtype) for name, dtype in self._columns.items()])
            self._rows.add(own, np.full(own.height, now_ms), np.zeros(own.height, np.bool_))

    def _expire(self, before_ms: int) -> None:
        self._rows.remove(self._rows.due(before_ms))
        living = self._known.living()
        old = self._known.read_column(_AT, living).to_numpy() <= before_ms if len(living) else living
        if len(living) and old.any():
            self._known.remove(living[old])

    def _forget(self) -> None:
        by = {name: self._columns[name] for name in self._keys}
        self._rows, self._known = TimedRows(self._columns, by), KeyedState(by, {_AT: pl.Int64()})
