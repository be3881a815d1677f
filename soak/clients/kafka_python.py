"""kafka-python."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

from soak.clients.borrowed_codecs import lend

lend()

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402
from kafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFencedError  # noqa: E402
from kafka.structs import OffsetAndMetadata  # noqa: E402

from soak.clients.contract import Done, Failed, Reader, Seen, Writer, WriterSettings  # noqa: E402
from soak.clients.patience import within  # noqa: E402
from soak.history import Place  # noqa: E402

__all__ = ["KafkaPythonFamily"]

_CALL_TIMEOUT_MS = 10_000
_LONGEST_CALL_S = 30.0
_COMMON: dict[str, object] = {
    "reconnect_backoff_ms": 20,
    "reconnect_backoff_max_ms": 200,
    "retry_backoff_ms": 50,
    "request_timeout_ms": 7_000,
}


def _failed(error: BaseException) -> Failed:
    return Failed(
        repr(error),
        is_certain=isinstance(error, MessageSizeTooLargeError),
        is_abortable=not isinstance(error, ProducerFencedError),
    )


def _calling(call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except (KafkaError, AssertionError, OSError, RuntimeError, ValueError) as error:
        raise _failed(error) from error


class _Writer:
    def __init__(self, bootstrap: str, settings: WriterSettings) -> None:
        config: dict[str, object] = {
            **_COMMON,
            "bootstrap_servers": bootstrap,
            "acks": "all",
            "enable_idempotence": settings.idempotent,
            "compression_type": None if settings.compression == "none" else settings.compression,
            "linger_ms": settings.linger_ms,
            "batch_size": 4_000,
            "delivery_timeout_ms": 20_000,
            "max_block_ms": _CALL_TIMEOUT_MS,
        }
        if not settings.idempotent:
            config["max_in_flight_requests_per_connection"] = 1
        if settings.transactional_id:
            config["transactional_id"] = settings.transactional_id
            config["transaction_timeout_ms"] = settings.transaction_timeout_ms
        try:
            self._producer = KafkaProducer(**config)
        except KafkaError as error:
            raise _failed(error) from error
        if settings.transactional_id:
            try:
                _calling(self._producer.init_transactions)
            except Failed:
                self.close()
                raise

    def send(self, place: Place, value: bytes, done: Done) -> None:
        try:
            future = self._producer.send(place.topic, value, partition=place.partition)
        except (KafkaError, AssertionError) as error:
            done(None, _failed(error))
            return
        future.add_callback(lambda answer: done(answer.offset if answer.offset >= 0 else None, None))
        future.add_errback(lambda error: done(None, _failed(error)))

    def flush(self, timeout_s: float) -> bool:
        try:
            self._producer.flush(timeout_s)
        except KafkaError:
            return False
        return True

    def close(self) -> None:
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=0)

    def begin(self) -> None:
        within(_LONGEST_CALL_S, lambda: _calling(self._producer.begin_transaction))

    def commit(self) -> None:
        within(_LONGEST_CALL_S, lambda: _calling(self._producer.commit_transaction))

    def abort(self) -> None:
        within(_LONGEST_CALL_S, lambda: _calling(self._producer.abort_transaction))

    def send_offsets(self, offsets: Mapping[Place, int], group: str, reader: Reader) -> None:
        assert isinstance(reader, _Reader)
        positions = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
        metadata = reader.consumer.group_metadata()
        within(
            _LONGEST_CALL_S,
            lambda: _calling(self._producer.send_offsets_to_transaction, positions, metadata),
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved

    def on_partitions_revoked(self, revoked: object) -> None:
        self._moved()

    def on_partitions_assigned(self, assigned: object) -> None:
        self._moved()


class _Reader:
    def __init__(self, bootstrap: str, group: str | None, committed: bool) -> None:
        try:
            self.consumer = KafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=group,
                isolation_level="read_committed" if committed else "read_uncommitted",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=6_000,
                heartbeat_interval_ms=500,
                fetch_max_wait_ms=100,
                **_COMMON,
            )
        except KafkaError as error:
            raise _failed(error) from error
        self._generation = 0

    def join(self, topics: Sequence[str]) -> None:
        self.consumer.subscribe(list(topics), listener=_Listener(self._moved))

    def assign(self, starts: Mapping[Place, int]) -> None:
        self.consumer.assign([TopicPartition(*place) for place in starts])
        for place, offset in starts.items():
            self.consumer.seek(TopicPartition(*place), offset)

    def _moved(self) -> None:
        self._generation += 1

    def poll(self, timeout_s: float) -> Sequence[Seen]:
        try:
            found = self.consumer.poll(timeout_ms=int(timeout_s * 1_000), max_records=200)
        except KafkaError as error:
            raise _failed(error) from error
        return [
            Seen(Place(at.topic, at.partition), record.offset, record.value)
            for at, records in found.items()
            for record in records
        ]

    def generation(self) -> int:
        return self._generation

    def commit(self, offsets: Mapping[Place, int]) -> None:
        _calling(
            self.consumer.commit,
            {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()},
        )

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        found = {}
        for place in places:
            try:
                offset = self.consumer.committed(TopicPartition(*place))
            except (KafkaError, AssertionError) as error:
                raise _failed(error) from error
            found[place] = -1 if offset is None else offset
        return found

    def close(self) -> None:
        with contextlib.suppress(KafkaError):
            self.consumer.close(autocommit=False, timeout_ms=1_000)


class KafkaPythonFamily:
    """Clients of kafka-python."""

    name = "kafka-python"
    compressions = ("none", "gzip", "snappy", "lz4", "zstd")
    has_transactions = True
    has_groups = True

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        logging.getLogger("kafka").setLevel(logging.CRITICAL)

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
