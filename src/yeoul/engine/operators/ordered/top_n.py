"""Top-N: the rows of each partition whose rank lies between two numbers, kept up to date.

Over rows that stand only the first rows of each partition are remembered: what has been passed never comes back. Over
rows that can be taken back all are. Each batch touches some partitions; their rows are sorted once, and what was given
and what is to be given are compared (see `ranks`). Equal rows stand in order of arrival; where rows can be taken back,
copies of one row stand together, where the first of them came.

What is given over a number of batches adds up to the same table however they were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.operators.ordered.partitions import PARTITION, numbered, partitions_of
from yeoul.engine.operators.ordered.ranks import Changed, Entries, changed, shown
from yeoul.engine.operators.ordered.sort import sorted_by
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.rows import KeyedRows
from yeoul.engine.state.sequences import KeyedSequences
from yeoul.plan.ordering import Ranking, SortKey

__all__ = ["RetractableTopN", "TopN", "TopNRows"]

_PLACE, _SEQUENCE, _COUNT, _SLOT = "$place", "$sequence", "$copies", "$slot"
_CHECKS_PER_TTL = 4


@dataclass(frozen=True, slots=True)
class TopNRows:
    """Which rows are asked for.

    Attributes:
        columns: Name and type of the input's columns, in order.
        partition: Those that make the partition; may be none.
        order: What the rank goes by.
        ranking: How rows are numbered.
        first: The least rank.
        last: The greatest.
        rank: The output column of the rank; None if it is not asked for.
        updating: Whether changes are given; else all rows once, at the end of the input.
    """

    columns: Mapping[str, pl.DataType]
    partition: Sequence[str]
    order: Sequence[SortKey]
    ranking: Ranking
    first: int
    last: int
    rank: str | None
    updating: bool

    def changes(self, entries: Entries, before: NDArray[np.int64], after: NDArray[np.int64]) -> Changed:
        """Returns what comes and goes."""
        ranked = self.rank is not None
        return changed(entries, before, after, self.ranking, self.first, self.last, ranked=ranked)

    def given(self, rows: pl.DataFrame, change: Changed) -> Output:
        """Returns changes as they are handed on; `rows` are those of the change, in its order."""
        if not rows.height:
            return EMPTY
        ranks = [] if self.rank is None else [pl.Series(self.rank, change.ranks)]
        weight = [pl.Series(WEIGHT, change.weights)] if self.updating else []
        return Output((rows.select(list(self.columns)).with_columns(*ranks, *weight),))

    def sorted(self, entries: pl.DataFrame) -> tuple[pl.DataFrame, Entries]:
        """Returns entries in order; they have `$partition` and the columns of the order."""
        rows = sorted_by(entries, self.order, [PARTITION])
        names = list(dict.fromkeys(key.column for key in self.order))
        return rows, Entries.of(rows[PARTITION].to_numpy(), rows.select(names))


class TopN:
    """Over rows that stand.

    Args:
        asked: Which rows.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched partition is kept; None: for ever.
    """

    def __init__(self, asked: TopNRows, *, clock: Clock, ttl_ms: int | None = None) -> None:
        self._asked = asked
        self._kept = KeyedSequences(asked.columns, asked.partition)
        self._by = list(dict.fromkeys(key.column for key in asked.order))
        bounds = {f"$by{index}": asked.columns[name] for index, name in enumerate(self._by)}
        self._worst = KeyedState({name: asked.columns[name] for name in asked.partition}, bounds)
        self._passes_over = asked.ranking is Ranking.ROW_NUMBER and ttl_ms is None
        self._given = False
        self._clock, self._ttl_ms, self._next_check_ms = clock, ttl_ms, 0

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forget_untouched()
        asked = self._asked
        rows = self._hopeful(batch.select(list(asked.columns)))
        if not rows.height:
            return EMPTY
        partitions = partitions_of(rows, asked.partition)
        found = self._kept.find(partitions)
        old, count = self._kept.read(found.slots), len(found.slots)
        numbers = pl.concat([pl.Series(PARTITION, found.places), numbered(rows, asked.partition, partitions)])
        every = pl.concat([old, rows]) if count else rows
        places = pl.int_range(every.height, eager=True, dtype=pl.Int64).alias(_PLACE)
        order, entries = asked.sorted(pl.DataFrame([*every.select(self._by).get_columns(), numbers, places]))
        place = order[_PLACE].to_numpy()
        before = (place < count).astype(np.int64)
        ranks, copies = shown(entries, np.ones(len(place), np.int64), asked.ranking, 1, asked.last)
        keeps = copies > 0
        self._note_worst(every[place[keeps & (ranks == asked.last)]])
        self._kept.remove(found.slots[place[~keeps & (before > 0)]])
        added = np.sort(place[keeps & (before == 0)])
        now_ms = self._clock.now_ms() if self._ttl_ms is not None else 0
        self._kept.add(every[added], now_ms)
        if self._ttl_ms is not None:
            self._kept.touch(partitions, now_ms)
        if not asked.updating:
            return EMPTY
        change = asked.changes(entries, before, np.ones(len(place), np.int64))
        return asked.given(every[place[change.entries]], change)

    def advance(self, watermark_ms: int) -> Output:
        if self._asked.updating or watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        order, entries = self._sorted_kept()
        none, one = np.zeros(order.height, np.int64), np.ones(order.height, np.int64)
        change = self._asked.changes(entries, none, one)
        return self._asked.given(order[change.entries], change)

    def snapshot(self) -> State:
        return {"progress": pl.DataFrame({"given": [self._given]}), "kept": self._kept.snapshot()}

    def restore(self, state: State) -> None:
        self._given = state["progress"].item()
        self._kept.restore(state["kept"])
        order, entries = self._sorted_kept()
        ranks, _ = shown(entries, np.ones(order.height, np.int64), self._asked.ranking, 1, self._asked.last)
        self._note_worst(order.filter(pl.Series(ranks == self._asked.last)))

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._kept.size_bytes + self._worst.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without a partition."""
        return {"kept": self._asked.partition} if self._asked.partition else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the partitions of rows."""
        return batch.select(self._asked.partition)

    def _sorted_kept(self) -> tuple[pl.DataFrame, Entries]:
        found = self._kept.living()
        return self._asked.sorted(self._kept.read(found.slots).with_columns(pl.Series(PARTITION, found.places)))

    def _hopeful(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows that may be among the first: those of full partitions have to be before the last one."""
        if not self._passes_over or not len(self._worst):
            return rows
        slots = self._worst.find(rows)
        full = np.flatnonzero(slots >= 0)
        if not len(full):
            return rows
        worst = self._worst.read(slots[full])
        hopeful = slots < 0
        own = rows.select(self._by)[full] if self._by else rows.clear()
        hopeful[full] = _comes_before(own, worst, self._by, self._asked.order, len(full))
        return rows.filter(pl.Series(hopeful))

    def _note_worst(self, rows: pl.DataFrame) -> None:
        """Remembers the last row of each partition that is full."""
        if self._passes_over and rows.height:
            slots = self._worst.upsert(rows).slots
            self._worst.write(slots, rows.select(pl.col(name).alias(f"$by{at}") for at, name in enumerate(self._by)))

    def _forget_untouched(self) -> None:
        if self._ttl_ms is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + max(1, self._ttl_ms // _CHECKS_PER_TTL)
            self._kept.remove(self._kept.untouched_since(now_ms - self._ttl_ms))


def _comes_before(
    rows: pl.DataFrame, others: pl.DataFrame, by: Sequence[str], order: Sequence[SortKey], height: int
) -> NDArray[np.bool_]:
    """Tells which rows come before others, place by place; an equal one does not: the other was there first."""
    before = pl.Series([False]).new_from_index(0, height)
    for key in reversed(order):
        own, other = rows[key.column], others[f"$by{by.index(key.column)}"]
        better = ((own > other) if key.descending else (own < other)).fill_null(False)
        better |= (own.is_not_null() & other.is_null()) if key.nulls_last else (own.is_null() & other.is_not_null())
        before = better | (own.eq_missing(other) & before)
    return before.to_numpy()


class RetractableTopN:
    """Over rows that can be taken back.

    Args:
        asked: Which rows.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched row is kept; None: for ever.
    """

    def __init__(self, asked: TopNRows, *, clock: Clock, ttl_ms: int | None = None) -> None:
        self._asked = asked
        self._rows = KeyedRows(asked.columns, asked.partition, {_SEQUENCE: pl.Int64()})
        self._sequence = 0
        self._given = False
        self._by = list(dict.fromkeys(key.column for key in asked.order))
        self._clock, self._ttl_ms, self._next_check_ms = clock, ttl_ms, 0

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forget_untouched()
        rows = batch.select(list(self._asked.columns))
        weights = batch[WEIGHT] if WEIGHT in batch.columns else pl.repeat(1, rows.height, dtype=pl.Int64, eager=True)
        partitions = partitions_of(rows, self._asked.partition)
        known = self._rows.find(partitions).slots
        before = self._noted(known)
        touched = self._add(rows, weights.to_numpy(), before)
        found = self._rows.find(partitions)
        after = self._noted(found.slots).with_columns(pl.Series(PARTITION, found.places))
        output = self._changes(before, after) if self._asked.updating else EMPTY
        self._rows.remove_gone(touched)
        return output

    def advance(self, watermark_ms: int) -> Output:
        if self._asked.updating or watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        slots = self._rows.living()
        every = self._rows.read(slots)
        keys = self._asked.partition
        number = numbered(every, keys, partitions_of(every, keys))
        return self._changes(self._noted(slots).clear(), self._noted(slots).with_columns(number))

    def snapshot(self) -> State:
        progress = pl.DataFrame({"sequence": [self._sequence], "given": [self._given]})
        return {"progress": progress, "rows": self._rows.snapshot()}

    def restore(self, state: State) -> None:
        self._sequence, self._given = state["progress"].row(0)
        self._rows.restore(state["rows"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._rows.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without a partition."""
        return {"rows": self._asked.partition} if self._asked.partition else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the partitions of rows."""
        return batch.select(self._asked.partition)

    def _noted(self, slots: NDArray[np.int64]) -> pl.DataFrame:
        counts, sequence = self._rows.counts(slots), self._rows.read_note(_SEQUENCE, slots)
        return pl.DataFrame([pl.Series(_SLOT, slots), pl.Series(_COUNT, counts), sequence.alias(_SEQUENCE)])

    def _add(self, rows: pl.DataFrame, weights: NDArray[np.int64], before: pl.DataFrame) -> NDArray[np.int64]:
        """Takes rows in and out; returns their slots. A row of which there was none stands where it came anew."""
        sequence = pl.int_range(self._sequence, self._sequence + rows.height, eager=True, dtype=pl.Int64)
        self._sequence += rows.height
        slots = self._rows.add(rows, weights, pl.DataFrame({_SEQUENCE: sequence}))
        if self._ttl_ms is not None:
            self._rows.touch(np.unique(slots), self._clock.now_ms())
        if (weights < 0).any():
            steps = pl.DataFrame([pl.Series(_SLOT, slots), pl.Series(WEIGHT, weights), sequence.alias(_SEQUENCE)])
            had = steps.join(before.select(_SLOT, _COUNT), on=_SLOT, how="left", maintain_order="left")
            there = pl.col(_COUNT).fill_null(0) + pl.col(WEIGHT).cum_sum().over(_SLOT)
            begins = had.with_columns(there.alias(_PLACE)).filter((pl.col(WEIGHT) > 0) & (pl.col(_PLACE) == 1))
            anew = begins.group_by(_SLOT).agg(pl.col(_SEQUENCE).max())
            self._rows.write_note(_SEQUENCE, anew[_SLOT].to_numpy(), anew[_SEQUENCE])
        return slots

    def _changes(self, before: pl.DataFrame, after: pl.DataFrame) -> Output:
        """Compares the entries before and after; a row that went and came anew is two."""
        asked = self._asked
        old = after.select(_SLOT, PARTITION).join(before, on=_SLOT, how="inner", maintain_order="left")
        both = pl.concat(
            [
                after.select(_SLOT, PARTITION, _SEQUENCE, pl.lit(0, dtype=pl.Int64).alias("$before"), pl.col(_COUNT)),
                old.select(
                    _SLOT,
                    PARTITION,
                    _SEQUENCE,
                    pl.col(_COUNT).alias("$before"),
                    pl.lit(0, dtype=pl.Int64).alias(_COUNT),
                ),
            ]
        )
        entries = both.group_by(_SLOT, PARTITION, _SEQUENCE).agg(pl.col("$before").sum(), pl.col(_COUNT).sum())
        entries = entries.filter((pl.col("$before") > 0) | (pl.col(_COUNT) > 0)).sort(_SEQUENCE)
        by = self._rows.read_columns(self._by, entries[_SLOT].to_numpy())
        order, marks = asked.sorted(entries.hstack(by) if self._by else entries)
        change = asked.changes(marks, order["$before"].to_numpy(), order[_COUNT].to_numpy())
        return asked.given(self._rows.read(order[_SLOT].to_numpy()[change.entries]), change)

    def _forget_untouched(self) -> None:
        if self._ttl_ms is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + max(1, self._ttl_ms // _CHECKS_PER_TTL)
            self._rows.remove(self._rows.untouched_since(now_ms - self._ttl_ms))
