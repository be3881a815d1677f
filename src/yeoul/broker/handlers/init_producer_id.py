"""InitProducerId 0-5: a producer id and epoch, for an idempotent producer or for a transactional id.

Deviations: where Kafka answers CONCURRENT_TRANSACTIONS while it aborts what the last instance left open, the answer
here waits for that. (Without a transactional id every request gets a new producer id, also one that names the id it
had: so does Kafka.)
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.refusals import epoch_error
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.transactions.messages import InitReply, InitRequest
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest, InitProducerIdResponse

__all__ = ["HANDLER"]

_FENCED_FROM = 4


def _answer(node: Node, request: InitProducerIdRequest, call: Call) -> InitProducerIdResponse | None:
    transactional_id = request.transactional_id
    if transactional_id is None:
        may_write = node.allows(call, Operation.IDEMPOTENT_WRITE, ResourceType.CLUSTER) or node.allows_some(
            call, Operation.WRITE, ResourceType.TOPIC
        )
        if not may_write:
            return InitProducerIdResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, producer_epoch=-1)
        return InitProducerIdResponse(producer_id=node.log.allocate_producer_id(), producer_epoch=0)

    if not node.allows(call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        return InitProducerIdResponse(error_code=refused, producer_epoch=-1)

    def make(request_id: int) -> InitRequest:
        return InitRequest(
            request_id, transactional_id, request.transaction_timeout_ms, request.producer_id, request.producer_epoch
        )

    def answer(reply: InitReply) -> None:
        error = epoch_error(reply.error, known=call.version >= _FENCED_FROM)
        response = InitProducerIdResponse(
            error_code=error, producer_id=reply.producer_id, producer_epoch=reply.producer_epoch
        )
        call.answer(INIT_PRODUCER_ID, response)

    node.transactions.ask(make, InitReply, answer)
    return None


HANDLER = MessageHandler(INIT_PRODUCER_ID, 0, 5, _answer)
