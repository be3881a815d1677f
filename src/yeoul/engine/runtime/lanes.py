"""The way from one scan to the first operator that remembers anything: computed columns, the batch's own running
watermark, filters, and the first phase of an aggregate. All of it is stateless and runs on the decode pool, several
batches at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from yeoul.engine.contract import WATERMARK, Omitted, SourceBatch
from yeoul.engine.operators.assign_watermark import AssignWatermark, Times, TimesInOrder
from yeoul.engine.operators.contract import Stateless
from yeoul.engine.operators.groups.aggregate import Aggregate
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.engine.operators.joins.interval import IntervalJoin
from yeoul.engine.operators.joins.temporal import TemporalJoin
from yeoul.engine.operators.key_groups.prepared import AggregateKeyGroups, WindowKeyGroups, undivided
from yeoul.engine.operators.windows.aggregate import PreparedPanes, WindowAggregate
from yeoul.engine.operators.windows.sessions import SessionAggregate
from yeoul.engine.runtime.stages import Stage

__all__ = ["Lane", "Prepared"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch of one split after the stateless part of its lane.

    Attributes:
        source: The batch as decoded, to recover late rows from.
        frame: Its rows now.
        panes: Its rows aggregated by pane and key, as far as they can be, if the lane leads into a windowed aggregate.
        groups: Its rows aggregated by key, if the lane leads into an aggregate without a window; then `frame` is empty.
        is_full: Whether `$watermark` and `$row` are there.
        dead: Rows whose row time is NULL, as indexes into `source.frame`.
        watermark_ms: The batch's greatest watermark.
        latest_ms: The batch's greatest row time.
        parts: The batch as each of several plans prepared it, where they run as one.
        order: The times of its rows as they came, where all parts have to be done with a row before the next one that
            is late comes to any.
    """

    source: SourceBatch
    frame: pl.DataFrame
    panes: PreparedPanes | None = None
    groups: pl.DataFrame | None = None
    is_full: bool = False
    dead: pl.Series | None = None
    watermark_ms: int | None = None
    latest_ms: int | None = None
    parts: tuple[Prepared, ...] = ()
    order: TimesInOrder | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """The way of one scan's rows up to the first operator with state.

    Attributes:
        before: Stateless operators below the watermark.
        assign: The watermark, if the table has one.
        after: Stateless operators above it.
        target: Where the rows go then, and on which port; None if they are the result.
        judges: Whether an operator above judges lateness.
        idle_timeout_ms: After how long at its end a split is idle; None: never.
        alignment: The group that its splits wait for, and up to which drift in ms, if its table asks for that.
        clock: What of `before` event time is computed by: for rows that the source left out.
    """

    before: Sequence[Stateless]
    assign: AssignWatermark | None
    after: Sequence[Stateless]
    target: tuple[Stage, int] | None
    judges: bool = False
    idle_timeout_ms: int | None = None
    alignment: tuple[str, int] | None = None
    clock: Sequence[Stateless] = ()

    @property
    def aggregate(self) -> Aggregate | GroupAggregate | AggregateKeyGroups | None:
        """The aggregate without a window that the lane leads straight into, if it does."""
        operator = self.target[0].operator if self.target else None
        return operator if isinstance(operator, Aggregate | GroupAggregate | AggregateKeyGroups) else None

    @property
    def window(self) -> WindowAggregate | SessionAggregate | WindowKeyGroups | None:
        """The windowed aggregate that the lane leads straight into, if it does; one of sessions by its own row time."""
        operator = self.target[0].operator if self.target else None
        if not isinstance(operator, WindowAggregate | SessionAggregate | WindowKeyGroups):
            return None
        by_other_time = self.assign is None or operator.time_column != self.assign.column
        return None if by_other_time and isinstance(undivided(operator), SessionAggregate) else operator

    @property
    def leads_into_timed_join(self) -> bool:
        """Whether the lane leads straight into one: it looks at each row's watermark only if a row may be late."""
        operator = self.target[0].operator if self.target else None
        return isinstance(undivided(operator), IntervalJoin | TemporalJoin)

    def prepare(self, source: SourceBatch, full: bool = False) -> Prepared:
        """Does the stateless part; callable from any thread."""
        return self.prepare_timed(source, _through(self.before, source.frame), full=full)

    def prepare_timed(
        self, source: SourceBatch, frame: pl.DataFrame, times: Times | None = None, *, full: bool = False
    ) -> Prepared:
        """Does what is left of the stateless part above `before`; what times the rows tell may be known."""
        if self.assign is None:
            return self._prepared(source, _through(self.after, frame))
        window = self.window
        straight = window is not None and window.time_column == self.assign.column
        may_close = window.may_close if window is not None and straight else None
        needs_all = full or (self.judges and window is None and not self.leads_into_timed_join)
        measured = self.assign.measure(frame, needs_all, may_close, self._omitted(source), times)
        frame = _through(self.after, measured.frame)
        panes = window.prepare(frame) if window is not None and not full else None
        prepared = self._prepared(source, frame, panes)
        return replace(prepared, dead=measured.dead, watermark_ms=measured.watermark_ms, latest_ms=measured.latest_ms)

    def order(
        self, source: SourceBatch, frame: pl.DataFrame | None = None, times: Times | None = None
    ) -> TimesInOrder | None:
        """Returns the times of a batch as they came; its rows above `before`, and what they tell, may be known."""
        if self.assign is None:
            return None
        rows = _through(self.before, source.frame) if frame is None else frame
        return self.assign.order(rows, self._omitted(source), times)

    def _omitted(self, source: SourceBatch) -> Omitted | None:
        omitted = source.omitted
        return None if omitted is None else replace(omitted, times=_through(self.clock, omitted.times))

    def _prepared(self, source: SourceBatch, frame: pl.DataFrame, panes: PreparedPanes | None = None) -> Prepared:
        aggregate = self.aggregate
        groups = None if aggregate is None else aggregate.prepare(frame)
        kept = frame if groups is None else frame.clear()
        return Prepared(source, kept, panes, groups, WATERMARK in frame.columns)


def _through(operators: Iterable[Stateless], frame: pl.DataFrame) -> pl.DataFrame:
    for operator in operators:
        frame = operator.transform(frame)
    return frame
