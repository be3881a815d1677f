"""SIGTERM while clients write: what was taken is answered, so even who repeats itself writes nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaProducer

from yeoul.broker import Broker

from .raw_client import RawClient

pytestmark = pytest.mark.conformance

STOPS = 2


def stored_values(broker: Broker, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "unused"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[int] = []
    deadline_s = time.monotonic() + 30
    while len(values) < end and time.monotonic() < deadline_s:
        values += [int(message.value() or b"") for message in consumer.consume(5_000, 0.5) if message.error() is None]
    consumer.close()
    return values


def end_of(watcher: Consumer, topic: str) -> int:
    with contextlib.suppress(KafkaException):
        return int(watcher.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])
    return 0


def write_with_confluent_kafka(servers: str, stop: threading.Event) -> set[int]:
    """Without idempotence: a request that was appended but not answered would be sent, and stored, again."""
    acknowledged: set[int] = set()

    def delivered(error: object, message: Message) -> None:
        if error is None:
            acknowledged.add(int(message.value() or b""))

    producer = Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": False,
            "acks": "all",
            "linger.ms": 1,
            "batch.num.messages": 20,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
        }
    )
    number = 0
    while not stop.wait(0.001):
        producer.produce("confluent", b"%d" % number, partition=0, on_delivery=delivered)
        number += 1
        producer.poll(0)
    assert producer.flush(30) == 0
    return acknowledged


def write_with_kafka_python(servers: str, stop: threading.Event) -> set[int]:
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=1, reconnect_backoff_ms=20)
    sent = []
    while not stop.wait(0.001):
        sent.append(producer.send("kafka-python", b"%d" % len(sent), partition=0))
    acknowledged = set()
    for number, future in enumerate(sent):
        with contextlib.suppress(Exception):
            future.get(30)
            acknowledged.add(number)
    producer.close()
    return acknowledged


def write_with_aiokafka(servers: str, stop: threading.Event) -> set[int]:
    async def run() -> set[int]:
        acknowledged = set()
        async with AIOKafkaProducer(
            bootstrap_servers=servers, enable_idempotence=True, linger_ms=1, retry_backoff_ms=20
        ) as producer:
            number = 0
            while not stop.is_set():
                await producer.send_and_wait("aiokafka", b"%d" % number, partition=0)
                acknowledged.add(number)
                number += 1
        return acknowledged

    return asyncio.run(run())


def test_nothing_acknowledged_is_lost_and_nothing_is_there_twice(own_broker: Broker) -> None:
    writers = {
        "confluent": write_with_confluent_kafka,
        "kafka-python": write_with_kafka_python,
        "aiokafka": write_with_aiokafka,
    }
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap_servers})
    for made in admin.create_topics([NewTopic(topic, 1) for topic in writers]).values():
        made.result(20)
    watcher = Consumer({"bootstrap.servers": own_broker.bootstrap_servers, "group.id": "unused", "log_level": 0})
    stop, found = threading.Event(), dict[str, set[int]]()

    def run(topic: str) -> None:
        found[topic] = writers[topic](own_broker.bootstrap_servers, stop)

    threads = [threading.Thread(target=run, args=(topic,)) for topic in writers]
    for thread in threads:
        thread.start()
    try:
        for _ in range(STOPS):
            goals = {topic: end_of(watcher, topic) + 30 for topic in writers}
            deadline_s = time.monotonic() + 30
            while any(end_of(watcher, topic) < goal for topic, goal in goals.items()):
                assert time.monotonic() < deadline_s
            own_broker.restart()
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    watcher.close()
    assert set(found) == set(writers)
    for topic, acknowledged in found.items():
        stored = stored_values(own_broker, topic)
        assert len(acknowledged) > 20
        assert acknowledged <= set(stored)
        assert [value for value, count in Counter(stored).items() if count > 1] == []


def test_a_second_interrupt_ends_at_once_with_a_peer_that_takes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yeoul.broker", f"--data-dir={tmp_path}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().rpartition(" ")[2].strip().rpartition(":")
        with RawClient(host, int(port)):
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(ProcessLookupError):
                while process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    time.sleep(0)
            assert process.wait(10) in (130, 0)


def test_a_service_manager_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        command = [sys.executable, "-m", "yeoul.broker", f"--data-dir={tmp_path / 'data'}"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            assert manager.recv(100) == b"READY=1"
            process.terminate()
            assert manager.recv(100) == b"STOPPING=1"
            assert process.wait(20) == 0
