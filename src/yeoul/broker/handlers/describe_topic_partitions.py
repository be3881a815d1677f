"""DescribeTopicPartitions 0: topics and their partitions in the order of their names, a page at a time (KIP-966).

Without names, all topics; a cursor names the first partition to tell of, and the answer's is where the next page
begins. Deviations: a page holds at most 2000 partitions (Kafka's `max.request.partition.size.limit`).
"""

from __future__ import annotations

from collections.abc import Sequence

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.log.directory import Topic
from yeoul.log.errors import InvalidTopic
from yeoul.log.recovery import LEADER_EPOCH
from yeoul.log.topics import check_topic_name
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_topic_partitions import (
    DESCRIBE_TOPIC_PARTITIONS,
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

__all__ = ["HANDLER"]

_PAGE = 2_000


def _answer(node: Node, request: DescribeTopicPartitionsRequest, call: Call) -> DescribeTopicPartitionsResponse:
    response = DescribeTopicPartitionsResponse()
    left = max(1, min(request.response_partition_limit, _PAGE))
    begin = request.cursor or Cursor()
    for name in _names(node, request, call, begin.topic_name):
        if not left:
            response.next_cursor = Cursor(topic_name=name, partition_index=0)
            break
        refusal = _refusal(node, call, name)
        if refusal:
            response.topics.append(DescribeTopicPartitionsResponseTopic(error_code=refusal, name=name))
            continue
        topic = node.log.topics[name]
        first = begin.partition_index if name == begin.topic_name else 0
        numbers = range(max(0, first), len(topic.partitions))[:left]
        described = _describe(topic, numbers)
        described.topic_authorized_operations = node.authorized_operations(call, ResourceType.TOPIC, name)
        response.topics.append(described)
        left -= len(numbers)
        if numbers and numbers[-1] + 1 < len(topic.partitions):
            response.next_cursor = Cursor(topic_name=name, partition_index=numbers[-1] + 1)
            break
    return response


def _names(node: Node, request: DescribeTopicPartitionsRequest, call: Call, first: str) -> list[str]:
    """The topics to tell of, in order; of all topics, those that may be seen."""
    if request.topics:
        wanted = {topic.name for topic in request.topics}
    else:
        wanted = {name for name in node.log.topics if node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, name)}
    return sorted(name for name in wanted if name >= first)


def _refusal(node: Node, call: Call, name: str) -> ErrorCode:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, name):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    try:
        check_topic_name(name)
    except InvalidTopic:
        return ErrorCode.INVALID_TOPIC_EXCEPTION
    return ErrorCode.NONE if name in node.log.topics else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _describe(topic: Topic, numbers: Sequence[int]) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id.bytes,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[
            DescribeTopicPartitionsResponsePartition(
                partition_index=number,
                leader_id=NODE_ID,
                leader_epoch=LEADER_EPOCH,
                replica_nodes=[NODE_ID],
                isr_nodes=[NODE_ID],
                eligible_leader_replicas=[],
                last_known_elr=[],
            )
            for number in numbers
        ],
    )


HANDLER = MessageHandler(DESCRIBE_TOPIC_PARTITIONS, 0, 0, _answer)
