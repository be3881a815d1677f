"""What the clients do: write, transact, copy, read, read as a group; and a prober that watches offsets.

Each workload is a loop in a thread of its own that makes a client, uses it for a while, and makes another when that
one fails or has lived long enough. Invariants: an operation is noted before its request is sent; a failure leaves it
UNKNOWN unless the client says that it certainly took no effect; a producer whose commit failed is never used again.
Caller: `run`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from soak.clients.contract import Failed, Family, Reader, Seen, Writer, WriterSettings
from soak.fetching import Asker, AskingFailed
from soak.history import (
    Commit,
    CommittedRead,
    Decision,
    History,
    Outcome,
    Place,
    Read,
    Transaction,
    Watermark,
    Write,
)
from soak.values import Value, name_of, parse, render

__all__ = ["Scene", "Worker", "copy", "probe", "read_as_group", "tail", "transact", "write"]

_FLUSH_S = 25.0
_COMMIT_SHARE, _ABORT_SHARE, _COPY_SHARE = 0.75, 0.2, 0.9


@dataclass(slots=True)
class Scene:
    """What all workloads share.

    Attributes:
        history: Where operations are noted.
        places: The partitions of each topic.
        stopping: Set when they should end.
        pace: A factor on all pauses between bursts.
    """

    history: History
    places: Mapping[str, Sequence[Place]]
    pace: float = 1.0
    stopping: threading.Event = field(default_factory=threading.Event)
    started_s: float = field(default_factory=time.monotonic)

    def now_s(self) -> float:
        return time.monotonic() - self.started_s


@dataclass(slots=True)
class Worker:
    """One workload's own part.

    Attributes:
        name: Unique in the run.
        family: Whose clients it uses.
        chance: Its own randomness.
        succeeded_at_s: When something last worked.
        failures: What went wrong, counted by text.
    """

    name: str
    family: Family
    chance: random.Random
    scene: Scene
    succeeded_at_s: float = -1.0
    incarnation: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    crashed: str = ""

    def next_name(self) -> str:
        self.incarnation += 1
        return f"{self.name}.{self.incarnation}"

    def succeeded(self) -> None:
        self.succeeded_at_s = self.scene.now_s()

    def failed(self, error: Exception) -> None:
        text = str(error)[:200]
        self.failures[text] = self.failures.get(text, 0) + 1

    def rest(self, longest_s: float) -> None:
        self.scene.stopping.wait(self.chance.random() * longest_s * self.scene.pace)

    @property
    def is_stopping(self) -> bool:
        return self.scene.stopping.is_set()


def _lives(worker: Worker, life: Callable[[], None]) -> None:
    """Lives one life of a client after another."""
    while not worker.is_stopping:
        try:
            life()
        except Failed as error:
            worker.failed(error)
            worker.rest(0.3)


def _send(worker: Worker, writer: Writer, write: Write, source: str, results: list[bool]) -> None:
    """Notes a write and sends it; its answer completes it and adds to `results`."""
    scene = worker.scene

    def done(offset: int | None, error: Exception | None) -> None:
        write.ended_s = scene.now_s()
        if error is None:
            write.offset = -1 if offset is None else offset
            write.outcome = Outcome.OK
            worker.succeeded()
        else:
            if isinstance(error, Failed) and error.is_certain:
                write.outcome = Outcome.FAIL
            worker.failed(error)
        results.append(error is None)

    scene.history.writes.append(write)
    value = Value(name_of(write.writer, write.number), write.transaction, source)
    filler_bytes = worker.chance.choice((0, 10, 10, 50, 50, 50, 400, 3_000))
    writer.send(write.place, render(value, filler_bytes), done)


def write(worker: Worker, topics: Sequence[str], *, idempotent: bool) -> None:
    """Writes bursts of records, with and without waiting for them."""
    scene, chance = worker.scene, worker.chance
    places = [place for topic in topics for place in scene.places[topic]]

    def life() -> None:
        name, number, results = worker.next_name(), 0, list[bool]()
        settings = WriterSettings(idempotent, chance.choice(worker.family.compressions), linger_ms=chance.randint(0, 5))
        writer = worker.family.writer(settings)
        lifetime = chance.randint(200, 4_000)
        try:
            while not worker.is_stopping and number < lifetime and all(results):
                for _ in range(chance.randint(1, 25)):
                    one = Write(name, number, chance.choice(places), scene.now_s(), idempotent=idempotent)
                    _send(worker, writer, one, "", results)
                    number += 1
                if chance.random() < 0.5 and not writer.flush(_FLUSH_S):
                    break
                worker.rest(0.8)
            writer.flush(_FLUSH_S)
        finally:
            writer.close()

    _lives(worker, life)


def transact(worker: Worker, topics: Sequence[str]) -> None:
    """Runs transactions over many partitions; commits most, aborts some, walks away from a few."""
    chance = worker.chance

    def life() -> None:
        settings = WriterSettings(True, chance.choice(worker.family.compressions), worker.name)
        writer = worker.family.writer(settings)
        name, number = worker.next_name(), 0
        try:
            for count in range(chance.randint(5, 100)):
                if worker.is_stopping:
                    break
                done = _one_transaction(worker, writer, f"{name}t{count}", name, number, topics)
                if done is None:
                    break
                number += done
                worker.rest(0.2)
        finally:
            writer.close()

    _lives(worker, life)


def _one_transaction(
    worker: Worker, writer: Writer, transaction_name: str, name: str, number: int, topics: Sequence[str]
) -> int | None:
    """Returns how many records it wrote; None when the producer is of no more use."""
    scene, chance = worker.scene, worker.chance
    places = [place for topic in topics for place in scene.places[topic]]
    transaction = Transaction(transaction_name, scene.now_s())
    scene.history.transactions.append(transaction)
    writer.begin()
    results: list[bool] = []
    count = chance.randint(1, 25)
    for at in range(count):
        one = Write(name, number + at, chance.choice(places), scene.now_s(), transaction=transaction_name)
        _send(worker, writer, one, "", results)
        if chance.random() < 0.02:
            worker.rest(0.5)
    is_whole = writer.flush(_FLUSH_S) and len(results) == count and all(results)
    drawn = chance.random()
    if is_whole and drawn > _COMMIT_SHARE + _ABORT_SHARE:
        return None
    decision = Decision.COMMIT if is_whole and drawn < _COMMIT_SHARE else Decision.ABORT
    return count if _decide(worker, writer, transaction, decision) else None


def _decide(worker: Worker, writer: Writer, transaction: Transaction, decision: Decision) -> bool:
    """Ends a transaction; returns whether the producer may go on."""
    transaction.decision, transaction.decided_s = decision, worker.scene.now_s()
    try:
        if decision is Decision.COMMIT:
            writer.commit()
        else:
            writer.abort()
    except Failed as error:
        worker.failed(error)
        return False
    transaction.ended_s, transaction.outcome = worker.scene.now_s(), Outcome.OK
    worker.succeeded()
    return True


def copy(worker: Worker, group: str, source: str, target: str, *, as_member: bool) -> None:
    """Consumes, transforms and produces in transactions that commit the offsets with the copies.

    Args:
        group: Whose offsets; the writers' names begin with it.
        as_member: Joins the group, so that several copiers share the work and a lost one is fenced by its generation
            (KIP-447); otherwise it takes all partitions, fenced by its transactional id.
    """
    family, chance = worker.family, worker.chance

    def life() -> None:
        writer = family.writer(WriterSettings(True, chance.choice(family.compressions), worker.name))
        name = f"{group}/{worker.next_name()}"
        reader: Reader | None = None
        try:
            if as_member:
                reader = family.member(group, [source], committed=True)
            else:
                reader = _from_committed(worker, group, worker.scene.places[source])
            number = 0
            for _ in range(chance.randint(5, 200)):
                seen = [] if worker.is_stopping else reader.poll(0.3)
                if worker.is_stopping:
                    break
                if seen and not _copy_once(worker, writer, reader, group, target, name, number, seen):
                    break
                number += len(seen)
        finally:
            if reader is not None:
                reader.close()
            writer.close()

    _lives(worker, life)


def _copy_once(
    worker: Worker,
    writer: Writer,
    reader: Reader,
    group: str,
    target: str,
    name: str,
    number: int,
    seen: Sequence[Seen],
) -> bool:
    """Copies what was polled, in one transaction; returns whether producer and consumer may go on.

    After an abort the consumer stands too far: begin anew where the group stands.
    """
    scene = worker.scene
    offsets = {one.place: one.offset + 1 for one in seen}
    transaction = Transaction(f"{name}t{number}", scene.now_s(), group=group, offsets=list(offsets.items()))
    scene.history.transactions.append(transaction)
    writer.begin()
    results: list[bool] = []
    for at, one in enumerate(seen):
        place = scene.places[target][one.place.partition % len(scene.places[target])]
        made = Write(name, number + at, place, scene.now_s(), transaction=transaction.name)
        _send(worker, writer, made, f"{one.place}@{one.offset}", results)
    writer.send_offsets(offsets, group, reader)
    is_whole = writer.flush(_FLUSH_S) and len(results) == len(seen) and all(results)
    decision = Decision.COMMIT if is_whole and worker.chance.random() < _COPY_SHARE else Decision.ABORT
    return _decide(worker, writer, transaction, decision) and decision is Decision.COMMIT


def _from_committed(worker: Worker, group: str, places: Sequence[Place]) -> Reader:
    """Returns a consumer of all partitions from where the group stands."""
    asking = worker.family.assigned(dict.fromkeys(places, 0), committed=True, group=group)
    try:
        starts = {place: max(0, offset) for place, offset in asking.committed(places).items()}
    finally:
        asking.close()
    return worker.family.assigned(starts, committed=True, group=group)


def tail(worker: Worker, topics: Sequence[str]) -> None:
    """Reads all partitions in order; after a while it begins anew somewhere before, maybe at the other isolation."""
    scene, chance = worker.scene, worker.chance
    places = [place for topic in topics for place in scene.places[topic]]
    newest = dict.fromkeys(places, 0)

    def life() -> None:
        session = worker.next_name()
        back, committed = chance.choice((0, 0, 0, 10, 500, 5_000)), chance.random() < 0.6
        starts = {place: max(0, offset - back) for place, offset in newest.items()}
        reader = worker.family.assigned(starts, committed=committed)
        try:
            for _ in range(chance.randint(50, 400)):
                if worker.is_stopping:
                    break
                _note(worker, session, reader, committed, newest)
                worker.rest(0.1)
        finally:
            reader.close()

    _lives(worker, life)


def _note(worker: Worker, session: str, reader: Reader, committed: bool, positions: dict[Place, int]) -> None:
    """Polls once and notes what was seen."""
    before = reader.generation()
    seen = reader.poll(0.2)
    at_s, generation = worker.scene.now_s(), reader.generation()
    if generation != before:
        # What came before and after a new assignment cannot be told apart here.
        positions.clear()
        return
    for one in seen:
        value = parse(one.value)
        read = Read(f"{session}.{generation}", committed, one.place, one.offset, value.name, value.transaction, at_s)
        worker.scene.history.reads.append(read)
        positions[one.place] = one.offset + 1
    if seen:
        worker.succeeded()


def read_as_group(worker: Worker, group: str, topics: Sequence[str], *, committed: bool) -> None:
    """Reads as a member of a group and commits now and then."""
    scene, chance = worker.scene, worker.chance

    def life() -> None:
        session = worker.next_name()
        reader = worker.family.member(group, topics, committed=committed)
        positions: dict[Place, int] = {}
        try:
            for _ in range(chance.randint(50, 600)):
                if worker.is_stopping:
                    break
                _note(worker, session, reader, committed, positions)
                if positions and chance.random() < 0.4:
                    _commit(worker, group, reader, positions)
                    positions.clear()
        finally:
            reader.close()

    def _commit(worker: Worker, group: str, reader: Reader, positions: Mapping[Place, int]) -> None:
        commits = [Commit(group, place, offset, scene.now_s()) for place, offset in positions.items()]
        scene.history.commits.extend(commits)
        try:
            reader.commit(positions)
        except Failed as error:
            worker.failed(error)
            return
        for commit in commits:
            commit.ended_s, commit.outcome = scene.now_s(), Outcome.OK
        worker.succeeded()

    _lives(worker, life)


def probe(worker: Worker, bootstrap: str, groups: Sequence[str], topics: Sequence[str]) -> None:
    """Watches where partitions start and end, and what groups have committed."""
    scene = worker.scene
    places = [place for one in scene.places.values() for place in one]
    group_places = [place for topic in topics for place in scene.places[topic]]
    ends = dict.fromkeys(places, 0)
    asker = Asker(bootstrap)
    while not worker.is_stopping:
        try:
            _probe_watermarks(scene, asker, ends)
            for group in groups:
                _probe_group(scene, asker, group, group_places)
            worker.succeeded()
        except AskingFailed as error:
            worker.failed(error)
            if "OUT_OF_RANGE" in str(error):
                ends = dict.fromkeys(places, 0)
        scene.stopping.wait(0.2)
    asker.close()


def _probe_watermarks(scene: Scene, asker: Asker, ends: dict[Place, int]) -> None:
    invoked_s = scene.now_s()
    answers = asker.fetch(ends, committed=True, max_bytes=1)
    for place, answer in answers.items():
        mark = Watermark(
            place, answer.log_start_offset, answer.last_stable_offset, answer.high_watermark, invoked_s, scene.now_s()
        )
        scene.history.watermarks.append(mark)
        ends[place] = answer.high_watermark


def _probe_group(scene: Scene, asker: Asker, group: str, places: Sequence[Place]) -> None:
    invoked_s = scene.now_s()
    for place, offset in asker.committed(group, places).items():
        scene.history.committed_reads.append(CommittedRead(group, place, offset, invoked_s, scene.now_s()))
