"""Session windows: rows of a key with no gap longer than so much between them, given out once nothing can join them.

Which rows belong together is decided row by row, in the order of arrival, by a kernel (`SessionChains`), each row
against the watermark as it stood before it; what is kept is one row of partial aggregates a session. A session whose
end - 1 ms the watermark has passed is given out and forgotten, and its key with the last of them. A row that lies in no
open session, and whose own session would be over, is late.

`SessionAggregate` aggregates, in two phases where a batch allows it: if its times lie within one gap, and no watermark
of its own comes up to them, the rows of a key are of one session, whatever is open. `SessionAssign`, the bare table
function, keeps the rows themselves until the session is over, for only then are the window's bounds known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import where
from yeoul.engine.compile.aggregates import CompiledAggregate, folds_of
from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, LateRows, Output, State
from yeoul.engine.operators.ordered.codes import places_in_order
from yeoul.engine.operators.rows.relabel import RESERVED
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.aggregate import PreparedPanes
from yeoul.engine.state.columns import SlotColumns, distinct
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.merging import Merging
from yeoul.engine.state.timers import Timers
from yeoul.errors import UserError
from yeoul.kernels.sessions import UNARMED, Assigned, SessionChains
from yeoul.plan.nodes import WindowProperty

__all__ = ["SessionAggregate", "SessionAssign"]

_SESSION = "$session"
_START, _END, _TIME = "$start", "$end", "$time"
_ROWS = "$rows"
_BUCKETS_A_GAP = 8
Slots = NDArray[np.int64]


class _Sessions:
    """What both operators share: the open sessions of each key with what is kept of their rows."""

    def __init__(
        self,
        gap_ms: int,
        axis: TimeAxis,
        time_column: str,
        keys: Sequence[tuple[str, pl.Expr]],
        partial: Sequence[pl.Expr],
        merge: Sequence[pl.Expr],
        merging: Merging | None = None,
    ) -> None:
        self._axis, self.time_column = axis, time_column
        self._inner_keys = [f"$key{index}" for index in range(len(keys))]
        self._keys = [expression.alias(inner) for inner, (_, expression) in zip(self._inner_keys, keys, strict=True)]
        self._partial, self._merge, self._merging = partial, merge, merging
        self._chains = SessionChains(gap_ms)
        self._timers = Timers(gap_ms // _BUCKETS_A_GAP)
        self._known: KeyedState | None = None
        self._values: SlotColumns | None = None
        self._doubtful_keys: list[Slots] = []
        self._closed = self._judged_by = self._watermark_ms = START_OF_TIME

    @property
    def due_ms(self) -> int | None:
        """The least watermark that may give something out; None if there is nothing to wait for."""
        next_ms = self._timers.next_ms
        return None if next_ms == END_OF_TIME else self._axis.instant(next_ms - 1)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        times = self._readings(batch)
        closed = self._closed_before(batch)
        self._judged_by = max(self._judged_by, int(closed.max()))  # type: ignore[arg-type]
        slots = self._slots_of(batch.with_columns(self._keys) if self._keys else batch)
        assigned = self._chains.assign(slots, times.to_numpy(), closed.to_numpy())
        is_late = assigned.sessions < 0
        if not is_late.any():
            self._take(batch, assigned)
            return EMPTY
        if not is_late.all():
            self._take(batch.filter(pl.Series(~is_late)), assigned)
        self._doubtful_keys.append(distinct(slots[is_late]))
        return Output(late=self._late_rows(batch, times, pl.Series(is_late)))

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        closed = self.closed_by(watermark_ms)
        if closed <= self._closed:
            return EMPTY
        self._closed = closed
        slots = self._due(closed)
        given = self._given(self._frame_of(slots)) if len(slots) else None
        self._forget(slots, closed)
        return EMPTY if given is None else Output((given,))

    def closed_by(self, watermark_ms: int) -> int:
        """Returns the end of the last session that a watermark closes, or later."""
        return min(self._axis.passed(watermark_ms), END_OF_TIME - 1) + 1

    def snapshot(self) -> State:
        times = {"closed": [self._closed], "watermark": [self._watermark_ms]}
        state = {"times": pl.DataFrame(times, schema={"closed": pl.Int64, "watermark": pl.Int64})}
        slots = self._chains.armed()
        if len(slots):
            state["sessions"] = self._frame_of(slots)
        return state

    def restore(self, state: State) -> None:
        self._closed, self._watermark_ms = state["times"].row(0)
        rows = state.get("sessions")
        if rows is None or not rows.height:
            return
        self._known = KeyedState({name: rows.schema[name] for name in self._inner_keys}, {})
        keys = self._known.upsert(rows).slots
        slots = self._chains.restore(keys, rows[_START].to_numpy(), rows[_END].to_numpy())
        self._write(slots, rows.drop(_START, _END, *self._inner_keys))
        self._arm(slots)

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        kept = [each.size_bytes for each in (self._known, self._values) if each is not None]
        return sum(kept) + self._chains.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {"sessions": self._inner_keys} if self._inner_keys else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return batch.with_columns(self._keys).select(self._inner_keys)

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series:
        """Tells which rows are late if they lie in no open session."""
        return self._readings(batch) + self._chains.gap_ms <= self._closed_before(batch)

    def _given(self, sessions: pl.DataFrame) -> pl.DataFrame:
        """Returns what is given out of sessions: `$start`, `$end`, the inner keys and the partial columns."""
        raise NotImplementedError

    def _slots_of(self, keys: pl.DataFrame) -> Slots:
        """Returns the slots of keys, new ones included."""
        if self._known is None:
            self._known = KeyedState({name: keys.schema[name] for name in self._inner_keys}, {})
        return self._known.upsert(keys).slots

    def _readings(self, batch: pl.DataFrame) -> pl.Series:
        times = batch[self.time_column]
        if times.null_count():
            raise UserError(f"Row time {self.time_column!r} is NULL in {times.null_count()} rows that reached a window")
        return self._axis.readings(times)

    def _closed_before(self, batch: pl.DataFrame) -> pl.Series:
        if WATERMARK not in batch.columns:
            return pl.Series([self._closed], dtype=pl.Int64).new_from_index(0, batch.height)
        passed = self._axis.passed_each(batch[WATERMARK])
        return (passed.clip(upper_bound=END_OF_TIME - 1) + 1).clip(lower_bound=self._closed)

    # What is kept of sessions

    def _take(self, rows: pl.DataFrame, assigned: Assigned) -> None:
        """Adds rows that are not late to their sessions."""
        ids = pl.Series(_SESSION, assigned.sessions[assigned.sessions >= 0])
        self._merge_in(rows.with_columns(ids).group_by(_SESSION, maintain_order=True).agg(self._partial), assigned)

    def _merge_in(self, fresh: pl.DataFrame, assigned: Assigned) -> None:
        """Adds partial aggregates, one row a session, and sessions that were taken in to those that did."""
        slots = fresh[_SESSION].to_numpy()
        absorbed = self._chains.timers(assigned.absorbed) != UNARMED
        stands = self._chains.timers(slots) != UNARMED
        if absorbed.any() or (stands.any() and self._merging is None):
            stood = slots[stands]
            old_slots = np.concatenate([assigned.absorbed[absorbed], stood])
            into = np.concatenate([assigned.into[absorbed], stood])
            old = pl.DataFrame([pl.Series(_SESSION, into), *self._read(old_slots)])
            grown = stands | _are_among(slots, assigned.into[absorbed])
            both = pl.concat([old, where(fresh, grown)]).group_by(_SESSION, maintain_order=True).agg(self._merge)
            self._write(both[_SESSION].to_numpy(), both)
            new = where(fresh, ~grown)
            self._write(new[_SESSION].to_numpy(), new)
        elif stands.any():
            assert self._merging is not None
            assert self._values is not None
            self._values.reserve(int(slots.max()) + 1)
            self._merging.merge(self._values, slots, fresh, ~stands)
        else:
            self._write(slots, fresh)
        self._arm(slots[~stands])
        self._disarm(assigned.absorbed)
        self._chains.release(assigned.absorbed)

    def _read(self, slots: Slots) -> list[pl.Series]:
        assert self._values is not None
        return self._values.read(slots).get_columns()

    def _write(self, slots: Slots, partial: pl.DataFrame) -> None:
        if self._values is None:
            self._values = SlotColumns({name: dtype for name, dtype in partial.schema.items() if name != _SESSION})
        self._values.write(slots, partial)

    def _frame_of(self, slots: Slots) -> pl.DataFrame:
        """Returns sessions whole, in the order of their ends."""
        assert self._known is not None
        order = places_in_order([self._chains.ends(slots), self._chains.starts(slots)])
        slots = slots[order]
        bounds = [pl.Series(_START, self._chains.starts(slots)), pl.Series(_END, self._chains.ends(slots))]
        keys = self._known.read_keys(self._chains.owners(slots)).get_columns()
        return pl.DataFrame([*bounds, *keys, *self._read(slots)])

    def _forget(self, slots: Slots, closed: int) -> None:
        """Drops sessions that were given out, and keys of which no session is left.

        A key is only dropped here, once everything is closed that its rows were judged by: until then a session may be
        over, and in no chain, but not given out yet.
        """
        if not len(slots) and not self._doubtful_keys:
            return
        assert self._known is not None
        self._doubtful_keys.append(self._chains.owners(slots))
        if self._values is not None:
            self._values.forget(slots)
        if closed >= self._judged_by:
            keys = distinct(np.concatenate(self._doubtful_keys))
            self._doubtful_keys = []
            self._chains.prune(keys, closed)
            self._known.remove(keys[self._chains.is_empty(keys)])
        else:
            self._chains.prune(distinct(self._doubtful_keys[-1]), closed)
        self._chains.release(slots)

    # When sessions are over

    def _arm(self, slots: Slots) -> None:
        """Sets a session's one timer; when it is due the session may have grown meanwhile."""
        ends = self._chains.ends(slots)
        self._chains.set_timers(slots, ends)
        self._timers.set(slots, ends)

    def _disarm(self, slots: Slots) -> None:
        self._chains.set_timers(slots, np.full(len(slots), UNARMED))

    def _due(self, closed: int) -> Slots:
        slots, times = self._timers.take(closed)
        slots = distinct(slots[self._chains.timers(slots) == times])
        over = self._chains.ends(slots) <= closed
        self._arm(slots[~over])
        due = slots[over]
        self._disarm(due)
        return due

    def _late_rows(self, batch: pl.DataFrame, times: pl.Series, is_late: pl.Series) -> LateRows:
        late, starts = batch.filter(is_late), times.filter(is_late)
        number = late[ROW] if ROW in late.columns else pl.Series([None], dtype=pl.UInt32).new_from_index(0, late.height)
        watermark = late[WATERMARK] if WATERMARK in late.columns else _constant(self._watermark_ms, late.height)
        ends = starts + self._chains.gap_ms
        columns = {"window_start": starts, "window_end": ends, "watermark": watermark}
        stamps = [each.cast(pl.Datetime("ms")).alias(name) for name, each in columns.items()]
        return LateRows(pl.DataFrame([number.alias(ROW), *stamps]))

    def _property(self, value: WindowProperty, sessions: pl.DataFrame) -> pl.Series:
        match value:
            case WindowProperty.START:
                return sessions[_START].cast(pl.Datetime("ms"))
            case WindowProperty.END:
                return sessions[_END].cast(pl.Datetime("ms"))
            case WindowProperty.TIME:
                return self._axis.row_times(sessions[_END] - 1)


