"""The Top-1 by ROW_NUMBER over rows that stand: of each partition the row that comes first.

What the Top-N of one row is asked for most often, and a row a key is all that it has to know: of a batch the first row
of each partition is looked for, its partition is found once, and the row is compared with the one that stands there,
by the columns that the rank goes by. One that does not come before it is looked at no further. Equal rows stand in
order of arrival: the one that was there stays.

What is given over a number of batches adds up to the same table however they were cut, and snapshots are those of
`TopN`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import chosen, taken, together, where
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.changes.rows import as_changes
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.ordered.codes import comes_before, first_places, order_codes
from yeoul.engine.operators.ordered.top_n_rows import TopNRows
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import KeyedState, lanes_by
from yeoul.kernels.grouping import group_rows

__all__ = ["FirstPlaces"]


class FirstPlaces:
    """Keeps each partition's first row.

    Args:
        asked: Which rows; `asked.is_first_place` holds.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched partition is kept; None: for ever.
    """

    def __init__(self, asked: TopNRows, *, clock: Clock, ttl_ms: int | None = None) -> None:
        assert asked.is_first_place
        self._asked, self._by, self._names = asked, asked.by, list(asked.columns)
        keys = {name: asked.columns[name] for name in asked.partition}
        self._types = keys, {name: kind for name, kind in asked.columns.items() if name not in keys}
        self._kept = KeyedState(*self._types)
        # By a partition's own columns, all its rows are equal.
        self._order = [key for key in asked.order if key.column not in keys]
        self._given, self._forgetting = False, Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forgetting.forget(self._kept)
        first, lanes = self._first_of(chosen(batch, self._names))
        found = self._kept.upsert(first, lanes)
        self._forgetting.touch(self._kept, found.slots)
        known = np.flatnonzero(~found.is_new)
        wins = found.is_new
        if len(known):
            wins = wins.copy()
            wins[known] = self._comes_before(first, found.slots, known)
        if not wins.any():
            return EMPTY
        come, slots, is_new = first, found.slots, found.is_new
        if not wins.all():
            come, slots, is_new = where(first, wins), slots[wins], is_new[wins]
        output = self._changes(come, slots, is_new) if self._asked.updating else EMPTY
        self._kept.write(slots, come)
        return output

    def advance(self, watermark_ms: int) -> Output:
        if self._asked.updating or watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        slots = self._kept.living()
        rows = chosen(together([*self._kept.read_keys(slots), *self._kept.read(slots)]), self._names)
        self._kept = KeyedState(*self._types)
        return Output((self._ranked(rows),)) if rows.height else EMPTY

    def snapshot(self) -> State:
        return {"progress": pl.DataFrame({"given": [self._given]}), "kept": self._kept.snapshot()}

    def restore(self, state: State) -> None:
        self._given = state["progress"].item()
        self._kept.restore(state["kept"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._kept.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without a partition."""
        return {"kept": self._asked.partition} if self._asked.partition else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the partitions of rows."""
        return batch.select(self._asked.partition)

    def _first_of(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, Lanes]:
        """Returns the first row that a batch has of each partition, and the fingerprints of the partitions."""
        lanes = lanes_by(rows, self._asked.partition)
        groups = group_rows(*lanes)
        if groups.order is None:
            return rows, lanes
        codes = [order_codes(rows.get_column(key.column), key) for key in self._order]
        places = first_places(groups, codes)
        return taken(rows, places), (lanes[0][places], lanes[1][places])

    def _comes_before(
        self, first: pl.DataFrame, slots: NDArray[np.int64], known: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Tells which rows of known partitions come before those that stand there."""
        if not self._order:
            return np.zeros(len(known), np.bool_)
        by = list(dict.fromkeys(key.column for key in self._order))
        own = chosen(first, by)
        every = len(known) == first.height
        return comes_before(own if every else taken(own, known), self._kept.read(slots[known], by), self._order)

    def _changes(self, come: pl.DataFrame, slots: NDArray[np.int64], is_new: NDArray[np.bool_]) -> Output:
        """Returns rows that come, behind each the one in whose place it comes."""
        before = np.flatnonzero(~is_new)
        if not len(before):
            return Output((self._ranked(come).hstack([pl.Series(WEIGHT, np.ones(come.height, np.int64))]),))
        own = come if len(before) == come.height else taken(come, before)
        gone = [*self._kept.keys_like(own, slots[before]), *self._kept.read(slots[before])]
        gone_rows = chosen(together(gone), self._names)
        changes = as_changes(self._ranked(gone_rows), before, self._ranked(come), np.arange(come.height))
        return Output((changes,))

    def _ranked(self, rows: pl.DataFrame) -> pl.DataFrame:
        if self._asked.rank is None:
            return rows
        return rows.hstack([pl.Series(self._asked.rank, np.ones(rows.height, np.int64))])
