"""What an operator tells of itself so that its state can be divided by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import polars as pl

from yeoul.engine.operators.contract import Operator

__all__ = ["Keyed", "KeyedOperator", "Timely"]


@runtime_checkable
class Keyed(Protocol):
    """An operator whose rows and state fall apart by key; only the last watermark moves it, unless it is `Timely`."""

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        ...

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """For each frame of a snapshot that belongs to keys: the key's columns. Empty: it does not fall apart.

        Other frames have one row, which holds for every key.
        """
        ...

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the key of each row, in columns of the types that `state_keys` have."""
        ...


@runtime_checkable
class Timely(Protocol):
    """A keyed operator that watermarks move, too.

    It judges each row by that row's `$watermark`, so that it may learn of a watermark later than the rows behind it, as
    long as it has not learned of a later one than theirs.
    """

    @property
    def due_ms(self) -> int | None:
        """The least watermark that gives something; None if there is nothing to wait for. It may be too early."""
        ...

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series | None:
        """Tells which rows, all with `$watermark`, may be set aside as late; None: none ever is. Looks at no state."""
        ...


class KeyedOperator(Keyed, Operator, Protocol):
    """What is divided."""
