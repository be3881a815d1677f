"""ListGroups 0-5: all groups, or those in certain states. Deviations: every group is of type `classic`."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.messages.list_groups import LIST_GROUPS, ListedGroup, ListGroupsRequest, ListGroupsResponse

__all__ = ["HANDLER"]

_TYPE = "classic"


def _answer(node: Node, request: ListGroupsRequest, call: Call) -> ListGroupsResponse:
    if request.types_filter and _TYPE not in (each.lower() for each in request.types_filter):
        return ListGroupsResponse()
    sees_all = node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER)
    return ListGroupsResponse(
        groups=[
            ListedGroup(
                group_id=group.group_id, protocol_type=group.protocol_type, group_state=group.state, group_type=_TYPE
            )
            for group in node.groups.coordinator.list_groups(request.states_filter)
            if sees_all or node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, group.group_id)
        ]
    )


HANDLER = MessageHandler(LIST_GROUPS, 0, 5, _answer)
