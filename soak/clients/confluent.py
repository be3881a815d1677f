"""confluent-kafka (librdkafka), up to 2.16.

Its consumers are given their partitions here and do not join groups: under faults its rebalance callback now and then
waits for ever inside librdkafka while it holds Python's interpreter lock, which stops every other client of the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from soak.clients.contract import Done, Failed, Reader, Seen, Writer, WriterSettings
from soak.clients.patience import within
from soak.history import Place

__all__ = ["ConfluentFamily"]

_CALL_TIMEOUT_S = 10.0
_LONGEST_CALL_S = 20.0
_COMMON: dict[str, object] = {
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
    "retry.backoff.ms": 50,
    "socket.timeout.ms": 5_000,
    "log_level": 0,
    "error_cb": lambda error: None,
}
# What a broker answers before it does anything: the record is not there and will not be.
_REFUSED = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._INVALID_ARG})


def _failed(error: KafkaError) -> Failed:
    return Failed(str(error), is_certain=error.code() in _REFUSED, is_abortable=bool(error.txn_requires_abort()))


def _calling(call: Callable[..., object], *arguments: object) -> None:
    """Makes a transactional call, again while librdkafka says that it may be made again."""
    for attempt in range(4):
        try:
            call(*arguments)
            return
        except KafkaException as failure:
            error = failure.args[0]
            if not error.retriable() or attempt == 3:
                raise _failed(error) from failure


class _Writer:
    def __init__(self, bootstrap: str, settings: WriterSettings) -> None:
        config: dict[str, object] = {
            **_COMMON,
            "bootstrap.servers": bootstrap,
            "enable.idempotence": settings.idempotent,
            "compression.type": settings.compression,
            "linger.ms": settings.linger_ms,
            "batch.num.messages": 50,
            "message.timeout.ms": 20_000,
            "request.timeout.ms": 5_000,
        }
        if not settings.idempotent:
            config["max.in.flight"] = 1
        if settings.transactional_id:
            config |= {
                "transactional.id": settings.transactional_id,
                "transaction.timeout.ms": settings.transaction_timeout_ms,
                "message.timeout.ms": settings.transaction_timeout_ms,
            }
        self._producer = Producer(config)
        if settings.transactional_id:
            try:
                _calling(self._producer.init_transactions, _CALL_TIMEOUT_S)
            except Failed:
                self.close()
                raise

    def send(self, place: Place, value: bytes, done: Done) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                done(None, _failed(error))
            else:
                offset = message.offset()
                done(offset if offset is not None and offset >= 0 else None, None)

        while True:
            try:
                self._producer.produce(place.topic, value, partition=place.partition, on_delivery=delivered)
                self._producer.poll(0)
                return
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as failure:
                done(None, _failed(failure.args[0]))
                return

    def flush(self, timeout_s: float) -> bool:
        try:
            return self._producer.flush(timeout_s) == 0
        except KafkaException as failure:
            raise _failed(failure.args[0]) from failure
        except SystemError as failure:
            # A fatal error that came up inside a callback.
            raise Failed(str(failure)) from failure

    def close(self) -> None:
        with contextlib.suppress(KafkaException, SystemError):
            self._producer.purge()
            self._producer.flush(1.0)

    def begin(self) -> None:
        _calling(self._producer.begin_transaction)

    def commit(self) -> None:
        _calling(self._producer.commit_transaction, _CALL_TIMEOUT_S)

    def abort(self) -> None:
        _calling(self._producer.abort_transaction, _CALL_TIMEOUT_S)

    def send_offsets(self, offsets: Mapping[Place, int], group: str, reader: Reader) -> None:
        assert isinstance(reader, _Reader)
        positions = [TopicPartition(place.topic, place.partition, offset) for place, offset in offsets.items()]
        metadata = reader.consumer.consumer_group_metadata()
        # Up to 2.16 it ignores its time-out when it loses the group's coordinator (librdkafka issue 5456).
        within(
            _LONGEST_CALL_S,
            lambda: _calling(self._producer.send_offsets_to_transaction, positions, metadata, _CALL_TIMEOUT_S),
        )


class _Reader:
    def __init__(self, bootstrap: str, group: str | None, committed: bool) -> None:
        self.consumer = Consumer(
            {
                **_COMMON,
                "bootstrap.servers": bootstrap,
                "group.id": group or "unused",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 500,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 50,
                "check.crcs": True,
            }
        )
        self._generation = 0

    def join(self, topics: Sequence[str]) -> None:
        self.consumer.subscribe(list(topics), on_assign=self._moved, on_revoke=self._moved, on_lost=self._moved)

    def assign(self, starts: Mapping[Place, int]) -> None:
        self.consumer.assign([TopicPartition(at.topic, at.partition, offset) for at, offset in starts.items()])

    def _moved(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._generation += 1

    def poll(self, timeout_s: float) -> Sequence[Seen]:
        found = []
        try:
            messages = self.consumer.consume(200, timeout_s)
        except KafkaException as failure:
            raise _failed(failure.args[0]) from failure
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET):
                    raise _failed(error)
                continue
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert partition is not None
            assert offset is not None
            found.append(Seen(Place(topic, partition), offset, message.value()))
        return found

    def generation(self) -> int:
        return self._generation

    def commit(self, offsets: Mapping[Place, int]) -> None:
        positions = [TopicPartition(place.topic, place.partition, offset) for place, offset in offsets.items()]
        try:
            answers = self.consumer.commit(offsets=positions, asynchronous=False) or []
        except KafkaException as failure:
            raise _failed(failure.args[0]) from failure
        for answer in answers:
            if answer.error is not None:
                raise _failed(answer.error)

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        asked = [TopicPartition(place.topic, place.partition) for place in places]
        try:
            answers = self.consumer.committed(asked, timeout=_CALL_TIMEOUT_S)
        except KafkaException as failure:
            raise _failed(failure.args[0]) from failure
        for answer in answers:
            if answer.error is not None:
                raise _failed(answer.error)
        return {Place(each.topic, each.partition): max(-1, each.offset) for each in answers}

    def close(self) -> None:
        self.consumer.close()


class ConfluentFamily:
    """Clients of librdkafka."""

    name = "confluent"
    compressions = ("none", "gzip", "snappy", "lz4", "zstd")
    has_transactions = True
    has_groups = False

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def writer(self, settings: WriterSettings) -> Writer:
        return _Writer(self._bootstrap, settings)

    def assigned(self, starts: Mapping[Place, int], *, committed: bool, group: str | None = None) -> Reader:
        reader = _Reader(self._bootstrap, group, committed)
        reader.assign(starts)
        return reader

    def member(self, group: str, topics: Sequence[str], *, committed: bool) -> Reader:
        reader = _Reader(self._bootstrap, group, committed)
        reader.join(topics)
        return reader

    def close(self) -> None:
        pass