class SessionAggregate(_Sessions):
    """Aggregates the rows of each session.

    Args:
        gap_ms: How long nothing may come within a session.
        axis: The row time's axis: local time for TIMESTAMP_LTZ.
        time_column: The row-time column.
        keys: Output name and expression over the input; each key has sessions of its own. May be empty.
        aggregates: The aggregates, each naming its output.
        properties: Output name and window property.
        output: Output names, in order.
    """

    def __init__(
        self,
        gap_ms: int,
        axis: TimeAxis,
        time_column: str,
        keys: Sequence[tuple[str, pl.Expr]],
        aggregates: Sequence[CompiledAggregate],
        properties: Sequence[tuple[str, WindowProperty]],
        output: Sequence[str],
    ) -> None:
        partial = [expression for one in aggregates for expression in one.partial]
        merge = [expression for one in aggregates for expression in one.merge]
        folds = folds_of(aggregates, {})
        super().__init__(gap_ms, axis, time_column, keys, partial, merge, None if folds is None else Merging(folds))
        outer_keys = {name: pl.col(inner).alias(name) for inner, (name, _) in zip(self._inner_keys, keys, strict=True)}
        self._columns = {**outer_keys, **{one.name: one.final for one in aggregates}}
        self._properties, self._output = dict(properties), list(output)

    def may_close(self, watermark_ms: int, earliest_ms: int, latest_ms: int) -> bool:
        """Tells whether a watermark may come up to rows between two row times; pure. Never wrongly False."""
        shift = self._axis.shift_between(earliest_ms, latest_ms)
        return shift is None or self.closed_by(watermark_ms) >= earliest_ms + shift

    def prepare(self, batch: pl.DataFrame) -> PreparedPanes | None:
        """Aggregates a batch by key, None if its rows have to be judged one by one; pure, callable from any thread.

        No row of the batch may be touched by a session that a watermark of the batch closes: then `$watermark` is left
        out. If rows of a key may be of different sessions they are all left out, as doubtful.
        """
        if not batch.height or WATERMARK in batch.columns:
            return None
        times = self._readings(batch)
        first, last = times.min(), times.max()
        assert isinstance(first, int)
        assert isinstance(last, int)
        if last - first > self._chains.gap_ms or not self._keys:
            return PreparedPanes(pl.DataFrame(), first, batch)
        bounds = (pl.col(_TIME).min().alias(_START), pl.col(_TIME).max().alias(_END))
        grouped = batch.with_columns(times.alias(_TIME)).group_by(self._keys, maintain_order=True)
        return PreparedPanes(compacted(grouped.agg(*bounds, *self._partial)), first)

    def process_prepared(self, prepared: PreparedPanes) -> bool:
        """Takes the aggregated rows, unless a watermark came up to some: then False, and the batch has to be judged.

        If True, the doubtful rows are to be handed to `process` next.
        """
        if prepared.first_end <= self._closed:
            return False
        groups = prepared.partial
        if groups.height:
            slots = self._slots_of(groups)
            closed = np.full(groups.height, self._closed)
            firsts, lasts = groups[_START].to_numpy(), groups[_END].to_numpy()
            assigned = self._chains.assign(slots, firsts, closed, lasts)
            fresh = groups.drop(_START, _END, *self._inner_keys)
            fresh.insert_column(0, pl.Series(_SESSION, assigned.sessions))
            if len(distinct(assigned.sessions)) < fresh.height:
                fresh = fresh.group_by(_SESSION, maintain_order=True).agg(self._merge)
            self._merge_in(fresh, assigned)
        return True

    def _given(self, sessions: pl.DataFrame) -> pl.DataFrame:
        return sessions.select(
            self._property(self._properties[name], sessions).alias(name)
            if name in self._properties
            else self._columns[name]
            for name in self._output
        )


