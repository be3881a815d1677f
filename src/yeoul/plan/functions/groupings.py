"""Functions that tell which of several sets of keys a row of a grouped query belongs to."""

from __future__ import annotations

from yeoul.plan.functions.signatures import ANYTHING, Function, takes
from yeoul.plan.types import BIGINT

__all__ = ["GROUPINGS"]

_KEYS = takes(ANYTHING, returns=BIGINT, nullable=False, repeat_last=True)

GROUPINGS: tuple[Function, ...] = (
    Function(
        "grouping",
        ("GROUPING",),
        "grouping",
        "GROUPING(key, ...)",
        "A bit for each key, the last the lowest: 1 where the row is not grouped by it.",
        _KEYS,
    ),
    Function("grouping_id", ("GROUPING_ID",), "grouping", "GROUPING_ID(key, ...)", "The same as GROUPING.", _KEYS),
    Function(
        "group_id",
        ("GROUP_ID",),
        "grouping",
        "GROUP_ID()",
        "How many equal sets of keys stand before the row's own.",
        takes(returns=BIGINT, nullable=False),
    ),
)
