"""Produce 3-12 (0-12 are advertised: older librdkafka stops compressing otherwise; 0-2 close the connection).

Deviations:
- every acknowledgement, for acks=1 as for acks=all, waits until the bytes are durable (under flush=commit);
- `timeout_ms` is not enforced: there are no replicas to wait for, and a failing disk stops the broker;
- a transactional batch waits for its partition to be in the transaction: added by the client before (below version
  12), or with its first batch (from version 12 on, KIP-890); it is alone in its partition's data.
"""

from __future__ import annotations

from yeoul.broker.call import Call, RawHandler
from yeoul.broker.node import INTERNAL_TOPICS, Node
from yeoul.broker.quotas import PRODUCED
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.log.admission import RejectedRecords, admitted_batches
from yeoul.log.errors import LogFull, LogStopped
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.frames import frame_response
from yeoul.wire.messages.produce import PRODUCE
from yeoul.wire.produce import ProduceData, ProduceRequest, ProduceResult, encode_response, read_request
from yeoul.wire.records import BatchHeader, read_header

__all__ = ["HANDLER"]

_OLDEST_SERVED = 3
_ABORTABLE_ERRORS_FROM = 11
_ENLISTED_FROM = 12


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
        self.results.append(result)
        if partition is not None:
            self._await(len(self.results) - 1, partition, end_offset)

    def reserve(self, data: ProduceData) -> int:
        """Keeps the place of a result that comes later, with `fill`; returns its index."""
        self.results.append(ProduceResult(data.topic, data.partition))
        self.missing += 1
        return len(self.results) - 1

    def fill(self, index: int, result: ProduceResult, partition: PartitionLog | None, end_offset: int) -> None:
        self.results[index] = result
        if partition is not None:
            self._await(index, partition, end_offset)
        self.one_done()

    def _await(self, index: int, partition: PartitionLog, end_offset: int) -> None:
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
        body = encode_response(self.results, call.version, call.throttle_ms)
        flexible = PRODUCE.is_flexible(call.version)
        call.answer_parts((frame_response(PRODUCE.key, flexible, call.correlation_id, body),))


def _serve(node: Node, call: Call, frame: memoryview, position: int) -> None:
    if call.version < _OLDEST_SERVED:
        raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"Produce version {call.version} is not served")
    request = read_request(frame, call.version, position)
    if node.quotas.is_active:
        node.charge(call, PRODUCED, len(frame))
    if request.acks == 0:
        _append_unacknowledged(node, call, request)
        return
    acknowledgement = _Acknowledgement(node, call)
    for data in request.data:
        if request.acks not in (-1, 1):
            refusal = ProduceResult(data.topic, data.partition, ErrorCode.INVALID_REQUIRED_ACKS)
            acknowledgement.add(refusal, None, 0)
            continue
        if (forbidden := _forbidden(node, call, request.transactional_id, data.topic)) is not None:
            acknowledgement.add(ProduceResult(data.topic, data.partition, forbidden), None, 0)
            continue
        if request.transactional_id is not None and _must_wait(node, data, call.version):
            _append_enlisted(node, request, data, acknowledgement)
            continue
        acknowledgement.add(*_append(node, data, request.transactional_id, call.version))
    acknowledgement.one_done()


def _append_unacknowledged(node: Node, call: Call, request: ProduceRequest) -> None:
    """Without responses a failure can be told only by closing the connection, as Kafka does."""
    for each in request.data:
        if (forbidden := _forbidden(node, call, request.transactional_id, each.topic)) is not None:
            raise ProtocolError(forbidden, f"{call.origin.session.principal} may not write to {each.topic}")
        result, _, _ = _append(node, each, request.transactional_id, call.version)
        if result.error_code:
            message = f"Could not append to {each.topic}-{each.partition}: {result.error_message}"
            raise ProtocolError(ErrorCode(result.error_code), message)
    call.answer_parts(())


def _forbidden(node: Node, call: Call, transactional_id: str | None, topic: str) -> ErrorCode | None:
    """Returns why a peer may not write to a topic, or not within this transaction."""
    if transactional_id is not None and not node.allows(
        call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id
    ):
        return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if not node.allows(call, Operation.WRITE, ResourceType.TOPIC, topic):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return None


