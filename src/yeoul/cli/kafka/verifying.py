"""`yeoul verify`: numbered records, and whether all that were acknowledged are there, once, in order.

A record's value is `RUN NUMBER`; numbers go up by one from 0 and are sent in order. The producer writes a line
`NUMBER PARTITION OFFSET` for each acknowledgement to a ledger, so that the consumer can hold the topic against what the
broker said. Invariant: what is counted as lost was acknowledged.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from confluent_kafka import KafkaError, Message, Producer

from yeoul.cli.kafka.client import Cluster, client_settings, drain, serve
from yeoul.cli.kafka.consuming import whole_topic
from yeoul.cli.rendering.listing import print_json
from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["Verdict", "consume", "judge", "produce"]

_FLUSH_TIMEOUT_S = 120.0
_BATCH = 2_000
_POLL_S = 0.2
_SHOWN = 5

Place = tuple[int, int]


class _Ledger:
    """Writes what was acknowledged."""

    def __init__(self, output: TextIO | None) -> None:
        self.output = output
        self.acknowledged = 0
        self.failed: list[str] = []
        self.last_error = ""

    def note(self, error: KafkaError | None, message: Message) -> None:
        number = (message.value() or b"").split()[1].decode()
        if error is not None:
            self.failed.append(number)
            self.last_error = error.str()
            return
        self.acknowledged += 1
        if self.output is not None:
            self.output.write(f"{number} {message.partition()} {message.offset()}\n")


def produce(
    bootstrap: str,
    properties: Mapping[str, str],
    topic: str,
    *,
    records: int,
    rate: float | None,
    run: str | None,
    ledger: Path | None,
    as_json: bool,
) -> bool:
    """Sends numbered records and says how many were acknowledged; returns whether all were.

    Raises:
        PeerError: No broker answers.
        UserError: There is no such topic.
        EnvironmentFailure: The ledger cannot be written.
    """
    Cluster(bootstrap, properties).require(topic)
    run = run or uuid.uuid4().hex[:8]
    try:
        output = ledger.open("w") if ledger is not None else None
    except OSError as error:
        raise EnvironmentFailure(f"Cannot write {str(ledger)!r}: {error.strerror or error}") from error
    notes = _Ledger(output)
    settings = {"enable.idempotence": "true", "linger.ms": "5", "acks": "all"} | dict(properties)
    producer = Producer(client_settings(bootstrap, settings) | {"on_delivery": notes.note})
    try:
        _send_all(producer, topic, run, records, rate)
    finally:
        drain(producer, _FLUSH_TIMEOUT_S)
        if output is not None:
            output.close()
    facts = {"run": run, "sent": records, "acknowledged": notes.acknowledged, "refused": len(notes.failed)}
    if as_json:
        print_json(facts)
    else:
        print(f"run {run}: {notes.acknowledged} of {records} records acknowledged")
        if notes.failed:
            print(f"refused: {_few(notes.failed)}; the last because: {notes.last_error}", file=sys.stderr)
    return notes.acknowledged == records


def _send_all(producer: Producer, topic: str, run: str, records: int, rate: float | None) -> None:
    started_s = time.monotonic()
    sent = 0
    while sent < records:
        due = records if rate is None else min(records, int((time.monotonic() - started_s) * rate) + 1)
        for number in range(sent, min(due, sent + _BATCH)):
            while True:
                try:
                    # with a key, so that a compacted topic takes them too
                    producer.produce(topic, f"{run} {number}".encode(), f"{run} {number}")
                    break
                except BufferError:
                    serve(producer, 0.1)
            sent = number + 1
        serve(producer, 0 if sent < due else 0.001)


@dataclass(slots=True)
class Verdict:
    """What a topic holds of a run, held against what was acknowledged.

    Attributes:
        seen: How many records of the run there are.
        lost: Numbers that were acknowledged and are not there.
        doubled: Numbers that are there more than once.
        misplaced: Numbers that are not where the acknowledgement said.
        out_of_order: Numbers that come after a larger one of their partition.
    """

    seen: int = 0
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    misplaced: list[int] = field(default_factory=list)
    out_of_order: list[int] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.doubled or self.misplaced or self.out_of_order)


def judge(found: list[tuple[int, int, int]], expected: Mapping[int, Place | None]) -> Verdict:
    """Returns what is wrong with a run.

    Args:
        found: (number, partition, offset), each partition's in the order of its offsets.
        expected: The numbers that were acknowledged, and where, if that is known.

    Example:
        >>> judge([(0, 0, 0), (2, 0, 1), (1, 0, 2), (1, 0, 3)], {0: (0, 0), 1: None, 3: (0, 4)})
        Verdict(seen=4, lost=[3], doubled=[1], misplaced=[], out_of_order=[1])
    """
    verdict = Verdict(seen=len(found))
    places: dict[int, Place] = {}
    highest: dict[int, int] = {}
    doubled, disordered = set[int](), set[int]()
    for number, partition, offset in found:
        if number in places:
            doubled.add(number)
        places.setdefault(number, (partition, offset))
        if number < highest.get(partition, -1):
            disordered.add(number)
        highest[partition] = max(number, highest.get(partition, -1))
    verdict.lost = sorted(number for number in expected if number not in places)
    verdict.doubled = sorted(doubled)
    verdict.out_of_order = sorted(disordered)
    verdict.misplaced = sorted(
        number for number, place in expected.items() if place is not None and places.get(number, place) != place
    )
    return verdict


def consume(
    bootstrap: str,
    properties: Mapping[str, str],
    topic: str,
    *,
    run: str,
    records: int | None,
    ledger: Path | None,
    as_json: bool,
) -> bool:
    """Reads a topic and judges a run of `produce`; returns whether it is sound.

    Raises:
        PeerError: No broker answers, or it refuses.
        UserError: There is no such topic, or nothing says what to expect.
    """
    expected: dict[int, Place | None] = _read_ledger(ledger) if ledger is not None else {}
    if ledger is None:
        if records is None:
            raise UserError(
                "Nothing says what to expect", hint="Give --ledger FILE or --records N of `verify produce`."
            )
        expected = dict.fromkeys(range(records))
    if not expected:
        raise UserError(f"{str(ledger)!r} holds no acknowledgement, so there is nothing to look for")
    found: list[tuple[int, int, int]] = []
    prefix = f"{run} ".encode()
    with whole_topic(bootstrap, properties, topic) as reading:
        while (batch := reading.next(_BATCH, _POLL_S)) is not None:
            for message in batch:
                value = message.value() or b""
                if value.startswith(prefix) and value[len(prefix) :].isdigit():
                    found.append((int(value[len(prefix) :]), message.partition() or 0, message.offset() or 0))
    verdict = judge(found, expected)
    _tell(run, verdict, len(expected), as_json=as_json)
    return verdict.is_sound


def _read_ledger(path: Path) -> dict[int, Place | None]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise EnvironmentFailure(f"Cannot read {str(path)!r}: {error.strerror or error}") from error
    try:
        return {int(number): (int(partition), int(offset)) for number, partition, offset in map(str.split, lines)}
    except ValueError:
        raise UserError(f"{str(path)!r} is no ledger of `yeoul verify produce`") from None


def _tell(run: str, verdict: Verdict, expected: int, *, as_json: bool) -> None:
    problems = {
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "misplaced": verdict.misplaced,
        "out_of_order": verdict.out_of_order,
    }
    if as_json:
        counts = {name: len(numbers) for name, numbers in problems.items()}
        print_json({"run": run, "expected": expected, "seen": verdict.seen, **counts, "sound": verdict.is_sound})
        return
    print(f"run {run}: {verdict.seen} records seen, {expected} expected")
    for name, numbers in problems.items():
        if numbers:
            print(f"{name.replace('_', ' ')}: {len(numbers)}, such as {_few(numbers)}")
    print("sound: nothing lost, doubled, misplaced or out of order" if verdict.is_sound else "NOT sound")


def _few(numbers: list[int] | list[str]) -> str:
    return ", ".join(map(str, numbers[:_SHOWN])) + (", ..." if len(numbers) > _SHOWN else "")
