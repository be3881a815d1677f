"""The records of `__transaction_state`, in Kafka's own format: key version 0, values of version 0 and 1.

Version 1, which is flexible, is written: it adds, as tagged fields, the producer ids before and after an epoch ran out
and the version of transactions that the client speaks (KIP-890).

Source: Apache Kafka's TransactionLogKey.json and TransactionLogValue.json.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby

from yeoul.broker.transactions.messages import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TopicPartition
from yeoul.errors import PeerError

__all__ = ["State", "TransactionValue", "decode_key", "decode_value", "encode_key", "encode_value"]

_KEY_VERSION = 0
_VALUE_VERSION = 1
_PREVIOUS_ID_TAG, _NEXT_ID_TAG, _CLIENT_VERSION_TAG = 0, 1, 2


class State(IntEnum):
    """Where a transactional id stands; the numbers are the records'."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def label(self) -> str:
        """As Kafka's tools call it.

        Example:
            >>> State.COMPLETE_COMMIT.label
            'CompleteCommit'
        """
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def is_prepared(self) -> bool:
        return self in (State.PREPARE_COMMIT, State.PREPARE_ABORT)


@dataclass(frozen=True, slots=True)
class TransactionValue:
    """All that is known of a transactional id.

    Attributes:
        producer_id, producer_epoch: Who may write.
        timeout_ms: After how long an open transaction is aborted.
        state: Where it stands.
        partitions: What the transaction touches; empty unless it is open or prepared.
        update_ms: When this was decided.
        start_ms: When the transaction was opened, -1 before the first one.
        previous_producer_id: The one whose epochs ran out, -1 otherwise.
        next_producer_id: The one to go on with after this transaction, -1 unless epochs run out.
        client_version: 2 when the client's epoch is bumped with each transaction (KIP-890), else 0.
        last_producer_epoch: The epoch before a bump that its producer asked for, so that it may ask again; -1
            otherwise. Known until the next restart only, and not compared.
    """

    producer_id: int
    producer_epoch: int
    timeout_ms: int
    state: State = State.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    update_ms: int = -1
    start_ms: int = -1
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID
    client_version: int = 0
    last_producer_epoch: int = field(default=NO_PRODUCER_EPOCH, compare=False)


def encode_key(transactional_id: str) -> bytes:
    """Example:
    >>> decode_key(encode_key("orders-1"))
    'orders-1'
    """
    encoded = transactional_id.encode()
    return struct.pack(">hh", _KEY_VERSION, len(encoded)) + encoded


def decode_key(data: bytes) -> str | None:
    """Returns the transactional id, None for records of other kinds.

    Raises:
        yeoul.errors.PeerError: The bytes are no key.
    """
    reader = _Reader(data)
    return reader.text(reader.number(">h")) if reader.number(">h") == _KEY_VERSION else None


def encode_value(value: TransactionValue) -> bytes:
    """Example:
    >>> value = TransactionValue(7, 0, 60_000, State.ONGOING, frozenset({("t", 1), ("t", 0), ("u", 0)}), 9, 5)
    >>> decode_value(encode_value(value)) == value
    True
    """
    out = bytearray(
        struct.pack(">hqhib", _VALUE_VERSION, value.producer_id, value.producer_epoch, value.timeout_ms, value.state)
    )
    if value.state is State.EMPTY:
        out.append(0)
    else:
        topics = [
            (topic, [number for _, number in group])
            for topic, group in groupby(sorted(value.partitions), key=lambda partition: partition[0])
        ]
        out += _uvarint(len(topics) + 1)
        for topic, numbers in topics:
            name = topic.encode()
            out += _uvarint(len(name) + 1) + name + _uvarint(len(numbers) + 1)
            out += struct.pack(f">{len(numbers)}i", *numbers)
            out.append(0)
    out += struct.pack(">qq", value.update_ms, value.start_ms)
    tags = list(_tags(value))
    out += _uvarint(len(tags))
    for tag, data in tags:
        out += _uvarint(tag) + _uvarint(len(data)) + data
    return bytes(out)


def _tags(value: TransactionValue) -> Iterator[tuple[int, bytes]]:
    if value.previous_producer_id >= 0:
        yield _PREVIOUS_ID_TAG, struct.pack(">q", value.previous_producer_id)
    if value.next_producer_id >= 0:
        yield _NEXT_ID_TAG, struct.pack(">q", value.next_producer_id)
    if value.client_version:
        yield _CLIENT_VERSION_TAG, struct.pack(">h", value.client_version)


def decode_value(data: bytes) -> TransactionValue:
    """Raises:
    yeoul.errors.PeerError: The bytes are no transaction, or of a version that is not known.
    """
    reader = _Reader(data)
    version = reader.number(">h")
    if version not in (0, _VALUE_VERSION):
        raise PeerError(f"Expected a value of version 0 or {_VALUE_VERSION} in __transaction_state, got {version}")
    reader.flexible = version == _VALUE_VERSION
    producer_id, producer_epoch, timeout_ms = reader.number(">q"), reader.number(">h"), reader.number(">i")
    state = reader.state()
    partitions = frozenset(reader.partitions())
    update_ms, start_ms = reader.number(">q"), reader.number(">q")
    tags = reader.tags()
    return TransactionValue(
        producer_id,
        producer_epoch,
        timeout_ms,
        state,
        partitions,
        update_ms,
        start_ms,
        _tagged(tags, _PREVIOUS_ID_TAG, NO_PRODUCER_ID),
        _tagged(tags, _NEXT_ID_TAG, NO_PRODUCER_ID),
        _tagged(tags, _CLIENT_VERSION_TAG, 0),
    )


def _tagged(tags: dict[int, bytes], tag: int, absent: int) -> int:
    return int.from_bytes(tags[tag], signed=True) if tag in tags else absent


def _uvarint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Reader:
    """Walks one record; anything that runs past its end is damage."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.flexible = False

    def number(self, layout: str) -> int:
        try:
            (value,) = struct.unpack_from(layout, self._data, self._at)
        except struct.error as error:
            raise self._damaged() from error
        self._at += struct.calcsize(layout)
        return int(value)

    def state(self) -> State:
        number = self.number(">b")
        try:
            return State(number)
        except ValueError:
            raise PeerError(f"Unknown transaction state {number} in __transaction_state") from None

    def partitions(self) -> Iterator[TopicPartition]:
        for _ in range(self._count()):
            topic = self.text(self._uvarint() - 1 if self.flexible else self.number(">h"))
            for _ in range(self._count()):
                yield topic, self.number(">i")
            self.tags()

    def text(self, size_bytes: int) -> str:
        try:
            return self._take(size_bytes).decode()
        except UnicodeDecodeError as error:
            raise self._damaged() from error

    def tags(self) -> dict[int, bytes]:
        if not self.flexible:
            return {}
        return {self._uvarint(): self._take(self._uvarint()) for _ in range(self._uvarint())}

    def _count(self) -> int:
        count = self._uvarint() - 1 if self.flexible else self.number(">i")
        if count > len(self._data):
            raise self._damaged()
        return count

    def _take(self, size_bytes: int) -> bytes:
        if not 0 <= size_bytes <= len(self._data) - self._at:
            raise self._damaged()
        self._at += size_bytes
        return self._data[self._at - size_bytes : self._at]

    def _uvarint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise self._damaged()

    def _damaged(self) -> PeerError:
        return PeerError(f"A record of __transaction_state is damaged at byte {self._at} of {len(self._data)}")
