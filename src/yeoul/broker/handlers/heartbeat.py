"""Heartbeat 0-4: a member is alive, and learns of a rebalance. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.classic import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.heartbeat import HEARTBEAT, HeartbeatRequest, HeartbeatResponse

__all__ = ["HANDLER"]


def _answer(node: Node, request: HeartbeatRequest, call: Call) -> HeartbeatResponse | None:
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return HeartbeatResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)

    def make(request_id: int) -> groups.HeartbeatRequest:
        return groups.HeartbeatRequest(
            request_id, request.group_id, request.generation_id, request.member_id, request.group_instance_id
        )

    node.groups.ask(
        make, groups.HeartbeatReply, lambda reply: call.answer(HEARTBEAT, HeartbeatResponse(error_code=reply.error))
    )
    return None


HANDLER = MessageHandler(HEARTBEAT, 0, 4, _answer)
