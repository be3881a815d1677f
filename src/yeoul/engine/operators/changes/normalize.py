"""Upserts become changes: what a key's row was is taken back, what it is is given.

A batch holds rows by key, +1 for what a key's row is from now on (without `$weight`: all of them), -1 for a key that
has none any more; of these only the key counts. Every version is given, however many of a key a batch has, because a
versioned table is made of all of them; a row that is what it was gives nothing, and neither does the end of a key
that was not there. Cutting the input differently changes nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.changes.rows import as_changes, differing
from yeoul.engine.operators.contract import EMPTY, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.state.keyed import Found, KeyedState

__all__ = ["ChangelogNormalize"]


@dataclass(frozen=True, slots=True)
class _Before:
    """What each row of a batch takes the place of.

    Attributes:
        told: The rows, by their places, whose key had a row before them.
        rows: What that was.
    """

    told: NDArray[np.int64]
    rows: pl.DataFrame


class ChangelogNormalize:
    """Remembers each key's row.

    Args:
        columns: Name and type of the columns, in order.
        keys: Those that make the key; at least one.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched key is kept; None: for ever.
    """

    def __init__(
        self, columns: Mapping[str, pl.DataType], keys: Sequence[str], *, clock: Clock, ttl_ms: int | None = None
    ) -> None:
        self._columns = list(columns)
        self._values = [name for name in columns if name not in keys]
        self._state = KeyedState({name: columns[name] for name in keys}, {name: columns[name] for name in self._values})
        self._forgetting = Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        self._forgetting.forget(self._state)
        rows = batch.select(self._columns)
        stays = (batch[WEIGHT] > 0).to_numpy() if WEIGHT in batch.columns else np.ones(batch.height, np.bool_)
        found = self._state.upsert(rows)
        order = np.argsort(found.slots, kind="stable")
        begins = np.diff(found.slots[order], prepend=-1) != 0
        before = self._before(rows, stays, found, order, begins)
        ends = order[np.append(begins[1:], True)]
        self._remember(rows, stays, found.slots, ends)
        return self._changes(batch, rows, stays, before)

    def advance(self, watermark_ms: int) -> Output:
        return EMPTY

    def snapshot(self) -> State:
        return {"rows": self._state.snapshot()}

    def restore(self, state: State) -> None:
        if state["rows"].height:
            self._state.restore(state["rows"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._state.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot."""
        return {"rows": self._state.key_names}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return batch.select(self._state.key_names)

    def _before(
        self,
        rows: pl.DataFrame,
        stays: NDArray[np.bool_],
        found: Found,
        order: NDArray[np.int64],
        begins: NDArray[np.bool_],
    ) -> _Before:
        """Returns what stood before each row: an earlier row of the batch, else what is remembered."""
        places = np.full(rows.height, -1, np.int64)
        places[order[1:]] = np.where(begins[1:], -1, order[:-1])
        known = np.flatnonzero((places < 0) & ~found.is_new)
        has = np.where(places < 0, ~found.is_new, stays[places])
        places[known] = rows.height + np.arange(len(known))
        told = np.flatnonzero(has)
        kept = rows[known].with_columns(self._state.read(found.slots[known]).get_columns())
        return _Before(told, pl.concat([rows, kept])[places[told]])

    def _remember(
        self, rows: pl.DataFrame, stays: NDArray[np.bool_], slots: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> None:
        staying = ends[stays[ends]]
        self._state.write(slots[staying], rows[staying])
        self._forgetting.touch(self._state, slots[staying])
        self._state.remove(slots[ends[~stays[ends]]])

    def _changes(self, batch: pl.DataFrame, rows: pl.DataFrame, stays: NDArray[np.bool_], before: _Before) -> Output:
        """Returns -1 for what was and, right behind, +1 for what is, where they differ; in the order of the batch."""
        told = before.told
        differs = differing(before.rows, rows[told], self._values) | ~stays[told]
        comes = stays.copy()
        comes[told[~differs]] = False
        gone, come = told[differs], np.flatnonzero(comes)
        if not len(gone) and not len(come):
            return EMPTY
        causes = [name for name in (WATERMARK, ROW) if name in batch.columns]
        old = before.rows.filter(pl.Series(differs)).with_columns(batch[name][gone] for name in causes)
        if ROW in causes:
            old = old.with_columns(pl.lit(None, pl.UInt32).alias(ROW))
        new = batch.select(*self._columns, *causes)[come]
        places = np.sort(np.concatenate([gone, come]))
        return Output(self._apart(as_changes(old, gone, new, come), ~stays[places]))

    def _apart(self, changes: pl.DataFrame, is_end: NDArray[np.bool_]) -> tuple[pl.DataFrame, ...]:
        """Cuts changes where a key ends and comes again: side by side in one batch the two would be an update."""
        last = np.flatnonzero(is_end[:-1] & (changes[WEIGHT].to_numpy()[1:] > 0))
        if not len(last):
            return (changes,)
        last = last[~differing(changes[last], changes[last + 1], self._state.key_names)]
        return tuple(changes[start:end] for start, end in pairwise([0, *(last + 1).tolist(), changes.height]))
