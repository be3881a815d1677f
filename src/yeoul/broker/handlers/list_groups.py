"""ListGroups 0-5: all groups, or those in certain states and of certain types. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.messages.list_groups import LIST_GROUPS, ListedGroup, ListGroupsRequest, ListGroupsResponse

__all__ = ["HANDLER"]


def _answer(node: Node, request: ListGroupsRequest, call: Call) -> ListGroupsResponse:
    sees_all = node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER)
    return ListGroupsResponse(
        groups=[
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type,
                group_state=group.state,
                group_type=group.group_type,
            )
            for group in node.groups.coordinator.list_groups(request.states_filter, request.types_filter)
            if sees_all or node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, group.group_id)
        ]
    )


HANDLER = MessageHandler(LIST_GROUPS, 0, 5, _answer)
