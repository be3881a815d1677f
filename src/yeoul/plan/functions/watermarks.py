"""The function that asks for event time itself: a plan's watermark answers it, not the row's own values."""

from __future__ import annotations

from yeoul.plan.functions.signatures import Function, Parameter, takes
from yeoul.plan.types import DataType, Kind, timestamp, timestamp_ltz

__all__ = ["CURRENT_WATERMARK", "WATERMARKS"]

CURRENT_WATERMARK = "current_watermark"

_ROWTIME = Parameter("a row time", lambda given: given if given.is_timestamp else None)


def _in_ms(args: tuple[DataType, ...]) -> DataType:
    """A watermark counts milliseconds, whatever the row time's precision."""
    return timestamp_ltz(3) if args[0].kind is Kind.TIMESTAMP_LTZ else timestamp(3)


WATERMARKS: tuple[Function, ...] = (
    Function(
        CURRENT_WATERMARK,
        ("CURRENT_WATERMARK",),
        "temporal",
        "CURRENT_WATERMARK(rowtime)",
        "The watermark as it stood before the row came; NULL before the first.",
        takes(_ROWTIME, returns=_in_ms, nullable=True),
    ),
)
