"""OffsetForLeaderEpoch 2-4: where a leader epoch ended. Deviations: one node, one epoch: it never ends."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.log.recovery import LEADER_EPOCH
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.offset_for_leader_epoch import (
    OFFSET_FOR_LEADER_EPOCH,
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: OffsetForLeaderEpochRequest, call: Call) -> OffsetForLeaderEpochResponse:
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(
                topic=topic.topic, partitions=[_look_up(node, topic.topic, each, call) for each in topic.partitions]
            )
            for topic in request.topics
        ]
    )


def _look_up(node: Node, topic: str, wanted: OffsetForLeaderPartition, call: Call) -> EpochEndOffset:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, topic):
        return EpochEndOffset(partition=wanted.partition, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    partition = node.log.partition(topic, wanted.partition)
    if partition is None:
        return EpochEndOffset(partition=wanted.partition, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if wanted.leader_epoch > LEADER_EPOCH:
        return EpochEndOffset(partition=wanted.partition)
    return EpochEndOffset(partition=wanted.partition, leader_epoch=LEADER_EPOCH, end_offset=partition.high_watermark)


HANDLER = MessageHandler(OFFSET_FOR_LEADER_EPOCH, 2, 4, _answer)
