"""The temporal join: each row of the left beside the version that the right had of its key at the row's time.

A row waits until the watermark has passed its time: then every version that it could meet is there, but late ones. Rows
are given in order of time, so it does not matter how often the watermark moved on the way. Versions that no later row
can meet are dropped with the watermark; what has been deleted is there no more from then on.

Late rows are judged by the watermark before that very row, as everywhere. A left row that comes late is answered at
once, by what the watermark has left of its key; a version that comes late counts for the rows that are not yet
answered, if it is the newest that has passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import where
from yeoul.engine.contract import WATERMARK, WEIGHT
from yeoul.engine.operators.contract import EMPTY, START_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.joins.sides import JoinSides
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.versions import Versions
from yeoul.kernels.timelines import Coming
from yeoul.plan.join_bounds import AsOf

__all__ = ["TemporalJoin"]

_TIME = "$time"
_RATIO = 4


class TemporalJoin:
    """Joins rows that stand, port 0, with a table's versions, port 1; kinds INNER and LEFT.

    Args:
        sides: The inputs and what is given; the keys tell the right's rows apart.
        as_of: The sides' row times.
        clock: The time, for the time to live.
        ttl_ms: How long a key of the right that is not in use is kept; None: for ever.
        judged: Whether an operator above asks for `$watermark`.
    """

    def __init__(
        self, sides: JoinSides, as_of: AsOf, *, clock: Clock, ttl_ms: int | None = None, judged: bool = False
    ) -> None:
        self._sides, self._times, self._judged = sides, (as_of.left_time, as_of.right_time), judged
        self._clock, self._ttl_ms, self._forgetting = clock, ttl_ms, Forgetting(clock, ttl_ms)
        self._waiting: list[pl.DataFrame] = []
        self._versions: Versions | None = None
        self._watermark_ms = START_OF_TIME

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        rows, times = self._sides.keyed(port, batch), epoch_ms(batch[self._times[port]]).to_numpy()
        before = batch[WATERMARK].to_numpy() if WATERMARK in batch.columns else np.full(len(times), self._watermark_ms)
        if port:
            is_gone = batch[WEIGHT].to_numpy() < 0 if WEIGHT in batch.columns else np.zeros(batch.height, np.bool_)
            self._add_versions(rows, times, before, is_gone)
            return EMPTY
        is_late = times <= before
        if not is_late.any():
            self._wait(rows, times)
            return EMPTY
        self._wait(rows.filter(pl.Series(~is_late)), times[~is_late])
        late = rows.filter(pl.Series(is_late))
        joined, places = self._joined(late, times[is_late], before[is_late])
        if self._judged and WATERMARK in batch.columns:
            joined = joined.with_columns(pl.Series(WATERMARK, before[is_late][places], dtype=pl.Int64))
        return Output((joined,)) if joined.height else EMPTY

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        due = self._due(watermark_ms)
        joined = None if due is None else self._joined(due.drop(_TIME), due[_TIME].to_numpy())[0]
        if self._versions is not None:
            self._versions.forget_before(watermark_ms)
            self._versions.give_back()
            self._forgetting.forget(self._versions)
        return EMPTY if joined is None or not joined.height else Output((joined,))

    def snapshot(self) -> State:
        state = {"watermark": pl.DataFrame({"ms": [self._watermark_ms]}, schema={"ms": pl.Int64})}
        if self._waiting:
            state["left"] = _in_order(pl.concat(self._waiting))
        if self._versions is not None:
            state["right"] = self._versions.snapshot()
        return state

    def restore(self, state: State) -> None:
        self._watermark_ms = state["watermark"]["ms"].item()
        if "left" in state and state["left"].height:
            self._waiting = [state["left"]]
        if "right" in state:
            self._versions = self._made(state["right"])
            self._versions.restore(state["right"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        versions = 0 if self._versions is None else self._versions.size_bytes
        return versions + sum(int(run.estimated_size()) for run in self._waiting)

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        names = self._sides.key_names
        return {"left": names, "right": names} if names else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of an input's rows."""
        return self._sides.keyed(port, batch).select(self._sides.key_names)

    @property
    def due_ms(self) -> int | None:
        """The least watermark that has passed a row that waits; None if none does."""
        return min((int(run[_TIME][0]) for run in self._waiting), default=None)

    def may_be_late(self, port: int, batch: pl.DataFrame) -> None:
        """No row is set aside."""
        return None

    def _add_versions(
        self, rows: pl.DataFrame, times: NDArray[np.int64], before: NDArray[np.int64], is_gone: NDArray[np.bool_]
    ) -> None:
        comings = np.where(is_gone, Coming.END, Coming.VERSION).astype(np.uint8)
        comings[is_gone & self._make_room(rows, is_gone)] = Coming.REPLACED
        has_key = self._sides.has_key(rows)
        if self._versions is None:
            self._versions = self._made(rows)
        starts = np.maximum(times, before + 1)
        now_ms = None if self._ttl_ms is None else self._clock.now_ms()
        if has_key is not None:
            with_key = has_key.to_numpy()
            rows, times, starts, comings = where(rows, has_key), times[with_key], starts[with_key], comings[with_key]
        self._versions.add(rows, times, starts, comings, now_ms)

    def _make_room(self, rows: pl.DataFrame, is_gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tells behind which rows one of the same key comes that is there: an update is the two of them."""
        if not is_gone.any():
            return is_gone
        same = pl.Series(np.append(~is_gone[1:], False))
        for name in self._sides.key_names:
            same &= rows[name].eq_missing(rows[name].shift(-1))
        return same.to_numpy()

    def _wait(self, rows: pl.DataFrame, times: NDArray[np.int64]) -> None:
        if not rows.height:
            return
        self._waiting.append(_in_order(compacted(rows).with_columns(pl.Series(_TIME, times))))
        while len(self._waiting) > 1 and self._waiting[-1].height * _RATIO > self._waiting[-2].height:
            last = self._waiting.pop()
            self._waiting[-1] = _in_order(pl.concat([self._waiting[-1], last]))

    def _due(self, watermark_ms: int) -> pl.DataFrame | None:
        """Takes out the rows that the watermark has passed, in order of time."""
        counts = [int(run[_TIME].search_sorted(watermark_ms, side="right")) for run in self._waiting]
        if not any(counts):
            return None
        due = [run.head(count) for run, count in zip(self._waiting, counts, strict=True) if count]
        left = [run.slice(count) for run, count in zip(self._waiting, counts, strict=True)]
        self._waiting = [run for run in left if run.height]
        return due[0] if len(due) == 1 else _in_order(pl.concat(due))

    def _joined(
        self, rows: pl.DataFrame, times: NDArray[np.int64], before: NDArray[np.int64] | None = None
    ) -> tuple[pl.DataFrame, NDArray[np.int64]]:
        """Returns rows beside their versions, and the place of each among the rows."""
        slots = self._slots(rows, times, before)
        places = np.flatnonzero(slots >= 0)
        partners = None if self._versions is None else self._versions.read(slots[places])
        if partners is None:
            both, places = self._sides.alone(0, rows.clear()), places[:0]
        else:
            both = self._sides.together(0, rows if len(places) == rows.height else rows[places], partners)
            holds = self._sides.holding(both)
            if holds is not None:
                both, places = both.filter(holds), places[holds.to_numpy()]
            both = both.select(list(self._sides.output))
        if not self._sides.keeps(0) or len(places) == rows.height:
            return both, places
        lonely = np.setdiff1d(np.arange(rows.height), places, assume_unique=True)
        order = np.argsort(np.concatenate([places, lonely]))
        return pl.concat([both, self._sides.alone(0, rows[lonely])])[order], np.arange(rows.height)

    def _slots(
        self, rows: pl.DataFrame, times: NDArray[np.int64], before: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Returns the version that each row meets, -1 where there is none."""
        if self._versions is None:
            return np.full(rows.height, -1, np.int64)
        now_ms = None if self._ttl_ms is None else self._clock.now_ms()
        if before is None:
            return self._versions.as_of(rows, times, now_ms)
        slots = self._versions.as_of(rows, before, now_ms)
        known = np.flatnonzero(slots >= 0)
        slots[known[self._versions.times(slots[known]) > times[known]]] = -1
        return slots

    def _made(self, rows: pl.DataFrame) -> Versions:
        return Versions(self._sides.right.columns, {name: rows.schema[name] for name in self._sides.key_names})


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns rows by time, those of one time in order of arrival."""
    return rows if rows[_TIME].is_sorted() else rows.sort(_TIME, maintain_order=True)
