"""What a regular join remembers of each side: as little as the side's changes and unique keys allow.

Where nothing is taken back, no row has to be found by its values. Where a unique key is among the columns compared, a
key has one row; where one is known beside them, rows are found by it. Else equal rows are counted.
Source: Flink's join state views, which tell the same cases of rows that change apart.
"""

from __future__ import annotations

import enum
from collections.abc import Set
from dataclasses import dataclass

__all__ = ["COUNTED", "RowsKept", "SideState", "side_state"]


class RowsKept(enum.Enum):
    """How rows are kept."""

    STANDING = "standing"
    ONE_PER_KEY = "one per key"
    UNIQUE = "unique"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class SideState:
    """What is kept of a side.

    Attributes:
        kept: How.
        unique: Of UNIQUE, the columns besides the join's key that tell a key's rows apart.
    """

    kept: RowsKept
    unique: tuple[str, ...] = ()

    def __str__(self) -> str:
        match self.kept:
            case RowsKept.ONE_PER_KEY:
                return "one row for each key"
            case RowsKept.UNIQUE:
                return f"one row for each key and {', '.join(self.unique)}"
            case RowsKept.COUNTED:
                return "a count for every different row"
            case RowsKept.STANDING:
                return "every row"


COUNTED = SideState(RowsKept.COUNTED)


def side_state(
    keys: frozenset[frozenset[str]], *, is_append_only: bool, compared: Set[str], used: Set[str]
) -> SideState:
    """Returns what is kept of a side.

    Args:
        keys: Its unique keys.
        is_append_only: Whether nothing of it is taken back.
        compared: Its columns that have to equal the other's.
        used: Its columns that are kept.

    Example:
        >>> keys = frozenset({frozenset({"id"})})
        >>> str(side_state(keys, is_append_only=False, compared={"id"}, used=set()))
        'one row for each key'
        >>> str(side_state(keys, is_append_only=False, compared={"city"}, used={"id", "name"}))
        'one row for each key and id'
    """
    if is_append_only:
        return SideState(RowsKept.STANDING)
    left = sorted((sorted(key - compared) for key in keys if key - compared <= used), key=lambda one: (len(one), one))
    if not left:
        return COUNTED
    return SideState(RowsKept.UNIQUE, tuple(left[0])) if left[0] else SideState(RowsKept.ONE_PER_KEY)
