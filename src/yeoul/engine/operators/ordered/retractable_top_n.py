"""Top-N over rows that can be taken back: all rows are remembered, for what was passed over may come up again.

Each batch touches some partitions; their rows are sorted, and what was given and what is to be given are compared (see
`ranks`). Equal rows stand in order of arrival, copies of one row together, where the first of them came.

What is given over a number of batches adds up to the same table however they were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.ordered.partitions import PARTITION, partitions_of
from yeoul.engine.operators.ordered.top_n_rows import TopNRows
from yeoul.engine.state.rows import KeyedRows

__all__ = ["RetractableTopN"]

_PLACE, _SEQUENCE, _COUNT, _SLOT = "$place", "$sequence", "$copies", "$slot"


class RetractableTopN:
    """Ranks rows that can be taken back.

    Args:
        asked: Which rows.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched row is kept; None: for ever.
    """

    def __init__(self, asked: TopNRows, *, clock: Clock, ttl_ms: int | None = None) -> None:
        self._asked = asked
        self._rows = self._nothing()
        self._sequence = 0
        self._given = False
        self._by = asked.by
        self._forgetting = Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forgetting.forget(self._rows)
        rows = batch.select(list(self._asked.columns))
        weights = batch[WEIGHT] if WEIGHT in batch.columns else pl.repeat(1, rows.height, dtype=pl.Int64, eager=True)
        partitions = partitions_of(rows, self._asked.partition)
        known = self._rows.find(partitions.keys, partitions.lanes).slots
        before = self._noted(known)
        touched = self._add(rows, weights.to_numpy(), before)
        found = self._rows.find(partitions.keys, partitions.lanes)
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
        number = partitions_of(every, self._asked.partition).numbers
        output = self._changes(self._noted(slots).clear(), self._noted(slots).with_columns(number))
        self._rows = self._nothing()
        return output

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

    def _nothing(self) -> KeyedRows:
        return KeyedRows(self._asked.columns, self._asked.partition, {_SEQUENCE: pl.Int64()})

    def _noted(self, slots: NDArray[np.int64]) -> pl.DataFrame:
        counts, sequence = self._rows.counts(slots), self._rows.read_note(_SEQUENCE, slots)
        return pl.DataFrame([pl.Series(_SLOT, slots), pl.Series(_COUNT, counts), sequence.alias(_SEQUENCE)])

    def _add(self, rows: pl.DataFrame, weights: NDArray[np.int64], before: pl.DataFrame) -> NDArray[np.int64]:
        """Takes rows in and out; returns their slots. A row of which there was none stands where it came anew."""
        sequence = pl.int_range(self._sequence, self._sequence + rows.height, eager=True, dtype=pl.Int64)
        self._sequence += rows.height
        slots = self._rows.add(rows, weights, pl.DataFrame({_SEQUENCE: sequence}))
        self._forgetting.touch(self._rows, slots)
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
        by = self._rows.read(entries[_SLOT].to_numpy(), self._by)
        places, marks = asked.sorted(entries[PARTITION].to_numpy(), by)
        order = entries[places]
        change = asked.changes(marks, order["$before"].to_numpy(), order[_COUNT].to_numpy())
        return asked.given(self._rows.read(order[_SLOT].to_numpy()[change.entries]), change)
