"""AlterPartitionReassignments 0-1: a partition may be assigned to the one broker, where it is already.

Deviations: nothing ever moves, so there is never a reassignment to cancel.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.alter_partition_reassignments import (
    ALTER_PARTITION_REASSIGNMENTS,
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: AlterPartitionReassignmentsRequest, call: Call) -> AlterPartitionReassignmentsResponse:
    if not node.allows(call, Operation.ALTER, ResourceType.CLUSTER):
        return AlterPartitionReassignmentsResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, error_message="Not authorised to move partitions"
        )
    return AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        responses=[
            ReassignableTopicResponse(
                name=topic.name, partitions=[_reassign(node, topic.name, each) for each in topic.partitions]
            )
            for topic in request.topics
        ],
    )


def _reassign(node: Node, topic: str, wanted: ReassignablePartition) -> ReassignablePartitionResponse:
    code, message = ErrorCode.NONE, None
    if node.log.partition(topic, wanted.partition_index) is None:
        code, message = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "There is no such partition"
    elif wanted.replicas is None:
        code, message = ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, "No partition is being reassigned"
    elif wanted.replicas != [NODE_ID]:
        code = ErrorCode.INVALID_REPLICA_ASSIGNMENT
        message = f"Expected [{NODE_ID}], for broker {NODE_ID} is the only one, got {wanted.replicas}"
    return ReassignablePartitionResponse(partition_index=wanted.partition_index, error_code=code, error_message=message)


HANDLER = MessageHandler(ALTER_PARTITION_REASSIGNMENTS, 0, 1, _answer)
