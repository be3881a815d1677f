"""How state gives memory back: once most slots are free, it begins anew with what is left.

Slots are numbers below some count, and a slot that is free is given to a later key or row: arrays by slot only grow.
Every state by slot is one of these; `Forgetting` asks them, and operators that remove much.
"""

from __future__ import annotations

import polars as pl

__all__ = ["GivesBack"]

_LEAST_SLOTS = 1 << 16
_SPARSE = 4
"""Memory is given back when there are so many slots for each that is in use."""


class GivesBack:
    """State by slot; those derived say how many slots there are, and begin, give and take all that they hold."""

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        raise NotImplementedError

    def __len__(self) -> int:
        """How many slots are in use."""
        raise NotImplementedError

    def snapshot(self) -> pl.DataFrame:
        """Returns all that is held."""
        raise NotImplementedError

    def restore(self, rows: pl.DataFrame) -> object:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        raise NotImplementedError

    def _begin(self) -> None:
        raise NotImplementedError

    @property
    def is_sparse(self) -> bool:
        """Whether so many slots are free that memory should be given back."""
        return self.slot_count > max(_LEAST_SLOTS, _SPARSE * len(self))

    def give_back(self) -> None:
        """Gives memory back if most of it is of what is gone; to be called while no slot is held.

        Slots are given anew then.
        """
        if self.is_sparse:
            rows = self.snapshot()
            self._begin()
            self.restore(rows)
