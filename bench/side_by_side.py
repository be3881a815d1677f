"""yeoul's broker and a real Apache Kafka on the same machine, driven by the same librdkafka, turn by turn.

Throughput in and out by message size and compression (acks=all), latency from produce to consumed at a steady rate,
start-up and memory. Both keep one copy on the same disk; what differs is said: yeoul acknowledges once the bytes are
on the disk (`flush=commit`), Kafka once they are in the system's page cache, so rows of yeoul under `flush=os`, which
promises what Kafka does, stand beside. The client is one Python process; where it is the client that sets the pace,
both come out alike, and the processor time of the broker tells them apart.
"""

from __future__ import annotations

import random
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.apache_kafka import KAFKA_VERSION, ApacheKafka, missing_tools
from bench.measure import CONSUMER_TUNING, Row
from yeoul.broker import Broker

PARTITIONS = 2
SIZES_BYTES = (100, 1_000, 10_000)
CODECS = ("gzip", "snappy", "lz4", "zstd")
RATES_PER_S = (1_000, 20_000)
_BATCH = 5_000
_WARM_UP_S = 2.0
_STAMP = struct.Struct(">d")


@dataclass(frozen=True)
class Target:
    """A running broker: its name, address and process."""

    name: str
    bootstrap: str
    process: psutil.Process


@dataclass(frozen=True)
class Load:
    """What one turn moves."""

    name: str
    messages: int
    size_bytes: int
    codec: str


@dataclass(frozen=True)
class Turn:
    """What one turn took: wall time, and the broker's processor time."""

    wall_s: float
    broker_s: float


def run(megabytes: int, repeats: int, latency_s: float) -> Iterator[Row]:
    """Yields the rows; each throughput case moves `megabytes` (a tenth of it in messages of 100 bytes or less)."""
    lacking = missing_tools()
    if lacking is not None:
        print(f"left out, for a real Kafka cannot run here: {lacking}")
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        start = time.perf_counter()
        ours_broker = stack.enter_context(Broker(Path(folder) / "commit", num_partitions=PARTITIONS))
        ours_start_s = time.perf_counter() - start
        relaxed_broker = stack.enter_context(Broker(Path(folder) / "os", num_partitions=PARTITIONS, flush="os"))
        kafka = stack.enter_context(ApacheKafka(Path(folder) / "kafka", num_partitions=PARTITIONS))
        ours = Target("yeoul", ours_broker.bootstrap_servers, psutil.Process(ours_broker.pid))
        relaxed = Target("yeoul, flush=os", relaxed_broker.bootstrap_servers, psutil.Process(relaxed_broker.pid))
        theirs = Target(f"Kafka {KAFKA_VERSION}", kafka.bootstrap_servers, psutil.Process(kafka.pid))
        yield _less("start until it takes connections", ours_start_s, kafka.started_s, "s", theirs)
        yield _less("resident memory, idle", _rss_mb(ours), _rss_mb(theirs), "MB", theirs)
        for load in _loads(megabytes):
            yield from _throughput(load, ours, theirs, repeats)
        for rate in RATES_PER_S:
            yield from _latencies(rate, latency_s, (ours, relaxed), theirs)
        yield _less("resident memory, after all of this", _rss_mb(ours), _rss_mb(theirs), "MB", theirs)


