"""Windows that are given out before they are over, and again when late rows change them: as changes.

A window closes, for good, when the watermark has passed its end by the allowed lateness: the aggregate below is run on
a watermark that is so much behind. Until then each of its rows is given as it stands: early, at most so long after it
has changed; when the watermark passes its end; then again for late rows. Given is what differs from what was given
before. What was given lies by key, as the aggregate's state does, and goes to disk with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from yeoul.clock import Clock
from yeoul.engine.contract import WATERMARK, WEIGHT
from yeoul.engine.operators.changes.rows import differing
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME, LateRows, Output, State
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.operators.windows.aggregate import WindowAggregate
from yeoul.plan.nodes import Emission

__all__ = ["WINDOW_END", "EmittingWindows"]

WINDOW_END = "$window_end"
"""The property that the aggregate below must give besides: the window's end, as a Datetime."""
_OLD = "$old"
_GIVEN, _EMISSION = "given", "emission"


class EmittingWindows:
    """Gives the changes of a windowed aggregate's rows.

    Args:
        inner: The aggregate; its output ends with `WINDOW_END`.
        keys: The output columns that its keys are.
        emission: How early, how late, how often.
        clock: For the delays, which are of processing time.
    """

    def __init__(self, inner: WindowAggregate, keys: Sequence[str], emission: Emission, clock: Clock) -> None:
        self._inner, self._emission, self._clock = inner, emission, clock
        self._keys, self._identity = list(keys), [*keys, WINDOW_END]
        self._given: dict[int, pl.DataFrame] = {}
        self._changed: set[int] = set()
        self._over = START_OF_TIME
        self._early_at_ms: int | None = None
        self._late_at_ms: int | None = None

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._inner.size_bytes + sum(int(rows.estimated_size()) for rows in self._given.values())

    @property
    def wake_at_ms(self) -> int | None:
        """When changes that wait are to be given; None if none do."""
        return min((time for time in (self._early_at_ms, self._late_at_ms) if time is not None), default=None)

    def wake(self, now_ms: int) -> Output:
        """Gives the changes whose delay is over by a time."""
        due: set[int] = set()
        if self._early_at_ms is not None and self._early_at_ms <= now_ms:
            due |= {end for end in self._changed if end > self._over}
            self._early_at_ms = None
        if self._late_at_ms is not None and self._late_at_ms <= now_ms:
            due |= {end for end in self._changed if end <= self._over}
            self._late_at_ms = None
        return Output(tuple(self._looked_at(due)))

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if WATERMARK in batch.columns:
            batch = self._behind(batch)
        touched = self._inner.ends_of(batch)
        closed = self._inner.process(port, batch)
        self._changed |= {end for end in touched if end > self._inner.closed}
        given = [*self._closing(closed.batches), *self._looked_at(self._due_at_once())]
        return Output(tuple(given), closed.late and self._as_it_stood(closed.late))

    def advance(self, watermark_ms: int) -> Output:
        lateness_ms = self._emission.lateness_ms
        if watermark_ms == END_OF_TIME or not lateness_ms:
            self._over = self._inner.closed_by(watermark_ms)
            return Output(tuple(self._closing(self._inner.advance(watermark_ms).batches)))
        before, self._over = self._over, max(self._over, self._inner.closed_by(watermark_ms))
        given = self._looked_at({end for end in self._changed if before < end <= self._over})
        closed = self._inner.advance(max(watermark_ms, START_OF_TIME + lateness_ms) - lateness_ms)
        return Output((*given, *self._closing(closed.batches)))

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {**self._inner.state_keys, _GIVEN: self._keys} if self._keys else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return self._inner.keys_of(port, batch)

    @property
    def due_ms(self) -> int | None:
        """The least watermark that closes a window, or passes the end of one that has changed; None: none does."""
        ends = [end for end in self._changed if end > self._over]
        times = [self._inner.due_at(min(ends))] if ends else []
        if self._inner.due_ms is not None:
            times.append(self._inner.due_ms + self._emission.lateness_ms)
        return min(times, default=None)

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series:
        """Tells for which rows a window has closed for good, by the watermark before them."""
        return self._inner.may_be_late(port, self._behind(batch))

    def _behind(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns rows judged by a watermark that is behind by the lateness."""
        lateness_ms = self._emission.lateness_ms
        return batch.with_columns(pl.col(WATERMARK).clip(lower_bound=START_OF_TIME + lateness_ms) - lateness_ms)

    def _as_it_stood(self, late: LateRows) -> LateRows:
        """Returns late rows with the watermark itself: the aggregate below knows one that is behind."""
        behind = pl.duration(milliseconds=self._emission.lateness_ms)
        return LateRows(late.frame.with_columns(pl.col("watermark") + behind))

    def snapshot(self) -> State:
        state = dict(self._inner.snapshot())
        over, changed = (
            pl.Series([self._over], dtype=pl.Int64),
            pl.Series([sorted(self._changed)], dtype=pl.List(pl.Int64)),
        )
        state[_EMISSION] = pl.DataFrame([over.alias("over"), changed.alias("changed")])
        if self._given:
            state[_GIVEN] = pl.concat(self._given.values())
        return state

    def restore(self, state: State) -> None:
        self._inner.restore({name: frame for name, frame in state.items() if name not in (_EMISSION, _GIVEN)})
        self._over, changed = state[_EMISSION].row(0)
        self._changed = set(changed)
        if _GIVEN in state:
            self._remember(state[_GIVEN])
        if self._changed:
            now_ms = self._clock.now_ms()
            self._early_at_ms = None if self._emission.early_ms is None else now_ms
            self._late_at_ms = None if self._emission.late_ms is None else now_ms

    def _due_at_once(self) -> set[int]:
        """Returns the windows to give at once; sets a time for those that may wait."""
        due: set[int] = set()
        early = {end for end in self._changed if end > self._over}
        late = self._changed - early
        early_ms, late_ms = self._emission.early_ms, self._emission.late_ms
        if early and early_ms is not None:
            if early_ms:
                self._early_at_ms = self._early_at_ms or self._clock.now_ms() + early_ms
            else:
                due |= early
        if late and late_ms:
            self._late_at_ms = self._late_at_ms or self._clock.now_ms() + late_ms
        elif late:
            due |= late
        return due

    def _looked_at(self, ends: set[int]) -> list[pl.DataFrame]:
        """Returns what has changed in windows that stay open."""
        self._changed -= ends
        rows = self._inner.look(ends) if ends else None
        if rows is None:
            return []
        changes = self._differences(rows)
        self._remember(rows)
        return changes

    def _closing(self, batches: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
        """Returns what has changed in windows that have closed, which are forgotten."""
        found: list[pl.DataFrame] = []
        for rows in batches:
            found += self._differences(rows)
            for end in _ends(rows):
                self._given.pop(end, None)
        # Windows that only late rows touched close without a row.
        self._changed = {end for end in self._changed if end > self._inner.closed}
        return found

    def _remember(self, rows: pl.DataFrame) -> None:
        for part in rows.partition_by(WINDOW_END, maintain_order=True):
            self._given[_ends(part)[0]] = part

    def _differences(self, rows: pl.DataFrame) -> list[pl.DataFrame]:
        """Returns, for each row that differs from what was given, what it was and right behind what it is."""
        known = [self._given[end] for end in _ends(rows) if end in self._given]
        old = pl.concat(known) if known else rows.clear()
        places = old.select(self._identity).with_row_index(_OLD)
        place = rows.select(self._identity).join(
            places, on=self._identity, how="left", nulls_equal=True, maintain_order="left"
        )[_OLD]
        stood = place.is_not_null().to_numpy()
        before, after = old[place.drop_nulls()], rows.filter(pl.Series(stood))
        differs = ~stood
        differs[stood] = differing(before, after, before.columns)
        gone = np.flatnonzero(differs[stood])
        come = np.flatnonzero(differs)
        if not len(come):
            return []
        both = pl.concat([before[gone], rows[come]]).drop(WINDOW_END)
        weights = np.concatenate([np.full(len(gone), -1), np.full(len(come), 1)])
        order = np.argsort(np.concatenate([np.flatnonzero(stood)[gone] * 2, come * 2 + 1]), kind="stable")
        return [both.with_columns(pl.Series(WEIGHT, weights, dtype=pl.Int64))[order]]


def _ends(rows: pl.DataFrame) -> list[int]:
    return epoch_ms(rows[WINDOW_END]).unique(maintain_order=True).to_list()
