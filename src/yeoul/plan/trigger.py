"""When a job takes what has arrived: Spark's triggers, as a value.

`SET 'execution.trigger'` names them, and so do `yeoul sql --trigger` and whoever makes a session.
Source: https://spark.apache.org/docs/latest/streaming/apis-on-dataframes-and-datasets.html#triggers
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from yeoul.errors import UserError, did_you_mean
from yeoul.units import parse_duration_ms

__all__ = ["AS_FAST_AS_POSSIBLE", "TRIGGER_SETTING", "Trigger", "TriggerKind", "parse_trigger"]

TRIGGER_SETTING = "execution.trigger"


class TriggerKind(enum.Enum):
    """What makes a job take rows.

    Attributes:
        AS_FAST_AS_POSSIBLE: Rows are taken as they arrive.
        PROCESSING_TIME: All that has arrived is taken at intervals; between them the operators rest.
        ONCE: What is there when the job starts is taken, what was written is made safe in one go, and the job ends.
        AVAILABLE_NOW: The same, but what was written is made safe as it goes.
    """

    AS_FAST_AS_POSSIBLE = "as-fast-as-possible"
    PROCESSING_TIME = "processing-time"
    ONCE = "once"
    AVAILABLE_NOW = "available-now"


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a job takes what has arrived.

    Attributes:
        kind: See there.
        interval_ms: Of PROCESSING_TIME; 0 with any other.
    """

    kind: TriggerKind = TriggerKind.AS_FAST_AS_POSSIBLE
    interval_ms: int = 0

    @property
    def ends_now(self) -> bool:
        """Whether tables end where they end when the job starts."""
        return self.kind in (TriggerKind.ONCE, TriggerKind.AVAILABLE_NOW)

    @property
    def has_rounds(self) -> bool:
        """Whether a job takes rows round by round, and tells what changed in each."""
        return self.kind is TriggerKind.PROCESSING_TIME


AS_FAST_AS_POSSIBLE = Trigger()


def parse_trigger(text: str) -> Trigger:
    """Reads `as-fast-as-possible`, `once`, `available-now`, or an interval such as `5 s`.

    Raises:
        UserError: It is none of these.

    Example:
        >>> parse_trigger("5 s").interval_ms, parse_trigger("available-now").ends_now
        (5000, True)
    """
    named = {kind.value: Trigger(kind) for kind in TriggerKind if kind is not TriggerKind.PROCESSING_TIME}
    word = text.strip().lower()
    if word in named:
        return named[word]
    try:
        interval_ms = parse_duration_ms(word)
    except UserError:
        raise UserError(
            f"Expected {', '.join(repr(name) for name in named)} or an interval such as '5 s', got {text!r}",
            hint=did_you_mean(word, named),
        ) from None
    return Trigger(TriggerKind.PROCESSING_TIME, interval_ms) if interval_ms else AS_FAST_AS_POSSIBLE
