"""LeaveGroup 0-5: members leave; the group rebalances without waiting for their sessions. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.classic import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.leave_group import LEAVE_GROUP, LeaveGroupRequest, LeaveGroupResponse, MemberResponse

__all__ = ["HANDLER"]

_BATCHED_FROM = 3


def _answer(node: Node, request: LeaveGroupRequest, call: Call) -> LeaveGroupResponse | None:
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return LeaveGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    if call.version >= _BATCHED_FROM:
        leaving = tuple(groups.LeavingMember(each.member_id, each.group_instance_id) for each in request.members)
    else:
        leaving = (groups.LeavingMember(request.member_id),)

    node.groups.ask(
        lambda request_id: groups.LeaveRequest(request_id, request.group_id, leaving),
        groups.LeaveReply,
        lambda reply: call.answer(LEAVE_GROUP, _response(reply, call.version)),
    )
    return None


def _response(reply: groups.LeaveReply, version: int) -> LeaveGroupResponse:
    if version < _BATCHED_FROM:
        own = reply.members[0].error if reply.members and not reply.error else reply.error
        return LeaveGroupResponse(error_code=own)
    return LeaveGroupResponse(
        error_code=reply.error,
        members=[
            MemberResponse(
                member_id=member.member_id, group_instance_id=member.group_instance_id, error_code=member.error
            )
            for member in reply.members
        ],
    )


HANDLER = MessageHandler(LEAVE_GROUP, 0, 5, _answer)
