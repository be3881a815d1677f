"""What comes into the transaction coordinator and what goes out: plain values.

Requests carry `request_id`, a number the caller chose; the answer to it is a `Reply` with the same number, at once or
from a later call. Error codes are Kafka's, as its newest versions have them (`PRODUCER_FENCED`, not the older
`INVALID_PRODUCER_EPOCH`: handlers translate for older clients).
"""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.wire.errors import ErrorCode

__all__ = [
    "NO_PRODUCER_EPOCH",
    "NO_PRODUCER_ID",
    "AddPartitionsReply",
    "AddPartitionsRequest",
    "Effect",
    "EndReply",
    "EndRequest",
    "InitReply",
    "InitRequest",
    "KeyValue",
    "Reply",
    "ReplyBody",
    "Request",
    "Store",
    "TopicPartition",
    "TransactionDescription",
    "WriteMarkers",
]

NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1

TopicPartition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class InitRequest:
    """A producer begins: fence whoever used the transactional id before, settle what hangs, tell id and epoch.

    Attributes:
        timeout_ms: After how long an open transaction is aborted.
        producer_id, producer_epoch: What the producer had, when it only wants a newer epoch (KIP-360); else -1.
    """

    request_id: int
    transactional_id: str
    timeout_ms: int
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


@dataclass(frozen=True, slots=True)
class InitReply:
    error: ErrorCode
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


@dataclass(frozen=True, slots=True)
class AddPartitionsRequest:
    """Partitions that the transaction is about to write to; opens it when it is not open yet.

    Attributes:
        epoch_bumping: The producer speaks transactions v2: the end of this transaction brings it a new epoch (KIP-890).
    """

    request_id: int
    transactional_id: str
    producer_id: int
    producer_epoch: int
    partitions: tuple[TopicPartition, ...]
    epoch_bumping: bool = False


@dataclass(frozen=True, slots=True)
class AddPartitionsReply:
    error: ErrorCode


@dataclass(frozen=True, slots=True)
class EndRequest:
    """Commit or abort; `epoch_bumping` as in `AddPartitionsRequest`."""

    request_id: int
    transactional_id: str
    producer_id: int
    producer_epoch: int
    commit: bool
    epoch_bumping: bool = False


@dataclass(frozen=True, slots=True)
class EndReply:
    """The outcome; id and epoch to go on with are set for a producer whose epoch is bumped."""

    error: ErrorCode
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


@dataclass(frozen=True, slots=True)
class TransactionDescription:
    """A transactional id, for an administrator; `start_ms` is -1 while no transaction is open."""

    transactional_id: str
    state: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    start_ms: int
    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A record for `__transaction_state`; a value of None deletes."""

    key: bytes
    value: bytes | None


Request = InitRequest | AddPartitionsRequest | EndRequest
ReplyBody = InitReply | AddPartitionsReply | EndReply


@dataclass(frozen=True, slots=True)
class Reply:
    """Effect: answer a request."""

    request_id: int
    body: ReplyBody


@dataclass(frozen=True, slots=True)
class Store:
    """Effect: append a record and report back with `Coordinator.stored(token, error, now_ms)`."""

    token: int
    record: KeyValue


@dataclass(frozen=True, slots=True)
class WriteMarkers:
    """Effect: end the producer's transaction in each of the partitions that still exist, then report back with
    `Coordinator.markers_written(token, error, now_ms)`.
    """

    token: int
    producer_id: int
    producer_epoch: int
    commit: bool
    partitions: tuple[TopicPartition, ...]


Effect = Reply | Store | WriteMarkers
