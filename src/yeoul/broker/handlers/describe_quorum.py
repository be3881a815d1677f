"""DescribeQuorum 0-2: the one node is the whole quorum, its leader and its only voter.

Deviations: there is no metadata log, so its offsets are 0 and its end is always reached. The node's address is the one
that the peer reaches it by: there is no listener for controllers alone.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID
from yeoul.broker.node import Node as Broker
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_quorum import (
    DESCRIBE_QUORUM,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    Listener,
    Node,
    QuorumPartition,
    QuorumTopic,
    ReplicaState,
)

__all__ = ["HANDLER"]

_METADATA_TOPIC = "__cluster_metadata"
_EPOCH = 1
_LISTENER = "CONTROLLER"


def _answer(node: Broker, request: DescribeQuorumRequest, call: Call) -> DescribeQuorumResponse:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER):
        return DescribeQuorumResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, error_message="Not authorised to describe the cluster"
        )
    topics = [
        QuorumTopic(
            topic_name=topic.topic_name,
            partitions=[_describe(node, topic.topic_name, one.partition_index) for one in topic.partitions],
        )
        for topic in request.topics
    ]
    host, port = call.origin.endpoint
    listeners = [Listener(name=_LISTENER, host=host, port=port)]
    return DescribeQuorumResponse(topics=topics, nodes=[Node(node_id=NODE_ID, listeners=listeners)])


def _describe(node: Broker, topic: str, number: int) -> QuorumPartition:
    if (topic, number) != (_METADATA_TOPIC, 0):
        return QuorumPartition(partition_index=number, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    now_ms = node.clock.now_ms()
    voter = ReplicaState(replica_id=NODE_ID, last_fetch_timestamp=now_ms, last_caught_up_timestamp=now_ms)
    return QuorumPartition(partition_index=number, leader_id=NODE_ID, leader_epoch=_EPOCH, current_voters=[voter])


HANDLER = MessageHandler(DESCRIBE_QUORUM, 0, 2, _answer)
