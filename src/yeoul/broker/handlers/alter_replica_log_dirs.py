"""AlterReplicaLogDirs 1-2: a partition may be put into the one data directory, where it is already.

Deviations: any other directory is LOG_DIR_NOT_FOUND.
"""

from __future__ import annotations

import os

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.handlers.describe_log_dirs import log_dir
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.alter_replica_log_dirs import (
    ALTER_REPLICA_LOG_DIRS,
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: AlterReplicaLogDirsRequest, call: Call) -> AlterReplicaLogDirsResponse:
    allowed = node.allows(call, Operation.ALTER, ResourceType.CLUSTER)
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=topic.name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(
                        partition_index=number,
                        error_code=_outcome(node, wanted.path, topic.name, number)
                        if allowed
                        else ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
                    )
                    for number in topic.partitions
                ],
            )
            for wanted in request.dirs
            for topic in wanted.topics
        ]
    )


def _outcome(node: Node, path: str, topic: str, number: int) -> ErrorCode:
    if os.path.abspath(path) != log_dir(node):
        return ErrorCode.LOG_DIR_NOT_FOUND
    return ErrorCode.NONE if node.log.partition(topic, number) else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


HANDLER = MessageHandler(ALTER_REPLICA_LOG_DIRS, 1, 2, _answer)
