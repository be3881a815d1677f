"""DescribeCluster 0-2: a cluster of one. Deviations: there are no controllers to describe apart from the broker."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_cluster import (
    DESCRIBE_CLUSTER,
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

__all__ = ["HANDLER"]

_BROKERS = 1


def _answer(node: Node, request: DescribeClusterRequest, call: Call) -> DescribeClusterResponse:
    if call.version >= 1 and request.endpoint_type != _BROKERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE, error_message="This is a broker, not a controller"
        )
    host, port = call.origin.endpoint
    response = DescribeClusterResponse(
        error_message=None,
        cluster_id=node.cluster_id,
        controller_id=NODE_ID,
        brokers=[DescribeClusterBroker(broker_id=NODE_ID, host=host, port=port)],
    )
    if request.include_cluster_authorized_operations:
        may_see = node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER)
        response.cluster_authorized_operations = (
            node.authorized_operations(call, ResourceType.CLUSTER) if may_see else 0
        )
    return response


HANDLER = MessageHandler(DESCRIBE_CLUSTER, 0, 2, _answer)
