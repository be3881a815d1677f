"""DescribeLogDirs 1-5: the data directory, the size of each partition in it, and the room that its volume has.

Deviations: there is one directory, and it is never cordoned. A partition's size is that of its segments, without
indexes, as Kafka counts it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_log_dirs import (
    DESCRIBE_LOG_DIRS,
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

__all__ = ["HANDLER", "log_dir"]


def _answer(node: Node, request: DescribeLogDirsRequest, call: Call) -> DescribeLogDirsResponse:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER):
        return DescribeLogDirsResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    total_bytes, usable_bytes = _volume(node.log.data_dir)
    return DescribeLogDirsResponse(
        results=[
            DescribeLogDirsResult(
                log_dir=log_dir(node),
                topics=_topics(node, request),
                total_bytes=total_bytes,
                usable_bytes=usable_bytes,
            )
        ]
    )


def log_dir(node: Node) -> str:
    """Returns the data directory as clients are told it."""
    return str(node.log.data_dir.absolute())


def _volume(directory: Path) -> tuple[int, int]:
    """Size and room of the volume that holds a directory; -1 where the system does not tell."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return -1, -1
    return usage.total, usage.free


def _topics(node: Node, request: DescribeLogDirsRequest) -> list[DescribeLogDirsTopic]:
    if request.topics is None:
        wanted = {name: range(len(topic.partitions)) for name, topic in node.log.topics.items()}
    else:
        wanted = {topic.topic: topic.partitions for topic in request.topics}  # type: ignore[misc]
    found = []
    for name, numbers in wanted.items():
        held = [(number, node.log.partition(name, number)) for number in numbers]
        partitions = [_describe(number, partition) for number, partition in held if partition is not None]
        if partitions:
            found.append(DescribeLogDirsTopic(name=name, partitions=partitions))
    return found


def _describe(number: int, partition: PartitionLog) -> DescribeLogDirsPartition:
    lag = max(0, partition.high_watermark - partition.end_offset)
    return DescribeLogDirsPartition(partition_index=number, partition_size=partition.size_bytes, offset_lag=lag)


HANDLER = MessageHandler(DESCRIBE_LOG_DIRS, 1, 5, _answer)
