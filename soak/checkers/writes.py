"""Writes: acknowledged ones are there, once, in order, at the offset that was named, and nothing else is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from soak.checkers.violation import Violation
from soak.history import History, Outcome, Place, Stored, Write
from soak.values import name_of

__all__ = [
    "duplicates",
    "gaps_in_sequences",
    "lost_writes",
    "offsets_with_two_values",
    "order_of_producers",
    "refused_writes_stored",
    "unexplained_records",
]

_SEQUENCE_LIMIT = 1 << 31


def _by_name(history: History) -> dict[str, list[Stored]]:
    found: dict[str, list[Stored]] = defaultdict(list)
    for record in history.stored:
        found[record.name].append(record)
    return found


def _name(write: Write) -> str:
    return name_of(write.writer, write.number)


def lost_writes(history: History) -> Iterator[Violation]:
    """An acknowledged write is in the log, in its partition, at its offset; in a transaction too, aborted or not.

    An aborted transaction's records stay in the log until it is compacted, so they too must be there.
    """
    stored = _by_name(history)
    starts = {end.place: end.start for end in history.ends}
    for write in history.writes:
        if write.outcome is not Outcome.OK or 0 <= write.offset < starts.get(write.place, 0):
            continue
        found = [record for record in stored.get(_name(write), ()) if record.place == write.place]
        if not found:
            yield Violation(str(write.place), f"{_name(write)} was acknowledged at offset {write.offset} and is gone")
        elif write.offset >= 0 and all(record.offset != write.offset for record in found):
            at = [record.offset for record in found]
            yield Violation(str(write.place), f"{_name(write)} was acknowledged at offset {write.offset}, lies at {at}")


def refused_writes_stored(history: History) -> Iterator[Violation]:
    """A write that was refused for good is not in the log."""
    stored = _by_name(history)
    for write in history.writes:
        if write.outcome is Outcome.FAIL and _name(write) in stored:
            at = [record.offset for record in stored[_name(write)]]
            yield Violation(str(write.place), f"{_name(write)} was refused, yet lies at {at}")


def duplicates(history: History) -> Iterator[Violation]:
    """An idempotent producer's record is stored once at most."""
    idempotent = {_name(write) for write in history.writes if write.idempotent}
    for name, records in _by_name(history).items():
        if len(records) > 1 and name in idempotent:
            at = [f"{record.place}@{record.offset}" for record in records]
            yield Violation(str(records[0].place), f"{name} is stored {len(records)} times: {at}")


def order_of_producers(history: History) -> Iterator[Violation]:
    """A producer's records lie in a partition in the order it gave them; of repeated ones the first counts."""
    ordered = {write.writer for write in history.writes if write.ordered}
    newest: dict[tuple[str, Place], int] = {}
    seen: set[tuple[str, Place]] = set()
    for record in history.stored:
        writer, _, number = record.name.rpartition("#")
        if writer not in ordered or (record.name, record.place) in seen:
            continue
        seen.add((record.name, record.place))
        before = newest.get((writer, record.place), -1)
        if int(number) < before:
            yield Violation(str(record.place), f"{record.name} at offset {record.offset} lies behind {writer}#{before}")
        newest[writer, record.place] = max(before, int(number))


def gaps_in_sequences(history: History) -> Iterator[Violation]:
    """Sequences of one producer id and epoch follow one another without gap or repetition."""
    newest: dict[tuple[Place, int, int], int] = {}
    for record in history.stored:
        if record.producer_id < 0:
            continue
        key = (record.place, record.producer_id, record.producer_epoch)
        expected = (newest[key] + 1) % _SEQUENCE_LIMIT if key in newest else record.sequence
        if record.sequence != expected:
            who = f"producer {record.producer_id}, epoch {record.producer_epoch}"
            what = f"{who}: sequence {record.sequence} at offset {record.offset}, expected {expected}"
            yield Violation(str(record.place), what)
        newest[key] = record.sequence


def unexplained_records(history: History) -> Iterator[Violation]:
    """Each record in the log was written by someone, to that partition, in that transaction."""
    written = {_name(write): write for write in history.writes}
    for record in history.stored:
        write = written.get(record.name)
        if write is None:
            yield Violation(str(record.place), f"{record.name} at offset {record.offset} was written by nobody")
        elif (write.place, write.transaction) != (record.place, record.transaction):
            meant = f"{write.place} in transaction {write.transaction!r}"
            what = (
                f"{record.name} at offset {record.offset} in transaction {record.transaction!r} was meant for {meant}"
            )
            yield Violation(str(record.place), what)


def offsets_with_two_values(history: History) -> Iterator[Violation]:
    """Whoever names what lies at an offset (acknowledgements, readers, the log at the end) names the same record."""
    names: dict[tuple[Place, int], Counter[str]] = defaultdict(Counter)
    for write in history.writes:
        if write.outcome is Outcome.OK and write.offset >= 0:
            names[write.place, write.offset][_name(write)] += 1
    for read in history.reads:
        names[read.place, read.offset][read.name] += 1
    for record in history.stored:
        names[record.place, record.offset][record.name] += 1
    for (place, offset), found in names.items():
        if len(found) > 1:
            yield Violation(str(place), f"offset {offset} was told to hold {dict(found)}")
