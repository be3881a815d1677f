"""DescribeProducers 0: who has written to a partition, and whose transaction is open there.

Deviations: the coordinator's epoch is always 0: a single node never changes coordinators.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_producers import (
    DESCRIBE_PRODUCERS,
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DescribeProducersRequest, call: Call) -> DescribeProducersResponse:
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name,
                partitions=[_describe(node, topic.name, number, call) for number in topic.partition_indexes],
            )
            for topic in request.topics
        ]
    )


def _describe(node: Node, topic: str, number: int, call: Call) -> PartitionResponse:
    if not node.allows(call, Operation.READ, ResourceType.TOPIC, topic):
        return PartitionResponse(partition_index=number, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    partition = node.log.partition(topic, number)
    if partition is None:
        return PartitionResponse(partition_index=number, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    started = partition.transactions.open
    return PartitionResponse(
        partition_index=number,
        active_producers=[
            ProducerState(
                producer_id=each.producer_id,
                producer_epoch=each.producer_epoch,
                last_sequence=each.last_sequence,
                last_timestamp=each.last_timestamp_ms,
                current_txn_start_offset=started.get(each.producer_id, -1),
            )
            for each in partition.producers.describe()
        ],
    )


HANDLER = MessageHandler(DESCRIBE_PRODUCERS, 0, 0, _answer)
