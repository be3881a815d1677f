"""WriteTxnMarkers 1-2: ends a producer's transaction in single partitions, past its coordinator (KIP-664).

For an operator who aborts a transaction that hangs (`kafka-transactions abort`, `yeoul transactions abort`); answered
once the markers are durable. Deviations: between brokers Kafka uses this too; here that is a call inside the process.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.internal_topics import OFFSETS_TOPIC
from yeoul.broker.node import Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.log.errors import LogStopped
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.write_txn_markers import (
    WRITE_TXN_MARKERS,
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

__all__ = ["HANDLER"]


class _Answer:
    """A response on its way: sent once no marker is missing."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.response = WriteTxnMarkersResponse()
        self.missing = 1

    def one_done(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.call.answer(WRITE_TXN_MARKERS, self.response)


def _answer(node: Node, request: WriteTxnMarkersRequest, call: Call) -> None:
    allowed = node.allows(call, Operation.ALTER, ResourceType.CLUSTER) or node.allows(
        call, Operation.CLUSTER_ACTION, ResourceType.CLUSTER
    )
    answer = _Answer(call)
    for marker in request.markers:
        topics = []
        for topic in marker.topics:
            results = [WritableTxnMarkerPartitionResult(partition_index=one) for one in topic.partition_indexes]
            for result in results:
                if allowed:
                    _write(node, marker, topic.name, result, answer)
                else:
                    result.error_code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            topics.append(WritableTxnMarkerTopicResult(name=topic.name, partitions=results))
        answer.response.markers.append(WritableTxnMarkerResult(producer_id=marker.producer_id, topics=topics))
    answer.one_done()


def _write(
    node: Node, marker: WritableTxnMarker, topic: str, result: WritableTxnMarkerPartitionResult, answer: _Answer
) -> None:
    partition = node.log.partition(topic, result.partition_index)
    if partition is None:
        result.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return
    commit = marker.transaction_result
    try:
        appended = partition.append_marker(
            producer_id=marker.producer_id, producer_epoch=marker.producer_epoch, commit=commit
        )
    except YeoulError as error:
        result.error_code = error_code_of(error)
        return

    def durable(failure: LogStopped | None) -> None:
        if failure is not None:
            result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        elif topic == OFFSETS_TOPIC:
            node.groups.end_transaction(marker.producer_id, commit=commit)

    def durable_later(failure: LogStopped | None) -> None:
        durable(failure)
        answer.one_done()

    answer.missing += 1
    if partition.when_committed(appended.end_offset, durable_later):
        durable_later(None)


HANDLER = MessageHandler(WRITE_TXN_MARKERS, 1, 2, _answer)
