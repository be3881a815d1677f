"""Which operators set rows aside that come late."""

from __future__ import annotations

from yeoul.engine.operators.contract import Operator
from yeoul.engine.operators.deduplicate import FirstRows
from yeoul.engine.operators.emitting_windows import EmittingWindows
from yeoul.engine.operators.interval_join import IntervalJoin
from yeoul.engine.operators.over import Over
from yeoul.engine.operators.sessions import SessionAggregate, SessionAssign
from yeoul.engine.operators.sort import SortByTime
from yeoul.engine.operators.temporal_join import TemporalJoin
from yeoul.engine.operators.window_aggregate import WindowAggregate
from yeoul.engine.operators.window_join import WindowJoin
from yeoul.engine.operators.window_top_n import WindowTopN
from yeoul.plan.ordering import OverTime

__all__ = ["judges_lateness"]

_JUDGING = (
    WindowAggregate,
    EmittingWindows,
    SessionAggregate,
    SessionAssign,
    WindowTopN,
    IntervalJoin,
    WindowJoin,
    TemporalJoin,
    SortByTime,
)


def judges_lateness(operator: Operator) -> bool:
    """Tells whether an operator sets rows aside that the watermark had passed."""
    if isinstance(operator, FirstRows | Over):
        return operator.time is OverTime.EVENT
    return isinstance(operator, _JUDGING)
