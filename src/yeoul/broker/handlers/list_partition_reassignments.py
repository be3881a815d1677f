"""ListPartitionReassignments 0: none, ever: there is one broker. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.list_partition_reassignments import (
    LIST_PARTITION_REASSIGNMENTS,
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: ListPartitionReassignmentsRequest, call: Call) -> ListPartitionReassignmentsResponse:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER):
        return ListPartitionReassignmentsResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, error_message="Not authorised to describe the cluster"
        )
    return ListPartitionReassignmentsResponse()


HANDLER = MessageHandler(LIST_PARTITION_REASSIGNMENTS, 0, 0, _answer)
