"""What a partition remembers of its idempotent producers, as a pure state machine.

For each producer id: its newest producer epoch, and the sequences and offsets of its last five batches; a client may
have five requests in flight, so a retry is always among them. A retried batch is answered with its first offset and
not written again; a gap is refused; an older producer epoch is fenced. Sequences run from 0 to 2**31-1 and wrap to 0.
The state is a function of the batches in the log, so that recovery rebuilds it by replay.

Source: KIP-98 (idempotent producer), KIP-360 (a producer bumps its own epoch and begins again at sequence 0).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from yeoul.log.errors import DuplicateSequence, InvalidBatch, InvalidProducerEpoch, OutOfOrderSequence
from yeoul.wire.records import BatchHeader

__all__ = ["NO_PRODUCER_ID", "RETAINED_BATCHES", "AppendedBatch", "ProducerDescription", "ProducerStates"]

NO_PRODUCER_ID = -1
RETAINED_BATCHES = 5
_SEQUENCE_LIMIT = 1 << 31


@dataclass(frozen=True, slots=True)
class AppendedBatch:
    """One batch that is in the log."""

    base_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class ProducerDescription:
    """One producer; `last_sequence` is -1 when it has written nothing in its epoch."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp_ms: int


@dataclass(slots=True)
class _Producer:
    producer_epoch: int
    last_seen_ms: int
    batches: deque[AppendedBatch] = field(default_factory=lambda: deque(maxlen=RETAINED_BATCHES))


