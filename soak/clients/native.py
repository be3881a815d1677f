"""Our own clients: the Kafka sink's producer, and a consumer made of plain Fetch requests."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence

import numpy as np

from soak.clients.contract import Done, Failed, Reader, Seen, Writer, WriterSettings
from soak.fetching import Asker, AskingFailed, aborted_batches, batches_of
from soak.history import Place
from yeoul.connectors.kafka.cluster import Cluster, TopicPartition
from yeoul.connectors.kafka.producer import BatchProducer, Section
from yeoul.connectors.kafka.settings import ClientSettings, ProducerSettings, client_settings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import YeoulError
from yeoul.wire.compression import Codec
from yeoul.wire.records import HEADER_BYTES, Record, encode_batch

__all__ = ["NativeFamily"]


class _Writer:
    """One batch of each partition's records at each flush; the producer tells nobody the offsets."""

    def __init__(self, settings: ClientSettings, topics: Sequence[str], codec: Codec) -> None:
        context = ConnectorContext(error_output=io.StringIO())
        cluster = Cluster(settings, context)
        try:
            leaders = cluster.leaders(topics)
            delivery = ProducerSettings(codec, 8 << 20, delivery_timeout_ms=20_000, request_timeout_ms=5_000)
            self._producer = BatchProducer(cluster, leaders, delivery, context)
        except YeoulError as error:
            cluster.close()
            raise Failed(error.message) from error
        self._waiting: dict[Place, list[tuple[bytes, Done]]] = {}

    def send(self, place: Place, value: bytes, done: Done) -> None:
        self._waiting.setdefault(place, []).append((value, done))

    def flush(self, timeout_s: float) -> bool:
        sent, self._waiting = self._waiting, {}
        failure: Exception | None = None
        try:
            for place, records in sent.items():
                self._producer.send([(TopicPartition(*place), _section([value for value, _ in records]))])
            self._producer.flush()
        except YeoulError as error:
            failure = Failed(error.message)
        for records in sent.values():
            for _, done in records:
                done(None, failure)
        return failure is None

    def close(self) -> None:
        self._producer.close()

    def begin(self) -> None:
        raise NotImplementedError

    commit = abort = begin

    def send_offsets(self, offsets: Mapping[Place, int], group: str, reader: Reader) -> None:
        raise NotImplementedError


def _section(values: Sequence[bytes]) -> Section:
    now_ms = time.time_ns() // 1_000_000
    records = [Record(number, now_ms, None, value) for number, value in enumerate(values)]
    body = np.frombuffer(encode_batch(records), np.uint8)[HEADER_BYTES:]
    return Section(body, len(values), now_ms, now_ms)


class _Reader:
    def __init__(self, bootstrap: str, starts: Mapping[Place, int], committed: bool) -> None:
        self._asker = Asker(bootstrap)
        self._positions = dict(starts)
        self._committed = committed

    def poll(self, timeout_s: float) -> Sequence[Seen]:
        try:
            answers = self._asker.fetch(self._positions, committed=self._committed, wait_ms=int(timeout_s * 1_000))
        except AskingFailed as error:
            if "OUT_OF_RANGE" in str(error):
                raise Failed(str(error)) from error
            return []
        found = []
        for place, answer in answers.items():
            batches = list(batches_of(answer.records))
            aborted: dict[int, list[int]] = {}
            for each in answer.aborted_transactions or ():
                aborted.setdefault(each.producer_id, []).append(each.first_offset)
            for batch, is_left_out in zip(batches, aborted_batches(batches, aborted), strict=True):
                position = self._positions[place]
                if not batch.header.is_control and not (self._committed and is_left_out):
                    found += [Seen(place, one.offset, one.value) for one in batch.records if one.offset >= position]
                self._positions[place] = max(position, batch.header.next_offset)
        return found

    def generation(self) -> int:
        return 0

    def commit(self, offsets: Mapping[Place, int]) -> None:
        raise NotImplementedError

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        raise NotImplementedError

    def close(self) -> None:
        self._asker.close()


class NativeFamily:
    """Clients of this project.

    Args:
        bootstrap: `host:port`.
        topics: What its producers may write to.
    """

    name = "yeoul"
    compressions = ("none", "gzip", "snappy", "lz4", "zstd")
    has_transactions = False
    has_groups = False

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._settings = client_settings(
            {
                "connector": "kafka",
                "properties.bootstrap.servers": bootstrap,
                "properties.request.timeout.ms": "5000",
                "properties.default.api.timeout.ms": "10000",
            }
        )

    def writer(self, settings: WriterSettings) -> Writer:
        return _Writer(self._settings, self._topics, Codec[settings.compression.upper()])

    def assigned(self, starts: Mapping[Place, int], *, committed: bool, group: str | None = None) -> Reader:
        return _Reader(self._bootstrap, starts, committed)

    def member(self, group: str, topics: Sequence[str], *, committed: bool) -> Reader:
        raise NotImplementedError

    def close(self) -> None:
        pass
