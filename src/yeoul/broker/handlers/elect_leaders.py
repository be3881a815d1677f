"""ElectLeaders 0-2: the one broker leads every partition already, so no election is ever needed.

Deviations: none; asked for all partitions, Kafka too tells only of those where an election took place.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.elect_leaders import (
    ELECT_LEADERS,
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
    TopicPartitions,
)

__all__ = ["HANDLER"]

_ELECTION_TYPES = (0, 1)


def _answer(node: Node, request: ElectLeadersRequest, call: Call) -> ElectLeadersResponse:
    refusal = ErrorCode.NONE
    if not node.allows(call, Operation.ALTER, ResourceType.CLUSTER):
        refusal = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    elif request.election_type not in _ELECTION_TYPES:
        refusal = ErrorCode.INVALID_REQUEST
    wanted = request.topic_partitions or []
    return ElectLeadersResponse(
        error_code=refusal,
        replica_election_results=[_elect(node, topic, refusal) for topic in wanted],
    )


def _elect(node: Node, wanted: TopicPartitions, refusal: ErrorCode) -> ReplicaElectionResult:
    results = []
    for number in wanted.partitions:
        code, message = ErrorCode.ELECTION_NOT_NEEDED, "The only broker leads this partition"
        if refusal:
            code, message = refusal, "Not authorised, or no such kind of election"
        elif node.log.partition(wanted.topic, number) is None:
            code, message = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"There is no partition {wanted.topic}-{number}"
        results.append(PartitionResult(partition_id=number, error_code=code, error_message=message))
    return ReplicaElectionResult(topic=wanted.topic, partition_result=results)


HANDLER = MessageHandler(ELECT_LEADERS, 0, 2, _answer)
