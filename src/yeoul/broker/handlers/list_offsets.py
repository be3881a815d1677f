"""ListOffsets 1-10: the start, the end, or the first record at or after a time.

Deviations: time stamps -4 (earliest local) is the start, and -5 (latest tiered) is unknown: nothing is tiered.
"""

from __future__ import annotations

from collections.abc import Callable

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.log.partition import PartitionLog, TimestampOffset
from yeoul.log.recovery import LEADER_EPOCH
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.list_offsets import (
    LIST_OFFSETS,
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

__all__ = ["HANDLER"]


_READ_COMMITTED = 1

Search = Callable[[], TimestampOffset | None]


def _answer(node: Node, request: ListOffsetsRequest, call: Call) -> ListOffsetsResponse | None:
    searches: list[tuple[ListOffsetsPartitionResponse, Search]] = []
    response = ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    _look_up(node, topic.name, each, searches, request.isolation_level == _READ_COMMITTED)
                    if node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
                    else _refusal(each.partition_index)
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
    if not searches:
        return response

    def searched(failure: BaseException | None) -> None:
        if failure is not None:
            for found, _ in searches:
                found.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        call.answer(LIST_OFFSETS, response)

    node.in_thread(lambda: _search(searches), searched)
    return None


def _refusal(partition_index: int) -> ListOffsetsPartitionResponse:
    refused = ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return ListOffsetsPartitionResponse(partition_index=partition_index, offset=-1, timestamp=-1, error_code=refused)


def _look_up(
    node: Node,
    topic: str,
    wanted: ListOffsetsPartition,
    searches: list[tuple[ListOffsetsPartitionResponse, Search]],
    stable_only: bool,
) -> ListOffsetsPartitionResponse:
    """Returns the answer, or one that a search in a thread will fill in."""
    found = ListOffsetsPartitionResponse(partition_index=wanted.partition_index, offset=-1, timestamp=-1)
    partition = node.log.partition(topic, wanted.partition_index)
    if partition is None:
        found.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return found
    if wanted.current_leader_epoch > LEADER_EPOCH:
        found.error_code = ErrorCode.UNKNOWN_LEADER_EPOCH
        return found
    found.leader_epoch = LEADER_EPOCH
    match wanted.timestamp:
        case -1:
            found.offset = partition.last_stable_offset if stable_only else partition.high_watermark
        case -2 | -4:
            found.offset = partition.start_offset
        case -3:
            searches.append((found, _bounded(partition, partition.newest_timestamp, stable_only)))
        case timestamp_ms if timestamp_ms >= 0:
            searches.append((found, _bounded(partition, _search_time(partition, timestamp_ms), stable_only)))
    return found


def _search_time(partition: PartitionLog, timestamp_ms: int) -> Search:
    return lambda: partition.find_timestamp(timestamp_ms)


def _bounded(partition: PartitionLog, search: Search, stable_only: bool) -> Search:
    """Returns a search that finds nothing beyond the last stable offset as it stands now, if that is wanted."""
    if not stable_only:
        return search
    bound = partition.last_stable_offset

    def bounded() -> TimestampOffset | None:
        found = search()
        return found if found is not None and found.offset < bound else None

    return bounded


def _search(searches: list[tuple[ListOffsetsPartitionResponse, Search]]) -> None:
    for found, search in searches:
        record = search()
        if record is not None:
            found.offset, found.timestamp = record.offset, record.timestamp_ms


HANDLER = MessageHandler(LIST_OFFSETS, 1, 10, _answer)
