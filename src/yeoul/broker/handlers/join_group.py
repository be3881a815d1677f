"""JoinGroup 0-9: a member enters the next generation of a classic group; the answer waits for the others.

Deviations: the first rebalance of a new group waits 100 ms for more members, not 3 s.
"""

from __future__ import annotations

import uuid

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.classic import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.join_group import (
    JOIN_GROUP,
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)

__all__ = ["HANDLER"]

_REQUIRES_MEMBER_ID_FROM = 4
_NULL_PROTOCOL_FROM = 7
_SKIP_ASSIGNMENT_FROM = 9


def _answer(node: Node, request: JoinGroupRequest, call: Call) -> JoinGroupResponse | None:
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return JoinGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    client_id = call.client_id or ""

    def make(request_id: int) -> groups.JoinRequest:
        return groups.JoinRequest(
            request_id=request_id,
            group_id=request.group_id,
            member_id=request.member_id,
            new_member_id=f"{request.group_instance_id or client_id}-{uuid.uuid4()}",
            group_instance_id=request.group_instance_id,
            client_id=client_id,
            client_host=f"/{call.origin.peer_host}",
            protocol_type=request.protocol_type,
            protocols=tuple((each.name, each.metadata) for each in request.protocols),
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=request.rebalance_timeout_ms if call.version >= 1 else request.session_timeout_ms,
            require_member_id=call.version >= _REQUIRES_MEMBER_ID_FROM,
            skip_assignment_allowed=call.version >= _SKIP_ASSIGNMENT_FROM,
        )

    node.groups.ask(make, groups.JoinReply, lambda reply: call.answer(JOIN_GROUP, _response(reply, call.version)))
    return None


def _response(reply: groups.JoinReply, version: int) -> JoinGroupResponse:
    protocol_name = reply.protocol_name
    if protocol_name is None and version < _NULL_PROTOCOL_FROM:
        protocol_name = ""
    return JoinGroupResponse(
        error_code=reply.error,
        generation_id=reply.generation_id,
        protocol_type=reply.protocol_type,
        protocol_name=protocol_name,
        leader=reply.leader,
        skip_assignment=reply.skip_assignment,
        member_id=reply.member_id,
        members=[
            JoinGroupResponseMember(
                member_id=member.member_id, group_instance_id=member.group_instance_id, metadata=member.metadata
            )
            for member in reply.members
        ],
    )


HANDLER = MessageHandler(JOIN_GROUP, 0, 9, _answer)
