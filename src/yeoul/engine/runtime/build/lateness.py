"""Which operators set rows aside that come late."""

from __future__ import annotations

from yeoul.engine.operators.contract import Operator
from yeoul.engine.operators.joins.interval import IntervalJoin
from yeoul.engine.operators.joins.temporal import TemporalJoin
from yeoul.engine.operators.joins.window import WindowJoin
from yeoul.engine.operators.key_groups.prepared import undivided
from yeoul.engine.operators.ordered.deduplicate import FirstRows
from yeoul.engine.operators.ordered.over import Over
from yeoul.engine.operators.ordered.sort import SortByTime
from yeoul.engine.operators.windows.aggregate import WindowAggregate
from yeoul.engine.operators.windows.emitting import EmittingWindows
from yeoul.engine.operators.windows.sessions import SessionAggregate, SessionAssign
from yeoul.engine.operators.windows.top_n import WindowTopN
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


def judges_lateness(operator: Operator | None) -> bool:
    """Tells whether an operator sets rows aside that the watermark had passed."""
    operator = undivided(operator)
    if isinstance(operator, FirstRows | Over):
        return operator.time is OverTime.EVENT
    return isinstance(operator, _JUDGING)
