"""`yeoul perf`: how fast a cluster takes records and gives them back.

What is measured is librdkafka with one Python process around it: the client's own cost is in the figures.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from yeoul.cli.kafka.client import Cluster, client_settings, drain, explain, serve
from yeoul.cli.kafka.consuming import whole_topic
from yeoul.cli.kafka.latencies import Latencies, Tally
from yeoul.cli.rendering.listing import print_json
from yeoul.errors import PeerError
from yeoul.units import format_count

__all__ = ["consume", "produce"]

_TELL_EVERY_S = 1.0
_FLUSH_TIMEOUT_S = 60.0
_BATCH = 2_000
_POLL_S = 0.2


class _Deliveries:
    """What was acknowledged, and after how long."""

    def __init__(self, started_s: float) -> None:
        self.tally = Tally(started_s)
        self.latencies = Latencies()
        self.failure: KafkaError | None = None

    def note(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failure = self.failure or error
            return
        self.tally.add(len(message.value() or b""))
        latency_s = message.latency()
        if latency_s is not None:
            self.latencies.add(latency_s * 1_000)


def produce(
    bootstrap: str,
    properties: Mapping[str, str],
    topic: str,
    *,
    records: int,
    size_bytes: int,
    rate: float | None,
    as_json: bool,
) -> None:
    """Sends records of random bytes and tells rate and latencies; a line a second meanwhile, on stderr.

    Who interrupts it is told of what was acknowledged until then.

    Raises:
        PeerError: No broker answers, or it refused a record.
        UserError: There is no such topic.
    """
    Cluster(bootstrap, properties).require(topic)
    payload = os.urandom(size_bytes)
    deliveries = _Deliveries(time.monotonic())
    settings = {"linger.ms": "5", "queue.buffering.max.messages": "500000"} | dict(properties)
    producer = Producer(client_settings(bootstrap, settings) | {"on_delivery": deliveries.note})
    interrupted: KeyboardInterrupt | None = None
    try:
        _send_all(producer, topic, payload, records, rate, deliveries)
    except KeyboardInterrupt as stop:
        interrupted = stop
    finally:
        left = drain(producer, _FLUSH_TIMEOUT_S)
    now_s = time.monotonic()
    if deliveries.failure is not None:
        raise explain(deliveries.failure, f"Producing to {topic!r}")
    if left:
        raise PeerError(f"{left} records for {topic!r} were not acknowledged within {_FLUSH_TIMEOUT_S:.0f} s")
    _tell_end(deliveries.tally.facts(now_s) | deliveries.latencies.facts(), as_json=as_json)
    if interrupted is not None:
        raise interrupted


def _send_all(
    producer: Producer, topic: str, payload: bytes, records: int, rate: float | None, deliveries: _Deliveries
) -> None:
    tally, started_s = deliveries.tally, deliveries.tally.started_s
    next_tell_s = started_s + _TELL_EVERY_S
    sent = 0
    while sent < records and deliveries.failure is None:
        now_s = time.monotonic()
        due = records if rate is None else min(records, int((now_s - started_s) * rate) + 1)
        for _ in range(min(due - sent, _BATCH)):
            _send(producer, topic, payload)
            sent += 1
        serve(producer, 0 if sent < due else 0.001)
        if now_s >= next_tell_s:
            print(tally.line(now_s), file=sys.stderr)
            next_tell_s += _TELL_EVERY_S


def _send(producer: Producer, topic: str, payload: bytes) -> None:
    while True:
        try:
            producer.produce(topic, payload)
            return
        except BufferError:
            serve(producer, 0.1)
        except KafkaException as error:
            raise explain(error.args[0], f"Producing to {topic!r}") from None


def consume(
    bootstrap: str,
    properties: Mapping[str, str],
    topic: str,
    *,
    records: int | None,
    group: str | None,
    as_json: bool,
) -> None:
    """Reads a topic from its beginning, to its end or until enough records came, and tells the rate.

    Raises:
        PeerError: No broker answers, or it refuses.
        UserError: There is no such topic.
    """
    with whole_topic(bootstrap, properties, topic, group=group) as reading:
        tally = Tally(time.monotonic())
        next_tell_s = tally.started_s + _TELL_EVERY_S
        first_s: float | None = None
        while records is None or tally.records < records:
            batch = reading.next(_BATCH if records is None else min(_BATCH, records - tally.records), _POLL_S)
            if batch is None:
                break
            for message in batch:
                tally.add(len(message.value() or b"") + len(message.key() or b""))
            now_s = time.monotonic()
            first_s = first_s or (now_s if batch else None)
            if now_s >= next_tell_s:
                print(tally.line(now_s), file=sys.stderr)
                next_tell_s += _TELL_EVERY_S
        ended_s = time.monotonic()
    waited_s = round((first_s or ended_s) - tally.started_s, 3)
    _tell_end(tally.facts(ended_s) | {"until_first_s": waited_s}, as_json=as_json)


def _tell_end(facts: Mapping[str, float], *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    rate = f"{facts['records']} records in {facts['seconds']} s: {format_count(facts['records_per_s'])} records/s"
    print(f"{rate}, {facts['mb_per_s']:.2f} MB/s")
    if "p50_ms" in facts:
        names = ("mean", "p50", "p95", "p99", "p999", "max")
        print("latency: " + ", ".join(f"{name} {facts[f'{name}_ms']} ms" for name in names))
    else:
        print(f"first record after {facts['until_first_s']} s")
