"""Produce 3-12 (0-12 are advertised: older librdkafka stops compressing otherwise; 0-2 close the connection).

Deviations:
- every acknowledgement, for acks=1 as for acks=all, waits until the bytes are durable (under flush=commit);
- `timeout_ms` is not enforced: there are no replicas to wait for, and a failing disk stops the broker;
- transactional batches are refused with INVALID_TXN_STATE: there is no transaction coordinator yet;
- a topic's `compression.type` other than `producer` is not enforced: batches are stored as they were sent.
"""

from __future__ import annotations

from yeoul.broker.call import Call, RawHandler
from yeoul.broker.node import INTERNAL_TOPICS, Node
from yeoul.broker.refusals import error_code_of
from yeoul.errors import YeoulError
from yeoul.log.errors import LogStopped
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.frames import frame_response
from yeoul.wire.messages.produce import PRODUCE
from yeoul.wire.produce import ProduceData, ProduceResult, encode_response, read_request
from yeoul.wire.records import BatchHeader, decode_records, patch_append_time, read_header, validate_produced

__all__ = ["HANDLER"]

_OLDEST_SERVED = 3


class _Acknowledgement:
    """Collects the results of one request and answers when the last one is durable."""

    __slots__ = ("call", "missing", "node", "results")

    def __init__(self, node: Node, call: Call) -> None:
        self.node = node
        self.call = call
        self.results: list[ProduceResult] = []
        self.missing = 1
        node.unacknowledged += 1

    def add(self, result: ProduceResult, partition: PartitionLog | None, end_offset: int) -> None:
        """Takes one partition's result; a partition that was appended to is waited for."""
        index = len(self.results)
        self.results.append(result)
        if partition is None:
            return
        if not partition.when_committed(end_offset, lambda failure: self._committed(index, failure)):
            self.missing += 1

    def _committed(self, index: int, failure: LogStopped | None) -> None:
        if failure is not None:
            result = self.results[index]
            self.results[index] = _refusal(result.topic, result.partition, failure)
        self.one_done()

    def one_done(self) -> None:
        self.missing -= 1
        if self.missing:
            return
        self.node.unacknowledged -= 1
        call = self.call
        body = encode_response(self.results, call.version)
        flexible = PRODUCE.is_flexible(call.version)
        call.answer_parts((frame_response(PRODUCE.key, flexible, call.correlation_id, body),))


def _serve(node: Node, call: Call, frame: memoryview, position: int) -> None:
    if call.version < _OLDEST_SERVED:
        raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"Produce version {call.version} is not served")
    request = read_request(frame, call.version, position)
    if request.acks == 0:
        _append_unacknowledged(node, call, request.data)
        return
    acknowledgement = _Acknowledgement(node, call)
    for data in request.data:
        if request.acks not in (-1, 1):
            refusal = ProduceResult(data.topic, data.partition, ErrorCode.INVALID_REQUIRED_ACKS)
            acknowledgement.add(refusal, None, 0)
            continue
        acknowledgement.add(*_append(node, data))
    acknowledgement.one_done()


def _append_unacknowledged(node: Node, call: Call, data: list[ProduceData]) -> None:
    """Without responses a failure can be told only by closing the connection, as Kafka does."""
    for each in data:
        result, _, _ = _append(node, each)
        if result.error_code:
            message = f"Could not append to {each.topic}-{each.partition}: {result.error_message}"
            raise ProtocolError(ErrorCode(result.error_code), message)
    call.answer_parts(())


def _append(node: Node, data: ProduceData) -> tuple[ProduceResult, PartitionLog | None, int]:
    """Returns the result, and the partition and end offset to wait for."""
    topic, number, records = data
    partition = node.log.partition(topic, number)
    if partition is None:
        return ProduceResult(topic, number, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), None, 0
    try:
        headers = _checked_headers(node, partition, topic, records)
        assert records is not None
        appended = partition.append(records, headers)
    except YeoulError as error:
        return _refusal(topic, number, error), None, 0
    append_time_ms = headers[-1].max_timestamp_ms if partition.config.log_append_time else -1
    result = ProduceResult(topic, number, 0, appended.base_offset, append_time_ms, partition.start_offset)
    return result, partition, appended.end_offset


def _refusal(topic: str, number: int, error: YeoulError) -> ProduceResult:
    return ProduceResult(topic, number, error_code_of(error), error_message=error.message)


def _checked_headers(node: Node, partition: PartitionLog, topic: str, records: memoryview | None) -> list[BatchHeader]:
    """Returns the headers of the batches, each of them fit to be stored.

    Raises:
        ProtocolError: One is not.
    """
    if not records:
        raise ProtocolError(ErrorCode.INVALID_RECORD, "Expected at least one record batch, got none")
    if topic in INTERNAL_TOPICS:
        raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Clients may not write to {topic}")
    config = partition.config
    headers: list[BatchHeader] = []
    position, end = 0, len(records)
    while position < end:
        header = validate_produced(records, position, max_batch_bytes=config.max_message_bytes)
        if header.is_transactional:
            raise ProtocolError(ErrorCode.INVALID_TXN_STATE, "Transactions are not supported yet")
        if config.compacted:
            _check_keys(records, position)
        if config.log_append_time:
            patch_append_time(records, position, node.clock.now_ms())
            header = read_header(records, position)
        headers.append(header)
        position += header.size_bytes
    return headers


def _check_keys(records: memoryview, position: int) -> None:
    """Compaction keeps the last record of each key: a record without one has no place in a compacted topic."""
    for record in decode_records(records, position, verify_crc=False):
        if record.key is None:
            raise ProtocolError(ErrorCode.INVALID_RECORD, "A compacted topic takes no records without a key")


HANDLER = RawHandler(PRODUCE, 0, 12, _serve)
