"""Metrics as a monitor reads them: names, numbers that add up, health before and after."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer
from prometheus_client.parser import text_string_to_metric_families

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, int]]:
    directory = tmp_path_factory.mktemp("metrics")
    log = directory / "log"
    settings = {"yeoul.metrics.port": "0", "yeoul.log.file": str(log)}
    with Broker(directory / "data", num_partitions=2, settings=settings, log_level="info") as broker:
        port = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", log.read_text())
        assert port is not None
        yield broker, int(port[1])


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def numbers(port: int) -> dict[tuple[str, ...], float]:
    """Samples by name and label values, in the order of the labels' names."""
    status, text = get(port, "/metrics")
    assert status == 200
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_was_produced_and_consumed_adds_up(measured: tuple[Broker, int]) -> None:
    broker, port = measured
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number in range(1_000):
        producer.produce("t", b"x" * 100, partition=number % 2)
    assert producer.flush(10) == 0
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["t"])
    taken = 0
    while taken < 1_000:
        taken += len(consumer.consume(1_000, 1))
    consumer.commit(asynchronous=False)
    found = numbers(port)
    assert found["kafka_server_brokertopicmetrics_messagesin_total", "t"] == 1_000
    assert found["kafka_server_brokertopicmetrics_bytesin_total", "t"] > 100_000
    out = found["kafka_server_brokertopicmetrics_bytesout_total", "t"]
    assert out == found["kafka_server_brokertopicmetrics_bytesin_total", "t"]
    ends = [found["kafka_log_log_logendoffset", str(number), "t"] for number in (0, 1)]
    assert ends == [500, 500]
    assert found["kafka_log_log_size", "0", "t"] > 50_000
    assert found["kafka_consumergroup_lag", "g", "0", "t"] == 0
    assert found["kafka_consumergroup_current_offset", "g", "1", "t"] == 500
    assert found["kafka_coordinator_group_groupmetadatamanager_numgroups", "Stable"] == 1
    assert found["kafka_log_logflushstats_logflushrateandtimems_count",] > 0
    assert found["kafka_server_socketservermetrics_connection_count", "PLAINTEXT"] >= 2
    requests = "kafka_network_requestmetrics_requests_total"
    produced = sum(value for key, value in found.items() if key[:2] == (requests, "Produce"))
    assert found["kafka_network_requestmetrics_totaltimems_count", "Produce"] == produced > 0
    assert found["kafka_server_replicamanager_underreplicatedpartitions",] == 0
    assert found["process_resident_memory_bytes",] > 1 << 20
    producer.produce("t", b"one more", partition=0)
    producer.flush(10)
    assert numbers(port)["kafka_consumergroup_lag", "g", "0", "t"] == 1
    consumer.close()


def test_health_ready_and_nothing_else(measured: tuple[Broker, int]) -> None:
    _, port = measured
    assert get(port, "/health") == (200, "ok\n")
    assert get(port, "/ready") == (200, "ready\n")
    assert get(port, "/")[0] == 404
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.sendall(b"POST /metrics HTTP/1.1\r\n\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 405 ")
    with socket.create_connection(("127.0.0.1", port), 10) as peer, contextlib.suppress(ConnectionError):
        peer.sendall(b"x" * (64 << 10))
        assert peer.recv(1) == b""
    assert get(port, "/health")[0] == 200
