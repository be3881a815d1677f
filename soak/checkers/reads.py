"""Reads: only what is committed, in order, with nothing left out."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator

from soak.checkers.violation import Violation
from soak.history import Decision, History, Outcome, Place, Read

__all__ = ["reads_of_what_is_not_committed", "reads_that_go_back", "reads_with_holes"]


def _sessions(history: History) -> dict[tuple[str, Place], list[Read]]:
    found: dict[tuple[str, Place], list[Read]] = defaultdict(list)
    for read in history.reads:
        found[read.session, read.place].append(read)
    return found


def reads_of_what_is_not_committed(history: History) -> Iterator[Violation]:
    """A reader of committed records sees none of an aborted or open transaction, nor one whose commit was not asked."""
    transactions = {each.name: each for each in history.transactions}
    visible = {(record.place, record.offset) for record in history.stored if record.visible}
    starts = {end.place: end.start for end in history.ends}
    for read in history.reads:
        if not read.committed:
            continue
        what = ""
        transaction = transactions.get(read.transaction)
        if transaction is not None:
            if transaction.decision is not Decision.COMMIT:
                what = f"whose decision was {transaction.decision}"
            elif transaction.outcome is Outcome.FAIL:
                what = "whose commit was refused"
            elif read.at_s < transaction.decided_s:
                what = f"{transaction.decided_s - read.at_s:.3f} s before its commit was asked for"
        if what:
            what = f"{read.session} read {read.name} at offset {read.offset} of transaction {read.transaction}, {what}"
            yield Violation(str(read.place), what)
        elif read.offset >= starts.get(read.place, 0) and (read.place, read.offset) not in visible:
            what = f"{read.session} read {read.name} at offset {read.offset}, which no reader sees in the end"
            yield Violation(str(read.place), what)


def reads_that_go_back(history: History) -> Iterator[Violation]:
    """Within a session offsets ascend."""
    for (session, place), reads in _sessions(history).items():
        newest = -1
        for read in reads:
            if read.offset <= newest:
                yield Violation(str(place), f"{session} read offset {read.offset} after {newest}")
            newest = max(newest, read.offset)


def reads_with_holes(history: History) -> Iterator[Violation]:
    """Between two records of a session lies none that it should have seen."""
    visible: dict[tuple[Place, bool], list[int]] = defaultdict(list)
    for record in history.stored:
        visible[record.place, False].append(record.offset)
        if record.visible:
            visible[record.place, True].append(record.offset)
    for (session, place), reads in _sessions(history).items():
        expected = visible[place, reads[0].committed]
        before = reads[0].offset
        for read in reads[1:]:
            skipped = expected[bisect.bisect_right(expected, before) : bisect.bisect_left(expected, read.offset)]
            if skipped:
                what = f"{session} went from offset {before} to {read.offset} and left out {skipped[:10]}"
                yield Violation(str(place), what)
            before = max(before, read.offset)
