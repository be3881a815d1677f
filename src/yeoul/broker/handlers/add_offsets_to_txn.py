"""AddOffsetsToTxn 0-4: a transaction is about to commit offsets of a group. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.internal_topics import OFFSETS_TOPIC
from yeoul.broker.node import Node
from yeoul.broker.refusals import epoch_error
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.add_offsets_to_txn import ADD_OFFSETS_TO_TXN, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

__all__ = ["HANDLER"]

_FENCED_FROM = 2


def _answer(node: Node, request: AddOffsetsToTxnRequest, call: Call) -> AddOffsetsToTxnResponse | None:
    if not request.group_id:
        return AddOffsetsToTxnResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    if not node.allows(call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id):
        return AddOffsetsToTxnResponse(error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return AddOffsetsToTxnResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    try:
        node.groups.offsets_partition()
    except YeoulError:
        return AddOffsetsToTxnResponse(error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE)

    def answer(error: ErrorCode) -> None:
        told = epoch_error(error, known=call.version >= _FENCED_FROM)
        call.answer(ADD_OFFSETS_TO_TXN, AddOffsetsToTxnResponse(error_code=told))

    node.transactions.enlist(
        request.transactional_id,
        request.producer_id,
        request.producer_epoch,
        ((OFFSETS_TOPIC, 0),),
        answer,
        epoch_bumping=False,
    )
    return None


HANDLER = MessageHandler(ADD_OFFSETS_TO_TXN, 0, 4, _answer)
