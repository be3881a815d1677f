"""UnregisterBroker 0: there is one broker, it runs, and it cannot be taken out of its own cluster.

Deviations: Kafka takes a running broker out, and it comes back.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.unregister_broker import (
    UNREGISTER_BROKER,
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: UnregisterBrokerRequest, call: Call) -> UnregisterBrokerResponse:
    code, message = ErrorCode.BROKER_ID_NOT_REGISTERED, f"There is no broker {request.broker_id}"
    if not node.allows(call, Operation.ALTER, ResourceType.CLUSTER):
        code, message = ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Not authorised to change the cluster"
    elif request.broker_id == NODE_ID:
        code, message = ErrorCode.POLICY_VIOLATION, f"Broker {NODE_ID} is the only one, and it runs"
    return UnregisterBrokerResponse(error_code=code, error_message=message)


HANDLER = MessageHandler(UNREGISTER_BROKER, 0, 0, _answer)
