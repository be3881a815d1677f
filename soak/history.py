"""What clients asked and what they were told, as values: the history that the checkers judge.

Each operation is noted when it is invoked, with the outcome UNKNOWN, and completed in place: OK (it certainly
happened), FAIL (it certainly did not), or left UNKNOWN (no answer, or one that says nothing). Times are seconds since
the run began, from one monotonic clock. Invariant: an operation is in the history before its request can reach the
broker. Writers: `workloads`, any thread (appending to a list is atomic). Readers: `checkers`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

__all__ = [
    "Commit",
    "CommittedRead",
    "Decision",
    "History",
    "Outcome",
    "Place",
    "Read",
    "Stored",
    "Transaction",
    "Watermark",
    "Write",
    "load",
    "save",
]

NEVER_S = 1e18


class Place(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Outcome(enum.StrEnum):
    """What is known of an operation."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Decision(enum.StrEnum):
    """How a client meant to end a transaction; OPEN when it never came to that."""

    COMMIT = "commit"
    ABORT = "abort"
    OPEN = "open"


@dataclass(slots=True)
class Write:
    """One record given to a producer.

    Attributes:
        writer: One incarnation of one producer; with `number` it names the record.
        number: Counts up from 0 for a writer.
        idempotent: Whether the producer promises that it is stored once at most.
        ordered: Whether it promises the order of its records within a partition.
        transaction: The transaction it belongs to, empty for none.
        offset: What the acknowledgement said; -1 when it said nothing.
    """

    writer: str
    number: int
    place: Place
    invoked_s: float
    idempotent: bool = True
    ordered: bool = True
    transaction: str = ""
    outcome: Outcome = Outcome.UNKNOWN
    offset: int = -1
    ended_s: float = NEVER_S


@dataclass(slots=True)
class Transaction:
    """One transaction of one producer.

    Attributes:
        name: Unique in the run.
        decision: What the client asked for last.
        outcome: Whether that was acknowledged.
        decided_s: When it asked.
        group: The group whose offsets it commits, empty for none.
        offsets: The offsets it commits for that group.
    """

    name: str
    invoked_s: float
    decision: Decision = Decision.OPEN
    outcome: Outcome = Outcome.UNKNOWN
    decided_s: float = NEVER_S
    ended_s: float = NEVER_S
    group: str = ""
    offsets: list[tuple[Place, int]] = field(default_factory=list)


@dataclass(slots=True)
class Read:
    """One record that a consumer handed over.

    Attributes:
        session: One consumer between two seeks or assignments of this partition: offsets must ascend within it.
        committed: Whether it reads committed records only.
        name: The record's name as `values.parse` found it; `values.FOREIGN` for one that is none of ours.
    """

    session: str
    committed: bool
    place: Place
    offset: int
    name: str
    transaction: str
    at_s: float


@dataclass(slots=True)
class Commit:
    """Offsets that a member of a group committed outside of transactions."""

    group: str
    place: Place
    offset: int
    invoked_s: float
    outcome: Outcome = Outcome.UNKNOWN
    ended_s: float = NEVER_S


@dataclass(slots=True)
class CommittedRead:
    """A committed offset as the broker told it; -1 for none."""

    group: str
    place: Place
    offset: int
    invoked_s: float
    ended_s: float


@dataclass(slots=True)
class Watermark:
    """High watermark, last stable offset and start of a partition as one answer told them."""

    place: Place
    start: int
    stable: int
    high: int
    invoked_s: float
    ended_s: float


@dataclass(slots=True)
class Stored:
    """One record in the log when all was over.

    Attributes:
        visible: Whether a reader of committed records sees it: by the control markers in the log itself.
        served: Whether the broker's answers, with their lists of aborted transactions, let such a reader see it.
        producer_id: -1 for none, likewise epoch and sequence.
    """

    place: Place
    offset: int
    name: str
    transaction: str
    source: str
    visible: bool
    served: bool
    producer_id: int
    producer_epoch: int
    sequence: int


@dataclass(slots=True)
class History:
    """Everything that happened, in no particular order but that of each list's own appends.

    Attributes:
        stored: The log at the end, by partition, ascending.
        group_offsets: Committed offsets at the end, by group and partition.
        ends: Start, last stable offset and high watermark of each partition at the end.
        stuck: What did not work any more once the faults were over, in words.
    """

    writes: list[Write] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    committed_reads: list[CommittedRead] = field(default_factory=list)
    watermarks: list[Watermark] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    group_offsets: list[CommittedRead] = field(default_factory=list)
    ends: list[Watermark] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def kinds(self) -> Iterator[tuple[str, list[object]]]:
        """Yields the name and the content of each list."""
        for each in dataclasses.fields(self):
            yield each.name, getattr(self, each.name)


class _Line(msgspec.Struct):
    kind: str
    value: msgspec.Raw


_TYPES: dict[str, type] = {
    "writes": Write,
    "transactions": Transaction,
    "reads": Read,
    "commits": Commit,
    "committed_reads": CommittedRead,
    "watermarks": Watermark,
    "stored": Stored,
    "group_offsets": CommittedRead,
    "ends": Watermark,
    "stuck": str,
}


def save(history: History, path: Path) -> None:
    """Writes a history as one JSON object a line: `{"kind": "writes", "value": {...}}`."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for kind, items in history.kinds():
            for item in items:
                file.write(encoder.encode({"kind": kind, "value": item}) + b"\n")


def load(path: Path) -> History:
    """Returns a history that `save` wrote.

    Raises:
        msgspec.DecodeError: A line is not one of its lines.
    """
    history = History()
    decoders = {kind: msgspec.json.Decoder(item) for kind, item in _TYPES.items()}
    outer = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for line in file:
            found = outer.decode(line)
            getattr(history, found.kind).append(decoders[found.kind].decode(found.value))
    return history
