"""Kafka Streams with exactly_once_v2: two instances count words, one is killed; each count comes out exactly once.

An instance reads and writes in transactions, over an input topic, a repartition topic, a changelog and its offsets;
what the killed one left open is aborted and done again by the other.
"""

from __future__ import annotations

import itertools
import random
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench.apache_kafka import KAFKA_VERSION, class_path
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from conformance.places import PROGRAMS, java_classes, need
from yeoul.broker import Broker

need("java", "javac", "mvn")

pytestmark = pytest.mark.client("Kafka Streams", KAFKA_VERSION)

LINES = "words-in"
COUNTS = "words-out"
PARTITIONS = 4
WORDS = ["a", "stretch", "where", "the", "stream", "runs", "shallow", "and", "fast", "over", "its", "stones"]
PATIENCE_S = 90.0


class Instance:
    """One running application."""

    def __init__(self, broker: Broker, state: Path) -> None:
        jars = class_path(f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
        source = PROGRAMS / "java" / "streams" / "WordCount.java"
        classes = java_classes(f"streams-{KAFKA_VERSION}", jars, source)
        command = ["java", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", f"{classes}:{jars}"]
        command += ["WordCount", broker.bootstrap_servers, "word-count", LINES, COUNTS, str(state)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            self.kill()


@pytest.fixture
def streams_broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "data") as running:
        admin = AdminClient({"bootstrap.servers": running.bootstrap_servers})
        for made in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (LINES, COUNTS)]).values():
            made.result(20)
        yield running


def send_lines(broker: Broker, count: int, seed: int) -> Counter[str]:
    """Sends lines of chance words, and returns how often each word is in them."""
    chance = random.Random(seed)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    sent: Counter[str] = Counter()
    for _ in range(count):
        words = chance.choices(WORDS, k=5)
        sent.update(words)
        producer.produce(LINES, " ".join(words))
    assert producer.flush(20) == 0
    return sent


class CountReader:
    """Reads the counts as a reader of committed transactions sees them."""

    def __init__(self, broker: Broker) -> None:
        settings = {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
        }
        self._consumer = Consumer({**settings, "isolation.level": "read_committed"})
        self._consumer.subscribe([COUNTS])
        self.counts: dict[str, list[int]] = defaultdict(list)

    def read_until(self, expected: Counter[str]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while any(self.counts[word][-1:] != [count] for word, count in expected.items()):
            assert time.monotonic() < deadline_s, f"Expected {expected}, got {dict(self.last())}"
            for message in self._consumer.consume(1_000, timeout=0.5):
                assert message.error() is None
                self.counts[message.key().decode()].append(int(message.value()))

    def last(self) -> Iterator[tuple[str, int]]:
        return ((word, counts[-1]) for word, counts in self.counts.items() if counts)

    def close(self) -> None:
        self._consumer.close()


def test_word_count_exactly_once_with_an_instance_killed(streams_broker: Broker, tmp_path: Path) -> None:
    with ExitStack() as stack:
        reader = CountReader(streams_broker)
        stack.callback(reader.close)
        doomed = Instance(streams_broker, tmp_path / "state-1")
        stack.callback(doomed.kill)
        sent = send_lines(streams_broker, 500, seed=1)
        reader.read_until(sent)
        stays = Instance(streams_broker, tmp_path / "state-2")
        stack.callback(stays.close)
        for seed in range(2, 12):
            sent += send_lines(streams_broker, 200, seed)
        doomed.kill()
        sent += send_lines(streams_broker, 500, seed=12)
        reader.read_until(sent)
    for word, counts in reader.counts.items():
        assert counts == list(itertools.islice(itertools.count(1), len(counts))), f"{word} was counted twice or never"
