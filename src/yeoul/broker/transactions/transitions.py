"""What each request makes of a transactional id: from the value that stands, to the value to store or a refusal.

No effects here, only decisions; `coordinator` carries them out. Sources: KIP-98 (transactions), KIP-360 (a producer may
ask for a newer epoch of its own), KIP-890 (transactions v2: each end of a transaction bumps the epoch).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from yeoul.broker.transactions.messages import (
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    AddPartitionsRequest,
    EndRequest,
    InitRequest,
)
from yeoul.broker.transactions.records import State, TransactionValue
from yeoul.wire.errors import ErrorCode

__all__ = ["added", "began", "completed", "ended", "fenced", "init_error", "verified"]

_EPOCH_LIMIT = 2**15 - 1
_BUMPING = 2

Allocate = Callable[[], int]


def init_error(value: TransactionValue, request: InitRequest) -> ErrorCode:
    """Whether a producer that names the id and epoch it had is still the one that may write."""
    if request.producer_id == NO_PRODUCER_ID:
        return ErrorCode.NONE
    epoch_ran_out = request.producer_id == value.previous_producer_id and _is_last(request.producer_epoch)
    if epoch_ran_out and value.producer_epoch == 0:
        return ErrorCode.NONE
    if request.producer_id != value.producer_id:
        return ErrorCode.PRODUCER_FENCED
    if request.producer_epoch == value.producer_epoch:
        return ErrorCode.NONE
    is_retry = value.state is not State.ONGOING and request.producer_epoch == value.last_producer_epoch >= 0
    return ErrorCode.NONE if is_retry else ErrorCode.PRODUCER_FENCED


def began(value: TransactionValue | None, request: InitRequest, now_ms: int, allocate: Allocate) -> TransactionValue:
    """Returns the value for a producer that begins, where no transaction is open."""
    if value is None:
        return TransactionValue(allocate(), 0, request.timeout_ms, update_ms=now_ms)
    made = replace(
        value,
        timeout_ms=request.timeout_ms,
        state=State.EMPTY,
        partitions=frozenset(),
        update_ms=now_ms,
        start_ms=-1,
        last_producer_epoch=NO_PRODUCER_EPOCH,
    )
    if request.producer_id != NO_PRODUCER_ID and (request.producer_id, request.producer_epoch) != (
        value.producer_id,
        value.producer_epoch,
    ):
        # The same question again: its answer was lost.
        return replace(made, last_producer_epoch=value.last_producer_epoch)
    if _is_last(value.producer_epoch):
        return replace(made, producer_id=allocate(), producer_epoch=0, previous_producer_id=value.producer_id)
    asked_before = value.producer_epoch if request.producer_id != NO_PRODUCER_ID else NO_PRODUCER_EPOCH
    return replace(
        made,
        producer_epoch=value.producer_epoch + 1,
        previous_producer_id=NO_PRODUCER_ID,
        last_producer_epoch=asked_before,
    )


def _identity_error(value: TransactionValue | None, producer_id: int, producer_epoch: int) -> ErrorCode:
    if value is None or value.producer_id != producer_id:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    return ErrorCode.NONE if value.producer_epoch == producer_epoch else ErrorCode.PRODUCER_FENCED


def added(value: TransactionValue | None, request: AddPartitionsRequest, now_ms: int) -> TransactionValue | ErrorCode:
    """Returns the value with the partitions, `NONE` when they are in it already, or why they may not be added."""
    error = _identity_error(value, request.producer_id, request.producer_epoch)
    if error:
        return error
    assert value is not None
    is_open = value.state is State.ONGOING
    if is_open and value.partitions.issuperset(request.partitions):
        return ErrorCode.NONE
    return replace(
        value,
        state=State.ONGOING,
        partitions=(value.partitions if is_open else frozenset()) | frozenset(request.partitions),
        update_ms=now_ms,
        start_ms=value.start_ms if is_open else now_ms,
        client_version=_BUMPING if request.epoch_bumping else 0,
        last_producer_epoch=NO_PRODUCER_EPOCH,
    )


def verified(
    value: TransactionValue | None, producer_id: int, producer_epoch: int, partition: tuple[str, int]
) -> ErrorCode:
    """Whether a partition was added to the open transaction, as the older protocol asks its clients to."""
    error = _identity_error(value, producer_id, producer_epoch)
    if error:
        return error
    assert value is not None
    if value.state.is_prepared:
        return ErrorCode.CONCURRENT_TRANSACTIONS
    if value.state is State.ONGOING and partition in value.partitions:
        return ErrorCode.NONE
    return ErrorCode.TRANSACTION_ABORTABLE


def ended(
    value: TransactionValue | None, request: EndRequest, now_ms: int, allocate: Allocate
) -> TransactionValue | ErrorCode:
    """Returns the prepared value, `NONE` when the transaction has ended that way before, or a refusal."""
    if value is None:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    if request.epoch_bumping and _has_ended_before(value, request):
        done = State.COMPLETE_COMMIT if request.commit else State.COMPLETE_ABORT
        return ErrorCode.NONE if value.state is done else ErrorCode.INVALID_TXN_STATE
    error = _identity_error(value, request.producer_id, request.producer_epoch)
    if error:
        return error
    if value.state is State.ONGOING:
        return _prepared(value, request, now_ms, allocate)
    if request.epoch_bumping:
        # An abort before anything was written bumps the epoch too, so that late writes are fenced.
        return ErrorCode.INVALID_TXN_STATE if request.commit else _prepared(value, request, now_ms, allocate)
    done = State.COMPLETE_COMMIT if request.commit else State.COMPLETE_ABORT
    return ErrorCode.NONE if value.state is done else ErrorCode.INVALID_TXN_STATE


def _has_ended_before(value: TransactionValue, request: EndRequest) -> bool:
    """Whether the answer to this request was lost: the epoch, or the producer id, is the next one already."""
    if value.client_version != _BUMPING:
        return False
    if request.producer_id == value.producer_id:
        return request.producer_epoch == value.producer_epoch - 1
    return (
        request.producer_id == value.previous_producer_id
        and _is_last(request.producer_epoch)
        and value.producer_epoch == 0
    )


def _prepared(value: TransactionValue, request: EndRequest, now_ms: int, allocate: Allocate) -> TransactionValue:
    made = replace(
        value,
        state=State.PREPARE_COMMIT if request.commit else State.PREPARE_ABORT,
        update_ms=now_ms,
        client_version=_BUMPING if request.epoch_bumping else 0,
        last_producer_epoch=NO_PRODUCER_EPOCH,
    )
    if not request.epoch_bumping:
        return made
    next_producer_id = allocate() if _is_last(value.producer_epoch) else NO_PRODUCER_ID
    return replace(made, producer_epoch=value.producer_epoch + 1, next_producer_id=next_producer_id)


def fenced(value: TransactionValue, now_ms: int) -> TransactionValue:
    """Returns the value for an abort that its producer did not ask for: the markers' epoch shuts it out."""
    return replace(
        value,
        state=State.PREPARE_ABORT,
        producer_epoch=min(value.producer_epoch + 1, _EPOCH_LIMIT),
        update_ms=now_ms,
        client_version=0,
        last_producer_epoch=NO_PRODUCER_EPOCH,
    )


def completed(value: TransactionValue, now_ms: int) -> TransactionValue:
    """Returns what follows a prepared value once its markers are written."""
    done = State.COMPLETE_COMMIT if value.state is State.PREPARE_COMMIT else State.COMPLETE_ABORT
    made = replace(value, state=done, partitions=frozenset(), update_ms=now_ms, next_producer_id=NO_PRODUCER_ID)
    if value.next_producer_id == NO_PRODUCER_ID:
        return made
    return replace(
        made,
        producer_id=value.next_producer_id,
        producer_epoch=0,
        previous_producer_id=value.producer_id,
    )


def _is_last(producer_epoch: int) -> bool:
    """Whether no bump may follow: the very last epoch is kept for fencing."""
    return producer_epoch >= _EPOCH_LIMIT - 1
