"""SyncGroup 0-5: the leader brings the assignment, each member waits for its own. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.classic import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.sync_group import SYNC_GROUP, SyncGroupRequest, SyncGroupResponse

__all__ = ["HANDLER"]


def _answer(node: Node, request: SyncGroupRequest, call: Call) -> SyncGroupResponse | None:
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return SyncGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)

    def make(request_id: int) -> groups.SyncRequest:
        return groups.SyncRequest(
            request_id=request_id,
            group_id=request.group_id,
            generation_id=request.generation_id,
            member_id=request.member_id,
            group_instance_id=request.group_instance_id,
            assignments={each.member_id: each.assignment for each in request.assignments},
            protocol_type=request.protocol_type,
            protocol_name=request.protocol_name,
        )

    def answer(reply: groups.SyncReply) -> None:
        response = SyncGroupResponse(
            error_code=reply.error,
            protocol_type=reply.protocol_type,
            protocol_name=reply.protocol_name,
            assignment=reply.assignment,
        )
        call.answer(SYNC_GROUP, response)

    node.groups.ask(make, groups.SyncReply, answer)
    return None


HANDLER = MessageHandler(SYNC_GROUP, 0, 5, _answer)
