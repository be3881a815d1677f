"""What a history must never show. Each checker is a pure function from a history to violations.

`check` runs them all. A checker must be sound before it is sharp: whatever a real Kafka may do under the same
faults (an unknown outcome that turns out either way, a retry of a producer that is not idempotent) is no violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from soak.checkers import exactly_once, offsets, reads, transactions, writes
from soak.checkers.violation import Violation
from soak.history import History

__all__ = ["CHECKERS", "Violation", "check"]

Checker = Callable[[History], Iterator[Violation]]

CHECKERS: dict[str, Checker] = {
    "lost writes": writes.lost_writes,
    "refused writes that are there": writes.refused_writes_stored,
    "duplicates": writes.duplicates,
    "order of a producer": writes.order_of_producers,
    "sequences of a producer id": writes.gaps_in_sequences,
    "records that nobody wrote": writes.unexplained_records,
    "an offset with two values": writes.offsets_with_two_values,
    "aborted or undecided reads": reads.reads_of_what_is_not_committed,
    "reads that go back": reads.reads_that_go_back,
    "reads that leave out records": reads.reads_with_holes,
    "torn transactions": transactions.torn_transactions,
    "decisions turned around": transactions.decisions_turned_around,
    "hanging transactions": transactions.hanging_transactions,
    "aborted lists that disagree": transactions.aborted_lists_that_disagree,
    "committed offsets that go back": offsets.committed_offsets_that_go_back,
    "high watermark or stable offset going back": offsets.watermarks_that_go_back,
    "offsets in step with their output": exactly_once.copies_in_step_with_offsets,
    "still stuck when the faults were over": lambda history: (Violation("stuck", text) for text in history.stuck),
}


def check(history: History) -> dict[str, list[Violation]]:
    """Returns what each checker found, by its name."""
    return {name: list(checker(history)) for name, checker in CHECKERS.items()}
