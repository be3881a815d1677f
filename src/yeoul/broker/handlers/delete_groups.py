"""DeleteGroups 0-2: empty groups with their committed offsets. Deviations: none."""

from __future__ import annotations

from functools import partial

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.delete_groups import (
    DELETE_GROUPS,
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DeleteGroupsRequest, call: Call) -> DeleteGroupsResponse | None:
    names = list(dict.fromkeys(request.groups_names))
    refused = ErrorCode.GROUP_AUTHORIZATION_FAILED
    results = {
        name: DeletableGroupResult(group_id=name, error_code=refused)
        for name in names
        if not node.allows(call, Operation.DELETE, ResourceType.GROUP, name)
    }
    if len(results) == len(names):
        return DeleteGroupsResponse(results=[results[name] for name in names])

    def deleted(group_id: str, reply: groups.DeleteGroupReply) -> None:
        results[group_id] = DeletableGroupResult(group_id=group_id, error_code=reply.error)
        if len(results) == len(names):
            call.answer(DELETE_GROUPS, DeleteGroupsResponse(results=[results[name] for name in names]))

    for name in [name for name in names if name not in results]:
        node.groups.ask(
            partial(groups.DeleteGroupRequest, group_id=name), groups.DeleteGroupReply, partial(deleted, name)
        )
    return None


HANDLER = MessageHandler(DELETE_GROUPS, 0, 2, _answer)
