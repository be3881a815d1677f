"""FindCoordinator 0-6: this broker coordinates every group and every transactional id.

Deviations: share groups (key type 2) are refused with INVALID_REQUEST.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.find_coordinator import (
    FIND_COORDINATOR,
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

__all__ = ["HANDLER"]

_GROUP, _TRANSACTION = 0, 1
_BATCHED_FROM = 4


def _answer(node: Node, request: FindCoordinatorRequest, call: Call) -> FindCoordinatorResponse:
    if call.version >= _BATCHED_FROM:
        return FindCoordinatorResponse(
            coordinators=[_find(node, request.key_type, key, call) for key in request.coordinator_keys]
        )
    found = _find(node, request.key_type, request.key, call)
    return FindCoordinatorResponse(
        node_id=found.node_id,
        host=found.host,
        port=found.port,
        error_code=found.error_code,
        error_message=found.error_message,
    )


def _find(node: Node, key_type: int, key: str, call: Call) -> Coordinator:
    code, message = _refusal(node, key_type, key, call)
    if code is not ErrorCode.NONE:
        return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=code, error_message=message)
    host, port = call.origin.endpoint
    return Coordinator(key=key, node_id=NODE_ID, host=host, port=port, error_message=None)


def _refusal(node: Node, key_type: int, key: str, call: Call) -> tuple[ErrorCode, str | None]:
    if key_type == _GROUP:
        if not node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, key):
            return ErrorCode.GROUP_AUTHORIZATION_FAILED, "Group authorization failed."
    elif key_type == _TRANSACTION:
        if not node.allows(call, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, key):
            return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "Transactional Id authorization failed."
    else:
        return ErrorCode.INVALID_REQUEST, f"Expected a group (0) or a transaction (1), got key type {key_type}"
    return ErrorCode.NONE, None


HANDLER = MessageHandler(FIND_COORDINATOR, 0, 6, _answer)
