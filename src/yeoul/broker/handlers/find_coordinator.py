"""FindCoordinator 0-6: this broker coordinates every group and every transactional id.

Deviations: share groups (key type 2) are refused with INVALID_REQUEST.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
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
    code, message = _refusal(request.key_type)
    found = (NODE_ID, *call.origin.endpoint) if code is ErrorCode.NONE else (-1, "", -1)
    if call.version >= _BATCHED_FROM:
        return FindCoordinatorResponse(
            coordinators=[
                Coordinator(
                    key=key, node_id=found[0], host=found[1], port=found[2], error_code=code, error_message=message
                )
                for key in request.coordinator_keys
            ]
        )
    return FindCoordinatorResponse(
        node_id=found[0], host=found[1], port=found[2], error_code=code, error_message=message
    )


def _refusal(key_type: int) -> tuple[ErrorCode, str | None]:
    if key_type in (_GROUP, _TRANSACTION):
        return ErrorCode.NONE, None
    return ErrorCode.INVALID_REQUEST, f"Expected a group (0) or a transaction (1), got key type {key_type}"


HANDLER = MessageHandler(FIND_COORDINATOR, 0, 6, _answer)
