"""The two ends of `bench.latency`, each a process of its own: `python -m bench.latency_clients produce|consume ...`.

`produce SERVERS TOPIC FILE COUNT PER_S LINGER_MS`: event number i is due at start + i / PER_S; it is sent as soon as it
is due, never before, and carries that moment. FILE gets when each was acknowledged.
`consume SERVERS TOPIC FILE`: says `ready` once it reads, and takes records until SIGTERM; FILE gets when each came.
Both files are NumPy arrays of STAMP.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

STAMP = np.dtype([("id", np.int64), ("due_ns", np.int64), ("written_ns", np.int64), ("at_ns", np.int64)])
_KINDS = (b"bid", b"bid", b"bid", b"view")
_ACCOUNTS = 100_000
_LEAD_S = 0.2


class _Event(msgspec.Struct):
    """What both ends know of an event."""

    id: int
    due_ns: int


def event(number: int, due_ns: int) -> bytes:
    """Returns an event as JSON, about 90 bytes."""
    return b'{"id":%d,"due_ns":%d,"account":%d,"kind":"%s","price":%d,"page":"/item/%d"}' % (
        number,
        due_ns,
        number * 7_919 % _ACCOUNTS,
        _KINDS[number % len(_KINDS)],
        number % 1_000,
        number % 5_000,
    )


def produce(servers: str, topic: str, count: int, per_s: int, linger_ms: int) -> np.ndarray:
    """Sends events at their due times; returns when each was acknowledged."""
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": linger_ms, "queue.buffering.max.messages": 2_000_000}
    )
    partitions = len(producer.list_topics(topic).topics[topic].partitions)
    stamps = np.zeros(count, STAMP)
    acknowledged = stamps["at_ns"]

    def on_delivery(number: int) -> object:
        def note(error: object, _: object) -> None:
            if error is None:
                acknowledged[number] = time.time_ns()

        return note

    step_ns = 1_000_000_000 // per_s
    start_ns = time.time_ns() + int(_LEAD_S * 1e9)
    stamps["id"], stamps["due_ns"] = np.arange(count), start_ns + np.arange(count) * step_ns
    number = 0
    while number < count:
        due = min(count, (time.time_ns() - start_ns) // step_ns + 1)
        while number < due:
            value = event(number, start_ns + number * step_ns)
            producer.produce(topic, value, partition=number % partitions, on_delivery=on_delivery(number))
            number += 1
        producer.poll(0)
        time.sleep(max(0.0, min(0.001, (start_ns + number * step_ns - time.time_ns()) / 1e9)))
    assert producer.flush(30) == 0
    return stamps[acknowledged > 0]


def consume(servers: str, topic: str) -> np.ndarray:
    """Takes records until SIGTERM; returns when each came."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False})
    count = len(consumer.list_topics(topic).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(count)])
    consumer.poll(0.5)
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    taken: list[tuple[bytes, int, int]] = []
    while not ending:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None and message.value() is not None:
            taken.append((message.value(), message.timestamp()[1], time.time_ns()))
    decoder = msgspec.json.Decoder(_Event)
    stamps = np.zeros(len(taken), STAMP)
    for row, (value, written_ms, at_ns) in enumerate(taken):
        one = decoder.decode(value)
        stamps[row] = (one.id, one.due_ns, written_ms * 1_000_000, at_ns)
    return stamps[stamps["id"] >= 0]


def main(what: str, servers: str, topic: str, file: str, *numbers: str) -> None:
    gc.disable()
    stamps = produce(servers, topic, *map(int, numbers)) if what == "produce" else consume(servers, topic)
    with Path(file).open("wb") as opened:
        np.save(opened, stamps)


if __name__ == "__main__":
    main(*sys.argv[1:])
