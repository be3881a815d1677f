"""OffsetFetch 1-9: committed offsets, of one group, or from version 8 of several.

Deviations: `require_stable` always holds, for there are no transactions yet; member id and epoch (KIP-848) are not
checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.messages import CommittedOffset
from yeoul.broker.node import Node
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
_NOTHING = CommittedOffset(-1)

Found = list[tuple[str, list[tuple[int, CommittedOffset]]]]


def _answer(node: Node, request: OffsetFetchRequest, call: Call) -> OffsetFetchResponse:
    if call.version >= _BATCHED_FROM:
        return OffsetFetchResponse(groups=[_group(node, each) for each in request.groups])
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
                    )
                    for number, committed in partitions
                ],
            )
            for topic, partitions in _find(node, request.group_id, wanted)
        ]
    )


def _group(node: Node, request: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup:
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
                    )
                    for number, committed in partitions
                ],
            )
            for topic, partitions in _find(node, request.group_id, wanted)
        ],
    )


def _find(node: Node, group_id: str, wanted: Iterable[tuple[str, Sequence[int]]] | None) -> Found:
    """Returns the committed offsets by topic; -1 where there is none; all that there are when `wanted` is None."""
    held = node.groups.coordinator.fetch_offsets(group_id)
    if wanted is not None:
        return [
            (topic, [(number, held.get((topic, number), _NOTHING)) for number in numbers]) for topic, numbers in wanted
        ]
    found: dict[str, list[tuple[int, CommittedOffset]]] = {}
    for (topic, number), committed in held.items():
        found.setdefault(topic, []).append((number, committed))
    return list(found.items())


HANDLER = MessageHandler(OFFSET_FETCH, 1, 9, _answer)
