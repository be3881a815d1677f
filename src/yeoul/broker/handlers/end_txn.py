"""EndTxn 0-5: commits or aborts a transaction; from version 5 the producer's epoch is bumped (KIP-890).

Deviations: Kafka answers once the decision is durable, and CONCURRENT_TRANSACTIONS to what comes before the markers
are; the answer here waits for the markers, so that what it says is what readers see.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.refusals import epoch_error
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.transactions.messages import EndReply, EndRequest
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.end_txn import END_TXN, EndTxnRequest, EndTxnResponse

__all__ = ["HANDLER"]

_FENCED_FROM = 2
_EPOCH_BUMPED_FROM = 5


def _answer(node: Node, request: EndTxnRequest, call: Call) -> EndTxnResponse | None:
    if not node.allows(call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id):
        return EndTxnResponse(error_code=ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)

    def make(request_id: int) -> EndRequest:
        return EndRequest(
            request_id,
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            request.committed,
            epoch_bumping=call.version >= _EPOCH_BUMPED_FROM,
        )

    def answer(reply: EndReply) -> None:
        error = epoch_error(reply.error, known=call.version >= _FENCED_FROM)
        response = EndTxnResponse(error_code=error, producer_id=reply.producer_id, producer_epoch=reply.producer_epoch)
        call.answer(END_TXN, response)

    node.transactions.ask(make, EndReply, answer)
    return None


HANDLER = MessageHandler(END_TXN, 0, 5, _answer)