def _must_wait(node: Node, data: ProduceData, version: int) -> bool:
    """Whether a partition has to be added to the transaction first, or an earlier batch still waits for that.

    The partition may have joined by now, while a second batch waits its turn: a third one must not overtake it.
    """
    partition = node.log.partition(data.topic, data.partition)
    if version < _ENLISTED_FROM or partition is None or data.topic in INTERNAL_TOPICS or not data.records:
        return False
    try:
        header = read_header(data.records)
    except ProtocolError:
        return False  # refused when it is looked at again, to be appended
    if not header.is_transactional or header.producer_id < 0:
        return False
    if header.producer_id not in partition.transactions.open:
        return True
    return node.transactions.is_joining(header.producer_id, (data.topic, data.partition))


def _append_enlisted(node: Node, request: ProduceRequest, data: ProduceData, answers: _Acknowledgement) -> None:
    """Adds the partition to the producer's transaction first; what follows on the same partition waits behind it."""
    assert data.records is not None
    index, version = answers.reserve(data), answers.call.version
    kept = data._replace(records=memoryview(bytearray(data.records)))
    header = read_header(data.records)
    transactional_id = request.transactional_id or ""

    def enlisted(error: ErrorCode) -> None:
        if error:
            code = _produce_error(error, version)
            message = f"Could not add {data.topic}-{data.partition} to the transaction: {error.name}"
            answers.fill(index, ProduceResult(data.topic, data.partition, code, error_message=message), None, 0)
        else:
            answers.fill(index, *_append(node, kept, transactional_id, version))

    node.transactions.enlist(
        transactional_id,
        header.producer_id,
        header.producer_epoch,
        ((data.topic, data.partition),),
        enlisted,
        epoch_bumping=True,
    )


def _produce_error(error: ErrorCode, version: int) -> ErrorCode:
    """Returns the coordinator's refusal as Produce tells it."""
    if error is ErrorCode.PRODUCER_FENCED:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if error in (ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_NOT_AVAILABLE):
        return ErrorCode.NOT_ENOUGH_REPLICAS
    if error is ErrorCode.TRANSACTION_ABORTABLE and version < _ABORTABLE_ERRORS_FROM:
        return ErrorCode.INVALID_TXN_STATE
    return error


def _append(
    node: Node, data: ProduceData, transactional_id: str | None, version: int
) -> tuple[ProduceResult, PartitionLog | None, int]:
    """Returns the result, and the partition and end offset to wait for."""
    topic, number, records = data
    partition = node.log.partition(topic, number)
    if partition is None:
        return ProduceResult(topic, number, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), None, 0
    try:
        if topic in INTERNAL_TOPICS:
            raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Clients may not write to {topic}")
        batches, headers = admitted_batches(records, partition.config, node.clock.now_ms())
        if headers[0].is_transactional:
            _check_transaction(node, partition, data, headers[0], transactional_id, version)
        node.log.space.claim(len(batches))
        appended = partition.append(batches, headers)
    except YeoulError as error:
        return _refused(node, topic, number, error), None, 0
    if node.traffic is not None:
        node.traffic.produced(topic, appended.end_offset - appended.base_offset, len(batches))
    append_time_ms = headers[-1].max_timestamp_ms if partition.config.log_append_time else -1
    result = ProduceResult(topic, number, 0, appended.base_offset, append_time_ms, partition.start_offset)
    return result, partition, appended.end_offset


def _refused(node: Node, topic: str, number: int, error: YeoulError) -> ProduceResult:
    """Returns the result of a partition that was not appended to."""
    if node.traffic is not None:
        node.traffic.topic(topic).failed_produces += 1
    refusal = _refusal(topic, number, error)
    if isinstance(error, RejectedRecords):
        return refusal._replace(record_errors=error.records)
    if isinstance(error, LogFull):
        node.log.space.refused(error)
    return refusal


def _refusal(topic: str, number: int, error: YeoulError) -> ProduceResult:
    return ProduceResult(topic, number, error_code_of(error), error_message=error.message)


def _check_transaction(
    node: Node,
    partition: PartitionLog,
    data: ProduceData,
    header: BatchHeader,
    transactional_id: str | None,
    version: int,
) -> None:
    """Raises ProtocolError unless the batch belongs to an open transaction that has this partition."""
    if transactional_id is None:
        message = "Expected a transactional id with a transactional batch"
        raise ProtocolError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, message)
    producer_id, producer_epoch = header.producer_id, header.producer_epoch
    if producer_id in partition.transactions.open:
        return
    verify = node.transactions.coordinator.verify
    error = verify(transactional_id, producer_id, producer_epoch, (data.topic, data.partition))
    if error:
        message = f"{data.topic}-{data.partition} is not in an open transaction of {transactional_id!r}: {error.name}"
        raise ProtocolError(_produce_error(error, version), message)


HANDLER = RawHandler(PRODUCE, 0, 12, _serve)
