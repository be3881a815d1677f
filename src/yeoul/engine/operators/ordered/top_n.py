"""Top-N over rows that stand: the rows of each partition whose rank lies between two numbers, kept up to date.

Only the first rows of each partition are remembered: what has been passed never comes back. Beside each partition whose
last place is taken stands by what that row ranks, so that a row which does not come before it is looked at no further.
The others of a batch are sorted with what is remembered of their partitions, by the columns that the rank goes by
alone; whole rows are read when they are given out. Equal rows stand in order of arrival.

What is given over a number of batches adds up to the same table however they were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.ordered.codes import comes_before
from yeoul.engine.operators.ordered.ranks import Changed, Entries, shown
from yeoul.engine.operators.ordered.top_n_rows import TopNRows
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import lanes_by
from yeoul.engine.state.sequences import KeyedSequences
from yeoul.kernels.grouping import group_rows
from yeoul.plan.ordering import Ranking

__all__ = ["TopN"]

_NONE = np.empty(0, np.int64)


class TopN:
    """Ranks rows that stand.

    Args:
        asked: Which rows.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched partition is kept; None: for ever.
    """

    def __init__(self, asked: TopNRows, *, clock: Clock, ttl_ms: int | None = None) -> None:
        self._asked, self._by = asked, asked.by
        self._worst = {f"$by{index}": asked.columns[name] for index, name in enumerate(self._by)}
        self._passes_over = bool(self._by) and asked.ranking is Ranking.ROW_NUMBER and ttl_ms is None
        self._kept = self._nothing()
        self._given = False
        self._clock, self._ttl_ms, self._forgetting = clock, ttl_ms, Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forgetting.forget(self._kept)
        rows = batch[list(self._asked.columns)]
        lanes = lanes_by(rows, self._asked.partition)
        hopeful = self._hopeful(rows, lanes)
        if hopeful is not None:
            lanes = lanes[0][hopeful], lanes[1][hopeful]
        change, slots, gone = self._taken_in(rows, lanes, hopeful) if len(lanes[0]) else (None, _NONE, _NONE)
        output = EMPTY if change is None else self._asked.given(self._kept.read(slots), change)
        self._kept.remove(gone)
        return output

    def advance(self, watermark_ms: int) -> Output:
        if self._asked.updating or watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        slots, entries = self._in_order()
        none, one = np.zeros(len(slots), np.int64), np.ones(len(slots), np.int64)
        change = self._asked.changes(entries, none, one)
        given, self._kept = self._kept.read(slots[change.entries]), self._nothing()
        return self._asked.given(given, change)

    def snapshot(self) -> State:
        return {"progress": pl.DataFrame({"given": [self._given]}), "kept": self._kept.snapshot()}

    def restore(self, state: State) -> None:
        self._given = state["progress"].item()
        self._kept.restore(state["kept"])
        slots, entries = self._in_order()
        ranks, _ = shown(entries, np.ones(len(slots), np.int64), self._asked.ranking, 1, self._asked.last)
        worst = self._kept.read(slots[ranks == self._asked.last])
        self._note_worst(lanes_by(worst, self._asked.partition), worst, np.arange(worst.height))

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

    def _nothing(self) -> KeyedSequences:
        asked = self._asked
        return KeyedSequences(asked.columns, asked.partition, self._worst if self._passes_over else None)

    def _taken_in(
        self, rows: pl.DataFrame, lanes: Lanes, hopeful: NDArray[np.int64] | None
    ) -> tuple[Changed | None, Slots, Slots]:
        """Ranks rows among those of their partitions and keeps what is among the first.

        Args:
            rows: Of a batch.
            lanes: The fingerprints of their partitions.
            hopeful: Which rows `lanes` stand for; None: all.

        Returns:
            What is to be given, if changes are, the slots of its rows, and those that are not needed any more.
        """
        groups, own = group_rows(*lanes), hopeful
        if groups.order is not None:
            lanes = lanes[0][groups.order], lanes[1][groups.order]
            own = groups.order.astype(np.int64) if hopeful is None else hopeful[groups.order]
        begins = np.cumsum(groups.sizes) - groups.sizes
        old = self._kept.rows_of(self._kept.keys_of(rows, (lanes[0][begins], lanes[1][begins])))
        count = len(old.slots)
        partition = np.concatenate([old.places, np.repeat(np.arange(len(begins)), groups.sizes)])
        by = rows[self._by] if own is None or not self._by else rows[self._by][own]
        if count and self._by:
            by = self._kept.read(old.slots, self._by).vstack(by)
        places, entries = self._asked.sorted(partition, by)
        one, is_old = np.ones(len(places), np.int64), places < count
        ranks, copies = shown(entries, one, self._asked.ranking, 1, self._asked.last)
        keeps = copies > 0
        added = np.sort(places[keeps & ~is_old]) - count
        now_ms = None if self._ttl_ms is None else self._clock.now_ms()
        slots = np.concatenate([old.slots, np.empty(len(lanes[0]), np.int64)])
        kept = rows[added if own is None else own[added]]
        slots[count + added] = self._kept.add(kept, now_ms, (lanes[0][added], lanes[1][added]))
        if now_ms is not None:
            self._kept.touch(rows, now_ms)
        worst = places[keeps & (ranks == self._asked.last)]
        firsts = begins[partition[worst]]
        self._note_worst((lanes[0][firsts], lanes[1][firsts]), by, worst)
        gone = slots[places[~keeps & is_old]]
        if not self._asked.updating:
            return None, _NONE, gone
        change = self._asked.changes(entries, is_old.astype(np.int64), one)
        return change, slots[places[change.entries]], gone

    def _in_order(self) -> tuple[Slots, Entries]:
        """Returns all that is remembered."""
        found = self._kept.living()
        places, entries = self._asked.sorted(found.places, self._kept.read(found.slots, self._by))
        return found.slots[places], entries

    def _hopeful(self, rows: pl.DataFrame, lanes: Lanes) -> NDArray[np.int64] | None:
        """Returns which rows may be among the first, None for all: those of full partitions come before the last."""
        if not self._passes_over or not len(self._kept):
            return None
        keys = self._kept.keys_of(rows, lanes)
        full = np.flatnonzero(keys >= 0)
        full = full[self._kept.are_noted(keys[full])]
        if not len(full):
            return None
        worst = self._kept.read_notes(keys[full]).rename(dict(zip(self._worst, self._by, strict=True)))
        own = [rows[name] if len(full) == rows.height else rows[name][full] for name in self._by]
        hopeless = ~comes_before(pl.DataFrame(own), worst, self._asked.order)
        hopeful = np.ones(rows.height, np.bool_)
        hopeful[full[hopeless]] = False
        return np.flatnonzero(hopeful)

    def _note_worst(self, lanes: Lanes, by: pl.DataFrame, worst: NDArray[np.int64]) -> None:
        """Remembers by what the last rows of full partitions rank; `worst` are their places in `by`."""
        if self._passes_over and len(worst):
            notes = [by[name][worst].alias(noted) for noted, name in zip(self._worst, self._by, strict=True)]
            self._kept.write_notes(self._kept.keys_of(by, lanes), pl.DataFrame(notes))