class ProducerStates:
    """All producers of one partition.

    `check` decides before a batch is written, `record` takes note once it is, and replay calls `record` alone.

    Example:
        >>> from yeoul.wire.records import Record, encode_batch, read_header
        >>> sent = encode_batch([Record(0, 0, None, b"v")], producer_id=7, producer_epoch=0, base_sequence=0)
        >>> states, first = ProducerStates(), read_header(sent)
        >>> states.check(first) is None
        True
        >>> states.record(first, base_offset=100, now_ms=0)
        >>> states.check(first).base_offset
        100
    """

    __slots__ = ("_producers",)

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}

    def __len__(self) -> int:
        return len(self._producers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProducerStates) and self._producers == other._producers

    __hash__ = None  # type: ignore[assignment]

    def check(self, batch: BatchHeader) -> AppendedBatch | None:
        """Returns None when the batch may be appended, or the batch of the log that it repeats.

        A producer that is not known here may begin anywhere: its state may have expired or its topic may have been
        trimmed, and Kafka accepts that too.

        Raises:
            InvalidProducerEpoch: A newer instance of this producer has written.
            OutOfOrderSequence: Records are missing between the producer's last batch and this one.
            DuplicateSequence: The batch repeats one that is older than the retained ones.
        """
        if batch.base_sequence < 0:
            raise InvalidBatch(
                f"Expected a sequence of 0 or more from producer {batch.producer_id}, got {batch.base_sequence!r}"
            )
        producer = self._producers.get(batch.producer_id)
        if producer is None:
            return None
        if batch.producer_epoch < producer.producer_epoch:
            raise InvalidProducerEpoch(
                f"Producer {batch.producer_id} is at epoch {producer.producer_epoch}, got {batch.producer_epoch!r}"
            )
        if batch.producer_epoch > producer.producer_epoch:
            self._check_new_epoch(batch)
            return None
        return self._check_sequence(batch, producer.batches)

    def _check_new_epoch(self, batch: BatchHeader) -> None:
        if batch.base_sequence != 0:
            raise OutOfOrderSequence(
                f"Producer {batch.producer_id} begins epoch {batch.producer_epoch}: expected sequence 0, "
                f"got {batch.base_sequence!r}"
            )

    def _check_sequence(self, batch: BatchHeader, known: deque[AppendedBatch]) -> AppendedBatch | None:
        # Without batches the epoch began with a transaction's marker.
        last = known[-1].last_sequence if known else -1
        expected = (last + 1) % _SEQUENCE_LIMIT
        if batch.base_sequence == expected:
            return None
        for appended in known:
            if appended.base_sequence == batch.base_sequence and appended.last_sequence == batch.last_sequence:
                return appended
        if not known:
            raise self._gap(batch, expected)
        # Half of the circle lies behind: a sequence there was written long ago.
        behind = (known[0].base_sequence - batch.last_sequence) % _SEQUENCE_LIMIT
        if 0 < behind < _SEQUENCE_LIMIT // 2:
            raise DuplicateSequence(
                f"Producer {batch.producer_id} repeats sequence {batch.base_sequence}, which is older than the "
                f"{len(known)} batches kept (from {known[0].base_sequence})"
            )
        raise self._gap(batch, expected)

    @staticmethod
    def _gap(batch: BatchHeader, expected: int) -> OutOfOrderSequence:
        return OutOfOrderSequence(
            f"Producer {batch.producer_id} at epoch {batch.producer_epoch}: expected sequence {expected}, "
            f"got {batch.base_sequence!r}"
        )

    def check_epoch(self, batch: BatchHeader) -> None:
        """Like `check` for what a coordinator writes in a producer's name, which carries no sequence.

        Raises:
            InvalidProducerEpoch: A newer instance of this producer has written.
        """
        producer = self._producers.get(batch.producer_id)
        if producer is not None and batch.producer_epoch < producer.producer_epoch:
            raise InvalidProducerEpoch(
                f"Producer {batch.producer_id} is at epoch {producer.producer_epoch}, got {batch.producer_epoch!r}"
            )

    def record(self, batch: BatchHeader, *, base_offset: int, now_ms: int) -> None:
        """Takes note of a batch that was written at `base_offset`."""
        producer = self._producers.get(batch.producer_id)
        if producer is None or producer.producer_epoch != batch.producer_epoch:
            producer = self._producers[batch.producer_id] = _Producer(batch.producer_epoch, now_ms)
        producer.last_seen_ms = now_ms
        if batch.base_sequence < 0:
            return
        last_offset = base_offset + batch.last_offset_delta
        producer.batches.append(
            AppendedBatch(batch.base_sequence, batch.last_sequence, base_offset, last_offset, batch.max_timestamp_ms)
        )

    def expire(self, *, now_ms: int, idle_ms: int, kept: Container[int] = ()) -> int:
        """Forgets producers that have been silent for longer than `idle_ms`, but for `kept`; returns how many."""
        idle = [
            key
            for key, producer in self._producers.items()
            if now_ms - producer.last_seen_ms > idle_ms and key not in kept
        ]
        for producer_id in idle:
            del self._producers[producer_id]
        return len(idle)

    def describe(self) -> Iterator[ProducerDescription]:
        """Yields what an administrator is told of each producer."""
        for producer_id, producer in self._producers.items():
            last = producer.batches[-1] if producer.batches else None
            yield ProducerDescription(
                producer_id,
                producer.producer_epoch,
                -1 if last is None else last.last_sequence,
                producer.last_seen_ms if last is None else last.timestamp_ms,
            )

    def last_words(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Returns the last offset of each producer's last batch, and id and epoch of those that have only a marker."""
        ends = [producer.batches[-1].last_offset for producer in self._producers.values() if producer.batches]
        epochs = [(key, producer.producer_epoch) for key, producer in self._producers.items() if not producer.batches]
        return ends, epochs

    def dump(self) -> list[list[int]]:
        """Returns the state as rows of integers, for the partition's checkpoint."""
        return list(self._rows())

    def _rows(self) -> Iterator[list[int]]:
        for producer_id, producer in self._producers.items():
            row = [producer_id, producer.producer_epoch, producer.last_seen_ms]
            for kept in producer.batches:
                row += (kept.base_sequence, kept.last_sequence, kept.base_offset, kept.last_offset, kept.timestamp_ms)
            yield row

    @classmethod
    def load(cls, rows: Iterable[Iterable[int]]) -> ProducerStates:
        """Returns the state that `dump` wrote.

        Example:
            >>> ProducerStates.load([[7, 1, 9, 0, 1, 4, 5, 9]]).dump()
            [[7, 1, 9, 0, 1, 4, 5, 9]]
        """
        states = cls()
        for row in rows:
            producer_id, producer_epoch, last_seen_ms, *numbers = row
            producer = states._producers[producer_id] = _Producer(producer_epoch, last_seen_ms)
            fields = iter(numbers)
            producer.batches.extend(map(AppendedBatch, fields, fields, fields, fields, fields))
        return states
