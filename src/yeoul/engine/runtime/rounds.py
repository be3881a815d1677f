"""The rounds of a job that takes what has arrived at intervals: `SET 'execution.trigger' = '5 s'`.

Rounds are due at whole intervals from the start. A round ends when all that had arrived is taken; then what was written
is flushed and the operators rest. A round that takes longer than the interval is followed by the next one at once;
operators that wait for a time are told it within rounds only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yeoul.clock import Clock
from yeoul.plan.trigger import Trigger, TriggerKind

if TYPE_CHECKING:
    from yeoul.engine.runtime.intake import Intake

__all__ = ["Rounds"]

_LOOK_AGAIN_S = 0.02


class Rounds:
    """Tells the thread of a run when to rest.

    Args:
        trigger: Of the job.
        clock: For the interval.
    """

    def __init__(self, trigger: Trigger, clock: Clock) -> None:
        self._interval_s = trigger.interval_ms / 1_000 if trigger.kind is TriggerKind.PROCESSING_TIME else 0.0
        self._clock = clock
        self._due_s: float | None = None

    @property
    def wait_s(self) -> float | None:
        """The longest that one wait for a step may be, so that a round's end is seen; None: any."""
        return _LOOK_AGAIN_S if self._interval_s else None

    def rest_s(self, intake: Intake) -> float | None:
        """Returns how long to rest now; None: go on."""
        if not self._interval_s:
            return None
        now_s = self._clock.monotonic_s()
        if self._due_s is None:
            self._due_s = now_s + self._interval_s
        if now_s >= self._due_s:
            self._due_s += self._interval_s * (1 + (now_s - self._due_s) // self._interval_s)
            return 0.0
        return self._due_s - now_s if intake.is_caught_up else None
