"""InitProducerId 0-5: a producer id for an idempotent producer.

Deviations: a transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which clients treat as final:
there is no transaction coordinator yet. (Without a transactional id every request gets a new producer id, also one
that names the id it had: so does Kafka.)
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest, InitProducerIdResponse

__all__ = ["HANDLER"]


def _answer(node: Node, request: InitProducerIdRequest, call: Call) -> InitProducerIdResponse:
    if request.transactional_id is not None:
        refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        return InitProducerIdResponse(error_code=refused, producer_id=-1, producer_epoch=-1)
    return InitProducerIdResponse(producer_id=node.log.allocate_producer_id(), producer_epoch=0)


HANDLER = MessageHandler(INIT_PRODUCER_ID, 0, 5, _answer)
