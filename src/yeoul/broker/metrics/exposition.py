"""The broker's numbers under the names that Kafka's have behind the usual JMX exporter rules.

Owns the names and what each is read from. `snapshot` reads everything on the loop, quickly; `render` makes the text,
which takes longer, in a thread. What a single node never has (partitions without enough copies, ...) is there and 0,
so that dashboards and alerts made for Kafka work. Caller: `serving`.
Source: https://kafka.apache.org/documentation/#monitoring; consumer groups as kafka_exporter names them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yeoul.log.durations import BOUNDS_MS, Durations

if TYPE_CHECKING:
    from yeoul.broker.server import Server

__all__ = ["Family", "render", "snapshot"]

Labels = tuple[str, ...]
_NEVER = {
    "kafka_server_replicamanager_underreplicatedpartitions": "Partitions with fewer copies than asked for: none ever.",
    "kafka_server_replicamanager_offlinereplicacount": "Copies on failed disks: the broker stops instead.",
    "kafka_server_replicamanager_underminisrpartitioncount": "Partitions below min.insync.replicas: none ever.",
    "kafka_controller_kafkacontroller_offlinepartitionscount": "Partitions without a leader: none ever.",
}
_TRAFFIC = (
    ("messagesin", "messages_in", "Records that producers sent."),
    ("bytesin", "bytes_in", "Bytes of record batches that producers sent."),
    ("bytesout", "bytes_out", "Bytes of record batches that consumers took."),
    ("totalproducerequests", "produces", "Partitions' parts of Produce requests that were appended."),
    ("totalfetchrequests", "fetches", "Partitions' parts of Fetch answers."),
    ("failedproducerequests", "failed_produces", "Partitions' parts of Produce requests that were refused."),
    ("failedfetchrequests", "failed_fetches", "Partitions' parts of Fetch requests that were refused."),
)


@dataclass(slots=True)
class Family:
    """One metric with its samples.

    Attributes:
        name: Without `_total`.
        kind: `counter`, `gauge` or `histogram`.
        text: What it is.
        labels: The labels' names.
        samples: Label values and a number, or for a histogram the durations.
    """

    name: str
    kind: str
    text: str
    labels: Labels = ()
    samples: list[tuple[Labels, float | Durations]] = field(default_factory=list)


def snapshot(server: Server) -> list[Family]:
    """Reads all numbers; to be called on the loop."""
    return [
        *_traffic(server),
        *_requests(server),
        *_partitions(server),
        *_groups(server),
        *_connections(server),
        *_coordinators(server),
        *(Family(name, "gauge", text, (), [((), 0)]) for name, text in _NEVER.items()),
    ]


def _traffic(server: Server) -> Iterable[Family]:
    traffic, topics = server.node.traffic, server.node.log.topics
    assert traffic is not None
    for gone in [name for name in traffic.topics if name not in topics]:
        del traffic.topics[gone]
    for word, attribute, text in _TRAFFIC:
        samples: list[tuple[Labels, float | Durations]] = [
            ((name,), getattr(counters, attribute)) for name, counters in traffic.topics.items()
        ]
        yield Family(f"kafka_server_brokertopicmetrics_{word}", "counter", text, ("topic",), samples)


def _requests(server: Server) -> Iterable[Family]:
    traffic = server.node.traffic
    assert traffic is not None
    count = Family("kafka_network_requestmetrics_requests", "counter", "Requests answered.", ("request", "version"))
    took = Family(
        "kafka_network_requestmetrics_totaltimems",
        "histogram",
        "Milliseconds from a request to its answer.",
        ("request",),
    )
    merged: dict[int, Durations] = {}
    for (key, version), durations in traffic.requests.items():
        name = server.handlers[key].api.name
        count.samples.append(((name, str(version)), durations.count))
        whole = merged.setdefault(key, Durations())
        whole.counts = [mine + other for mine, other in zip(whole.counts, durations.counts, strict=True)]
        whole.total_ms += durations.total_ms
    took.samples = [((server.handlers[key].api.name,), durations) for key, durations in merged.items()]
    yield count
    yield took


def _partitions(server: Server) -> Iterable[Family]:
    labels = ("topic", "partition")
    size = Family("kafka_log_log_size", "gauge", "Bytes of a partition's segments.", labels)
    end = Family("kafka_log_log_logendoffset", "gauge", "The offset that the next record gets.", labels)
    start = Family("kafka_log_log_logstartoffset", "gauge", "The first offset that can be read.", labels)
    segments = Family("kafka_log_log_numlogsegments", "gauge", "Segments of a partition.", labels)
    topics = server.node.log.topics
    for topic in topics.values():
        for number, partition in enumerate(topic.partitions):
            where = (topic.name, str(number))
            size.samples.append((where, partition.size_bytes))
            end.samples.append((where, partition.end_offset))
            start.samples.append((where, partition.start_offset))
            segments.samples.append((where, partition.segment_count))
    count = len(size.samples)
    yield from (size, end, start, segments)
    yield _gauge("kafka_server_replicamanager_partitioncount", "Partitions.", count)
    yield _gauge("kafka_server_replicamanager_leadercount", "Partitions that this broker leads: all.", count)
    yield _gauge("kafka_controller_kafkacontroller_globaltopiccount", "Topics.", len(topics))
    yield _gauge("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions.", count)
    yield _gauge("kafka_controller_kafkacontroller_activecontrollercount", "This broker is its controller.", 1)
    yield Family(
        "kafka_log_logflushstats_logflushrateandtimems",
        "histogram",
        "Milliseconds of a flush round (fsync of a partition's new bytes).",
        (),
        [((), server.node.log.flush_durations)],
    )


def _groups(server: Server) -> Iterable[Family]:
    labels = ("consumergroup", "topic", "partition")
    lag = Family("kafka_consumergroup_lag", "gauge", "Records that a group has not committed yet.", labels)
    held = Family("kafka_consumergroup_current_offset", "gauge", "The offset that a group committed.", labels)
    coordinator, log = server.node.groups.coordinator, server.node.log
    states: Counter[str] = Counter()
    for group in coordinator.list_groups():
        states[group.state] += 1
        for (topic, number), committed in coordinator.fetch_offsets(group.group_id).items():
            partition = log.partition(topic, number)
            where = (group.group_id, topic, str(number))
            held.samples.append((where, committed.offset))
            if partition is not None:
                lag.samples.append((where, max(0, partition.high_watermark - committed.offset)))
    yield from (lag, held)
    by_state = Family(
        "kafka_coordinator_group_groupmetadatamanager_numgroups", "gauge", "Consumer groups by state.", ("state",)
    )
    by_state.samples = [((state,), count) for state, count in states.items()]
    yield by_state


def _connections(server: Server) -> Iterable[Family]:
    by_listener = Counter({listener.name: 0 for listener in server.listeners})
    waiting = 0
    for connection in server.connections:
        by_listener[connection.listener.name] += 1
        waiting += connection.unanswered
    name = "kafka_server_socketservermetrics_connection"
    open_now = Family(f"{name}_count", "gauge", "Open connections.", ("listener",))
    open_now.samples = [((listener,), count) for listener, count in by_listener.items()]
    yield open_now
    admission, traffic = server.admission, server.node.traffic
    assert traffic is not None
    yield Family(f"{name}_creation", "counter", "Connections that were let in.", (), [((), admission.created)])
    yield Family(f"{name}_refused", "counter", "Connections beyond a bound.", (), [((), admission.refused)])
    text = "Connections closed because of what their peers sent."
    yield Family("yeoul_broker_protocol_errors", "counter", text, (), [((), traffic.refused)])
    yield _gauge("kafka_network_requestchannel_requestqueuesize", "Requests that wait for their answer.", waiting)
    held = server.buffers.used_bytes
    yield _gauge("yeoul_broker_receive_buffer_bytes", "Large receive buffers in use.", held)


def _coordinators(server: Server) -> Iterable[Family]:
    states = Counter(each.state for each in server.node.transactions.coordinator.list_transactions())
    yield Family(
        "kafka_coordinator_transaction_transactions",
        "gauge",
        "Transactional ids by the state of their transaction.",
        ("state",),
        [((state,), count) for state, count in states.items()],
    )
    yield _gauge(
        "yeoul_broker_unacknowledged_produces", "Produce requests that wait for the disk.", server.node.unacknowledged
    )


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(name, "gauge", text, (), [((), value)])


def render(families: Iterable[Family], accept: str) -> tuple[bytes, str]:
    """Returns the text of all metrics, the process's own too, and its content type."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

    def made(family: Family) -> Metric:
        labels = list(family.labels)
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(family.name, family.text, labels=labels)
            for values, value in family.samples:
                assert isinstance(value, Durations)
                histogram.add_metric(list(values), _buckets(value), sum_value=value.total_ms)
            return histogram
        kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        simple = kind(family.name, family.text, labels=labels)
        for values, value in family.samples:
            assert not isinstance(value, Durations)
            simple.add_metric(list(values), value)
        return simple

    class Once:
        def collect(self) -> Iterable[Metric]:
            return map(made, families)

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(Once())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    """Returns cumulated counts, as Prometheus wants them."""
    found: list[tuple[str, float]] = []
    count = 0
    for bound, each in zip((*map(str, BOUNDS_MS), "+Inf"), durations.counts, strict=True):
        count += each
        found.append((bound, count))
    return found