def _loads(megabytes: int) -> Iterator[Load]:
    for size_bytes in SIZES_BYTES:
        share = 4 if size_bytes <= 100 else 1
        yield Load(f"{size_bytes} B", megabytes * 1_000_000 // share // size_bytes, size_bytes, "none")
    for codec in CODECS:
        yield Load(f"1000 B {codec}", megabytes * 1_000, 1_000, codec)


def _throughput(load: Load, ours: Target, theirs: Target, repeats: int) -> Iterator[Row]:
    payloads = _payloads(load.size_bytes)
    turns: dict[tuple[str, str], list[Turn]] = {}
    for repeat in range(repeats + 1):
        # Who goes first alternates; the first round warms the JVM and the caches, and does not count.
        for target in (ours, theirs) if repeat % 2 else (theirs, ours):
            topic = f"load-{load.size_bytes}-{load.codec}-{repeat}"
            admin = AdminClient({"bootstrap.servers": target.bootstrap})
            admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
            produced = _turn(target, lambda t=target, n=topic: _produce(t, n, load, payloads))  # type: ignore[misc]
            consumed = _turn(target, lambda t=target, n=topic: _consume(t, n, load.messages))  # type: ignore[misc]
            admin.delete_topics([topic])[topic].result()
            if repeat:
                turns.setdefault(("produce", target.name), []).append(produced)
                turns.setdefault(("consume", target.name), []).append(consumed)
    for direction in ("produce", "consume"):
        yield _compared(direction, load, turns[direction, ours.name], turns[direction, theirs.name], theirs)


def _compared(direction: str, load: Load, ours: list[Turn], theirs: list[Turn], peer: Target) -> Row:
    ratio = statistics.median(other.wall_s / own.wall_s for own, other in zip(ours, theirs, strict=True))
    cpu = statistics.median(other.broker_s / max(own.broker_s, 0.01) for own, other in zip(ours, theirs, strict=True))
    rates = [load.messages / statistics.median(turn.wall_s for turn in turns) / 1e3 for turns in (ours, theirs)]
    note = f"{peer.name}; its processor time is {cpu:.1f}x ours"
    return Row(f"{direction} {load.name}", rates[0], rates[1], "k messages/s", ratio, "1x", ratio >= 1, note)


def _turn(target: Target, work: Callable[[], None]) -> Turn:
    before = target.process.cpu_times()
    start = time.perf_counter()
    work()
    wall_s = time.perf_counter() - start
    after = target.process.cpu_times()
    return Turn(wall_s, after.user + after.system - before.user - before.system)


def _payloads(size_bytes: int) -> list[bytes]:
    """Returns some messages that compress about as well as events do."""
    chance = random.Random(7)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 10))) for _ in range(500)]
    made = []
    for _ in range(1_000):
        text = b" ".join(chance.choices(words, k=size_bytes // 4 + 1))
        made.append(text[:size_bytes])
    return made


def _produce(target: Target, topic: str, load: Load, payloads: list[bytes]) -> None:
    settings: dict[str, str | int] = {"bootstrap.servers": target.bootstrap, "acks": "all", "linger.ms": 5}
    settings |= {"compression.type": load.codec, "batch.size": 500_000, "queue.buffering.max.messages": 500_000}
    producer = Producer(settings)
    left = load.messages
    values = [{"value": payloads[at % len(payloads)]} for at in range(_BATCH)]
    while left:
        count = min(left, _BATCH)
        while len(producer) > 400_000 or len(producer) * load.size_bytes > 400_000_000:
            producer.poll(0.01)
        failed = count - producer.produce_batch(topic, [dict(value) for value in values[:count]])
        left -= count - failed
        producer.poll(0)
    assert producer.flush(60) == 0


def _consume(target: Target, topic: str, count: int) -> None:
    consumer = Consumer({"bootstrap.servers": target.bootstrap, "group.id": "load", **CONSUMER_TUNING})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    taken = 0
    while taken < count:
        messages = consumer.consume(10_000, timeout=10)
        assert messages, f"only {taken} of {count} messages came back"
        taken += len(messages)
    consumer.close()


def _latencies(rate: int, seconds: float, ours: tuple[Target, ...], theirs: Target) -> Iterator[Row]:
    figures = {target.name: _latency(target, rate, seconds) for target in (*ours, theirs)}
    for target in ours:
        for name, place in (("p50", 0), ("p99", 1)):
            own, other = figures[target.name][place], figures[theirs.name][place]
            what = f"latency {name}, {rate // 1000} k messages/s" + ("" if target is ours[0] else ", flush=os")
            yield _less(what, own, other, "ms", theirs)


def _latency(target: Target, rate: int, seconds: float) -> tuple[float, float]:
    """Returns the median and the 99th percentile from produce() to the message in hand, in milliseconds."""
    topic = f"latency-{rate}"
    admin = AdminClient({"bootstrap.servers": target.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    taken: list[float] = []
    total = int(rate * (seconds + _WARM_UP_S))
    reader = threading.Thread(target=_collect, args=(target, topic, total, taken))
    reader.start()
    _send_steadily(target, topic, rate, total)
    reader.join()
    counted = sorted(taken[int(rate * _WARM_UP_S) :])
    return counted[len(counted) // 2] * 1e3, counted[len(counted) * 99 // 100] * 1e3


def _send_steadily(target: Target, topic: str, rate: int, total: int) -> None:
    """Sends what is due each millisecond: a stamp and 92 bytes more each."""
    producer = Producer({"bootstrap.servers": target.bootstrap, "acks": "all", "linger.ms": 0})
    rest = bytes(92)
    sent, start = 0, time.perf_counter()
    while sent < total:
        due = min(total, int((time.perf_counter() - start) * rate) + 1)
        stamped = _STAMP.pack(time.perf_counter()) + rest
        for _ in range(due - sent):
            producer.produce(topic, stamped)
        sent = due
        producer.poll(0)
        time.sleep(0.001)
    assert producer.flush(60) == 0


def _collect(target: Target, topic: str, total: int, taken: list[float]) -> None:
    settings = {"bootstrap.servers": target.bootstrap, "group.id": "latency", "fetch.wait.max.ms": 100}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    while len(taken) < total:
        messages = consumer.consume(1, timeout=1)
        now_s = time.perf_counter()
        messages += consumer.consume(1_000, timeout=0)
        taken.extend(now_s - _STAMP.unpack_from(message.value() or b"")[0] for message in messages)
    consumer.close()


def _less(name: str, ours: float, theirs: float, unit: str, peer: Target) -> Row:
    """A row where less is better."""
    ratio = theirs / max(ours, 1e-9)
    return Row(name, ours, theirs, unit, ratio, "1x", ratio >= 1, peer.name)


def _rss_mb(target: Target) -> float:
    return target.process.memory_info().rss / 1e6