class SessionAssign(_Sessions):
    """Gives each row with the session that it turned out to belong to, once that is over.

    Args:
        gap_ms: How long nothing may come within a session.
        axis: The row time's axis.
        time_column: The row-time column.
        partition: The columns by which sessions are told apart; may be empty.
        columns: The input's columns, in order.
        names: Of window start, window end and window time.
    """

    def __init__(
        self,
        gap_ms: int,
        axis: TimeAxis,
        time_column: str,
        partition: Sequence[str],
        columns: Sequence[str],
        names: tuple[str, str, str],
    ) -> None:
        keys = [(name, pl.col(name)) for name in partition]
        kept = pl.struct(columns).alias(_ROWS)
        super().__init__(gap_ms, axis, time_column, keys, [kept], [pl.col(_ROWS).explode()])
        self._names = names

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        reserved = [name for name in batch.columns if name in RESERVED]
        return super().process(port, compacted(batch.drop(reserved)).with_columns(batch[name] for name in reserved))

    def _given(self, sessions: pl.DataFrame) -> pl.DataFrame:
        values = (WindowProperty.START, WindowProperty.END, WindowProperty.TIME)
        bounds = [self._property(value, sessions).alias(name) for name, value in zip(self._names, values, strict=True)]
        rows = pl.DataFrame([sessions[_ROWS], *bounds]).explode(_ROWS)
        return pl.DataFrame([*rows[_ROWS].struct.unnest().get_columns(), *(rows[name] for name in self._names)])


def _constant(value: int, count: int) -> pl.Series:
    return pl.Series([value], dtype=pl.Int64).new_from_index(0, count)


def _are_among(slots: Slots, others: Slots) -> NDArray[np.bool_]:
    if not len(others):
        return np.zeros(len(slots), np.bool_)
    known = distinct(others)
    found: NDArray[np.bool_] = known[np.searchsorted(known[:-1], slots)] == slots
    return found
