"""What a partition knows of transactions, as a pure state machine over the batches in it.

For each producer whose transaction is open here: its first offset. For each aborted one: from where to where it went,
so that a read_committed reader can be told what to skip. The last stable offset lies below the first record whose fate
is open; a transaction whose marker is not durable yet counts as open, so what a reader was shown stays true whatever a
crash takes away. The state is a function of the batches, so recovery rebuilds it by replay from a checkpoint.

Callers: `partition`, `opening`.

Source: KIP-98, "Transaction index" and "Last stable offset".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["AbortedTransaction", "PartitionTransactions"]


@dataclass(frozen=True, slots=True)
class AbortedTransaction:
    """One transaction that was aborted.

    Attributes:
        producer_id: Whose it was.
        first_offset: Its first record.
        last_offset: Its marker.
        next_unstable_offset: No transaction that ended later begins below it, so a search may stop here.
    """

    producer_id: int
    first_offset: int
    last_offset: int
    next_unstable_offset: int


class PartitionTransactions:
    """All transactions of one partition.

    Example:
        >>> seen = PartitionTransactions()
        >>> seen.wrote(7, 100)
        >>> seen.first_unstable_offset(200)
        100
        >>> seen.ended(7, 110, commit=False)
        >>> seen.first_unstable_offset(110), seen.first_unstable_offset(111)
        (100, None)
        >>> seen.aborted_between(105, 111)
        [(7, 100)]
    """

    __slots__ = ("_aborted", "ending", "open")

    def __init__(self) -> None:
        self.open: dict[int, int] = {}
        """First offset by producer id; in ascending order of offsets, for a transaction begins at the log's end."""
        self.ending: list[tuple[int, int]] = []
        """Marker and first offset of those whose marker may not be durable yet."""
        self._aborted: list[AbortedTransaction] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionTransactions) and self.open == other.open and self._aborted == other._aborted

    __hash__ = None  # type: ignore[assignment]

    def wrote(self, producer_id: int, base_offset: int) -> None:
        """Takes note of a transactional batch at `base_offset`."""
        self.open.setdefault(producer_id, base_offset)

    def ended(self, producer_id: int, offset: int, *, commit: bool) -> None:
        """Takes note of a marker at `offset`; one of a producer that wrote nothing here changes nothing."""
        first_offset = self.open.pop(producer_id, None)
        if first_offset is None:
            return
        self.ending.append((offset, first_offset))
        if not commit:
            unstable_offset = next(iter(self.open.values()), offset + 1)
            self._aborted.append(AbortedTransaction(producer_id, first_offset, offset, unstable_offset))

    def first_unstable_offset(self, high_watermark: int) -> int | None:
        """Returns the first record whose fate is open to readers below `high_watermark`; None when there is none."""
        if self.ending:
            self.forget_endings_below(high_watermark)
        first = next(iter(self.open.values()), None)
        if self.ending:
            ending = min(first_offset for _, first_offset in self.ending)
            return ending if first is None else min(first, ending)
        return first

    def forget_endings_below(self, high_watermark: int) -> None:
        """The markers below the high watermark are durable: their transactions have ended for good."""
        self.ending = [ending for ending in self.ending if ending[0] >= high_watermark]

    def settle(self) -> None:
        """All markers are durable: recovery has ended."""
        self.ending.clear()

    @property
    def has_aborted(self) -> bool:
        return bool(self._aborted)

    def aborted_between(self, offset: int, end_offset: int) -> list[tuple[int, int]]:
        """Returns producer id and first offset of the aborted transactions with a record in a range of offsets."""
        held = self._aborted
        found: list[tuple[int, int]] = []
        for at in range(bisect_left(held, offset, key=lambda aborted: aborted.last_offset), len(held)):
            aborted = held[at]
            if aborted.first_offset < end_offset:
                found.append((aborted.producer_id, aborted.first_offset))
            if aborted.next_unstable_offset >= end_offset:
                break
        return found

    def forget_below(self, start_offset: int) -> None:
        """Drops the aborted transactions that lie wholly below the log's start."""
        if self._aborted and self._aborted[0].last_offset < start_offset:
            at = bisect_left(self._aborted, start_offset, key=lambda aborted: aborted.last_offset)
            del self._aborted[:at]

    def aborted_below(self, end_offset: int) -> list[tuple[int, int, int]]:
        """Returns producer id, first offset and marker of the aborted transactions that begin below an offset."""
        return [(a.producer_id, a.first_offset, a.last_offset) for a in self._aborted if a.first_offset < end_offset]

    def dump(self) -> tuple[list[list[int]], list[list[int]]]:
        """Returns the open and the aborted transactions as rows of integers, for the partition's checkpoint."""
        aborted = [[a.producer_id, a.first_offset, a.last_offset, a.next_unstable_offset] for a in self._aborted]
        return [list(each) for each in self.open.items()], aborted

    @classmethod
    def load(cls, open_rows: Iterable[list[int]], aborted_rows: Iterable[list[int]]) -> PartitionTransactions:
        """Returns the state that `dump` wrote.

        Example:
            >>> PartitionTransactions.load([[7, 3]], [[8, 1, 5, 3]]).dump()
            ([[7, 3]], [[8, 1, 5, 3]])
        """
        made = cls()
        made.open = {row[0]: row[1] for row in open_rows}
        made._aborted = [AbortedTransaction(*row) for row in aborted_rows]
        return made
