"""DeleteRecords 0-2: moves a partition's start forward; -1 means up to the high watermark. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.log.errors import OffsetOutOfRange
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.delete_records import (
    DELETE_RECORDS,
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DeleteRecordsRequest, call: Call) -> DeleteRecordsResponse:
    return DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                name=topic.name, partitions=[_trim(node, topic.name, each, call) for each in topic.partitions]
            )
            for topic in request.topics
        ]
    )


def _trim(node: Node, topic: str, wanted: DeleteRecordsPartition, call: Call) -> DeleteRecordsPartitionResult:
    result = DeleteRecordsPartitionResult(partition_index=wanted.partition_index, low_watermark=-1)
    if not node.allows(call, Operation.DELETE, ResourceType.TOPIC, topic):
        result.error_code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return result
    partition = node.log.partition(topic, wanted.partition_index)
    if partition is None:
        result.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return result
    try:
        offset = partition.high_watermark if wanted.offset == -1 else wanted.offset
        result.low_watermark = partition.advance_start_offset(offset)
    except OffsetOutOfRange:
        result.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
    return result


HANDLER = MessageHandler(DELETE_RECORDS, 0, 2, _answer)
