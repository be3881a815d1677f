"""Transactions: all of it or nothing, as it was decided, and ended when all is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from soak.checkers.violation import Violation
from soak.history import Decision, History, Outcome, Write
from soak.values import name_of

__all__ = ["aborted_lists_that_disagree", "decisions_turned_around", "hanging_transactions", "torn_transactions"]


def _writes_by_transaction(history: History) -> dict[str, list[Write]]:
    found: dict[str, list[Write]] = defaultdict(list)
    for write in history.writes:
        if write.transaction:
            found[write.transaction].append(write)
    return found


def torn_transactions(history: History) -> Iterator[Violation]:
    """Readers of committed records see every record of a transaction whose commit was asked for, or none at all."""
    visible = {record.name for record in history.stored if record.visible}
    writes = _writes_by_transaction(history)
    for each in history.transactions:
        names = [name_of(write.writer, write.number) for write in writes.get(each.name, ())]
        seen = [name for name in names if name in visible]
        if each.decision is Decision.COMMIT and seen and len(seen) < len(names):
            missing = sorted(set(names) - set(seen))[:10]
            yield Violation(each.name, f"{len(seen)} of {len(names)} records are visible; missing {missing}")


def decisions_turned_around(history: History) -> Iterator[Violation]:
    """An acknowledged commit is visible, an acknowledged abort is not, nor is what nobody asked to commit."""
    visible = {record.name for record in history.stored if record.visible}
    writes = _writes_by_transaction(history)
    for each in history.transactions:
        names = [name_of(write.writer, write.number) for write in writes.get(each.name, ())]
        seen = [name for name in names if name in visible]
        is_committed = each.decision is Decision.COMMIT and each.outcome is Outcome.OK
        is_aborted = each.decision is not Decision.COMMIT or each.outcome is Outcome.FAIL
        if is_committed and names and not seen:
            yield Violation(each.name, f"its commit was acknowledged, none of its {len(names)} records is visible")
        if is_aborted and seen:
            yield Violation(each.name, f"decision {each.decision}, outcome {each.outcome}, yet {seen[:10]} are visible")


def hanging_transactions(history: History) -> Iterator[Violation]:
    """When all is over no open transaction holds readers back."""
    for end in history.ends:
        if end.stable < end.high:
            yield Violation(str(end.place), f"the last stable offset stays at {end.stable} below {end.high}")


def aborted_lists_that_disagree(history: History) -> Iterator[Violation]:
    """What the broker names as aborted is what the markers in the log say."""
    for record in history.stored:
        if record.visible != record.served:
            said = "committed" if record.visible else "aborted"
            what = f"{record.name} at offset {record.offset} is {said} by its marker, the broker's answers differ"
            yield Violation(str(record.place), what)
