"""The different values of groups: for each pair of a group and a value, under which filters it counts.

A pair is known by its fingerprint alone: that of the group's key with the value behind it. Where rows are only added it
has a bit for each filter, else the number of rows for each. A pair also names its group by the number that the group
got when it came: a group that comes again has a new number, and finds none of its former pairs.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.columns import SlotColumns, Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.keyed import TOUCHED
from yeoul.engine.state.touches import Touches
from yeoul.kernels.key_index import KeyIndex

__all__ = ["GROUP", "HIGH", "LOW", "PairState", "bits_in", "tally_columns"]

GROUP, LOW, HIGH = "$group", "$low", "$high"
"""The columns of a snapshot beside those of what counts: the group's number and the pair's fingerprint."""
_BITS = "$bits"
Words = NDArray[np.int64]


def tally_columns(filters: int, *, retracts: bool) -> list[str]:
    """Returns the columns that say of a pair what counts: the filters as bits, or a number of rows for each."""
    return [f"$rows{number}" for number in range(filters)] if retracts else [_BITS]


def bits_in(tally: Words, filter_: int) -> Words:
    """Returns one filter's bit of each word."""
    return (tally >> filter_) & 1


class PairState(GivesBack):
    """Pairs of groups and values.

    Args:
        filters: How many filters there are.
        retracts: Whether rows are taken back.

    Example:
        >>> pairs, groups = PairState(1, retracts=False), np.array([0, 0])
        >>> lanes = np.array([7, 8]), np.array([1, 1])
        >>> which, (change,) = pairs.take(lanes, groups, [np.array([1, 1])])
        >>> which.tolist(), change.tolist()
        ([0, 1], [1, 1])
        >>> pairs.take(lanes, groups, [np.array([1, 1])])[0].tolist()
        []
    """

    def __init__(self, filters: int, *, retracts: bool) -> None:
        self._filters, self._retracts = filters, retracts
        self._tallies = tally_columns(filters, retracts=retracts)
        self._begin()

    def _begin(self) -> None:
        self._index, self._touches = KeyIndex(), Touches()
        self._columns = SlotColumns({GROUP: pl.Int64(), **{name: pl.Int64() for name in self._tallies}})

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        return self._index.slot_count

    def __len__(self) -> int:
        return len(self._index)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return self._index.size_bytes + self._columns.size_bytes + self._touches.size_bytes

    def take(
        self, lanes: Lanes, groups: Words, tallies: list[Words], now_ms: int | None = None
    ) -> tuple[NDArray[np.int64], list[Words]]:
        """Takes in what a batch brings.

        Args:
            lanes: The fingerprints of pairs, each of which stands once.
            groups: The number of each pair's group.
            tallies: As `tally_columns` says: which filters let a row of it through, or how many rows came, or went.
            now_ms: The time, if pairs have a time to live.

        Returns:
            Which pairs count now and did not, or did and do not, under any filter; and for each filter the change of
            each of these, +1, 0 or -1.
        """
        slots, is_new = self._index.upsert(*lanes)
        self._columns.reserve(self._index.slot_count)
        there = self._columns.read(slots)
        known = ~is_new & (there[GROUP].to_numpy() == groups)
        before = [np.where(known, there[name].to_numpy(), 0) for name in self._tallies]
        if now_ms is not None:
            self._touches.put(slots, now_ms)
        return (
            self._counted(slots, groups, before, tallies)
            if self._retracts
            else self._marked(slots, groups, before[0], tallies[0])
        )

    def _marked(self, slots: Slots, groups: Words, before: Words, bits: Words) -> tuple[NDArray[np.int64], list[Words]]:
        fresh = bits & ~before
        which = np.flatnonzero(fresh)
        fresh = fresh[which]
        self._write(slots[which], groups[which], [before[which] | fresh])
        return which, [bits_in(fresh, number) for number in range(self._filters)]

    def _counted(
        self, slots: Slots, groups: Words, before: list[Words], rows: list[Words]
    ) -> tuple[NDArray[np.int64], list[Words]]:
        after = [was + more for was, more in zip(before, rows, strict=True)]
        stays = np.logical_or.reduce([left != 0 for left in after])
        self._write(slots[stays], groups[stays], [left[stays] for left in after])
        self.remove(slots[~stays])
        changes = [(now > 0).astype(np.int64) - (was > 0) for was, now in zip(before, after, strict=True)]
        which = np.flatnonzero(np.logical_or.reduce([change != 0 for change in changes]))
        return which, [change[which] for change in changes]

    def _write(self, slots: Slots, groups: Words, tallies: list[Words]) -> None:
        columns = dict(zip(self._tallies, tallies, strict=True))
        self._columns.write(slots, pl.DataFrame({GROUP: groups, **columns}))

    def touch(self, slots: Slots, now_ms: int) -> None:
        """Says that pairs were in use at a time."""
        self._touches.put(slots, now_ms)

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the slots of pairs whose last touch was before a time."""
        living = self._index.living()
        return living[self._touches.at(living) < before_ms]

    def remove(self, slots: Slots) -> None:
        """Forgets pairs; each slot stands once."""
        if len(slots):
            self._index.remove(slots)
            self._touches.forget(slots)

    def snapshot(self) -> pl.DataFrame:
        """Returns every pair: its group's number, its fingerprint, what counts, and when it was last touched."""
        slots = self._index.living()
        low, high = self._index.fingerprints(slots)
        return pl.DataFrame(
            [
                *self._columns.read(slots).get_columns(),
                pl.Series(LOW, low),
                pl.Series(HIGH, high),
                pl.Series(TOUCHED, self._touches.at(slots)),
            ]
        )

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        slots, _ = self._index.upsert(rows[LOW].to_numpy(), rows[HIGH].to_numpy())
        self._columns.reserve(self._index.slot_count)
        self._columns.write(slots, rows)
        if (rows[TOUCHED] != 0).any():
            self._touches.put(slots, rows[TOUCHED].to_numpy())
