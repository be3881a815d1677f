"""DescribeGroups 0-6: state and members of groups. Deviations: none; an unknown group is `Dead`, from 6 on an error."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_groups import (
    DESCRIBE_GROUPS,
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

__all__ = ["HANDLER"]

_UNKNOWN_IS_ERROR_FROM = 6
_DEAD = "Dead"


def _answer(node: Node, request: DescribeGroupsRequest, call: Call) -> DescribeGroupsResponse:
    described = []
    for group_id in request.groups:
        if not node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, group_id):
            refused = ErrorCode.GROUP_AUTHORIZATION_FAILED
            described.append(DescribedGroup(group_id=group_id, error_code=refused, error_message=None))
            continue
        group = _describe(node, group_id, call.version)
        if request.include_authorized_operations:
            group.authorized_operations = node.authorized_operations(call, ResourceType.GROUP, group_id)
        described.append(group)
    return DescribeGroupsResponse(groups=described)


def _describe(node: Node, group_id: str, version: int) -> DescribedGroup:
    group = node.groups.coordinator.describe_group(group_id)
    described = DescribedGroup(
        group_id=group_id,
        group_state=group.state,
        protocol_type=group.protocol_type,
        protocol_data=group.protocol_name,
        members=[
            DescribedGroupMember(
                member_id=member.member_id,
                group_instance_id=member.group_instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                member_metadata=member.metadata,
                member_assignment=member.assignment,
            )
            for member in group.members
        ],
    )
    if group.state == _DEAD and version >= _UNKNOWN_IS_ERROR_FROM:
        described.error_code = ErrorCode.GROUP_ID_NOT_FOUND
        described.error_message = f"There is no group {group_id!r}"
    return described


HANDLER = MessageHandler(DESCRIBE_GROUPS, 0, 6, _answer)
