"""OffsetFetch 1-9: committed offsets, of one group, or from version 8 of several.

With `require_stable` an offset that an open transaction is about to replace is refused for now
(UNSTABLE_OFFSET_COMMIT). A member of a consumer group must name its epoch (version 9). Deviations: none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.messages import CommittedOffset
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.offset_fetch import (
    OFFSET_FETCH,
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

__all__ = ["HANDLER"]

_BATCHED_FROM = 8
_WHOLE_ERROR_FROM = 2
_NOTHING = CommittedOffset(-1)

Found = list[tuple[str, list[tuple[int, CommittedOffset, ErrorCode]]]]


def _answer(node: Node, request: OffsetFetchRequest, call: Call) -> OffsetFetchResponse:
    if call.version >= _BATCHED_FROM:
        return OffsetFetchResponse(groups=[_group(node, each, request.require_stable, call) for each in request.groups])
    if not node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, request.group_id):
        return _refusal(request, call.version)
    wanted = None if request.topics is None else [(topic.name, topic.partition_indexes) for topic in request.topics]
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                name=topic,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=number,
                        committed_offset=committed.offset,
                        committed_leader_epoch=committed.leader_epoch,
                        metadata=committed.metadata,
                        error_code=error,
                    )
                    for number, committed, error in partitions
                ],
            )
            for topic, partitions in _find(node, request.group_id, wanted, request.require_stable, call)
        ]
    )


def _refusal(request: OffsetFetchRequest, version: int) -> OffsetFetchResponse:
    """Version 1 has no place for an error of the whole."""
    refused = ErrorCode.GROUP_AUTHORIZATION_FAILED
    if version >= _WHOLE_ERROR_FROM:
        return OffsetFetchResponse(error_code=refused)
    return OffsetFetchResponse(
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=number, committed_offset=-1, metadata="", error_code=refused
                    )
                    for number in topic.partition_indexes
                ],
            )
            for topic in request.topics or ()
        ]
    )


def _group(node: Node, request: OffsetFetchRequestGroup, require_stable: bool, call: Call) -> OffsetFetchResponseGroup:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, request.group_id):
        return OffsetFetchResponseGroup(group_id=request.group_id, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    error = node.groups.coordinator.fetch_error(request.group_id, request.member_id, request.member_epoch)
    if error:
        return OffsetFetchResponseGroup(group_id=request.group_id, error_code=error)
    wanted = None if request.topics is None else [(topic.name, topic.partition_indexes) for topic in request.topics]
    return OffsetFetchResponseGroup(
        group_id=request.group_id,
        topics=[
            OffsetFetchResponseTopics(
                name=topic,
                partitions=[
                    OffsetFetchResponsePartitions(
                        partition_index=number,
                        committed_offset=committed.offset,
                        committed_leader_epoch=committed.leader_epoch,
                        metadata=committed.metadata,
                        error_code=error,
                    )
                    for number, committed, error in partitions
                ],
            )
            for topic, partitions in _find(node, request.group_id, wanted, require_stable, call)
        ],
    )


def _find(
    node: Node, group_id: str, wanted: Iterable[tuple[str, Sequence[int]]] | None, require_stable: bool, call: Call
) -> Found:
    """Returns the committed offsets by topic; -1 where there is none; all that there are when `wanted` is None.

    A topic that the peer may not see is refused when it is asked for, and left out when all are.
    """
    coordinator = node.groups.coordinator
    held = coordinator.fetch_offsets(group_id)
    unstable = coordinator.unstable_partitions(group_id) if require_stable else frozenset()

    def is_visible(topic: str) -> bool:
        return node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, topic)

    def stable(topic: str, number: int) -> tuple[int, CommittedOffset, ErrorCode]:
        if (topic, number) in unstable:
            return number, _NOTHING, ErrorCode.UNSTABLE_OFFSET_COMMIT
        return number, held.get((topic, number), _NOTHING), ErrorCode.NONE

    if wanted is not None:
        refused = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return [
            (topic, [stable(topic, number) if is_visible(topic) else (number, _NOTHING, refused) for number in numbers])
            for topic, numbers in wanted
        ]
    found: dict[str, list[tuple[int, CommittedOffset, ErrorCode]]] = {}
    for topic, number in {**dict.fromkeys(held), **dict.fromkeys(unstable)}:
        if is_visible(topic):
            found.setdefault(topic, []).append(stable(topic, number))
    return list(found.items())


HANDLER = MessageHandler(OFFSET_FETCH, 1, 9, _answer)
