"""The demo's producers: one process that sends clicks and the machine's pulse through an ordinary Kafka client.

`python -m yeoul.demo.producers --bootstrap HOST:PORT --rate 20000` until SIGTERM. What the broker does not take in
time waits in the client's bounded queue; when that is full, production waits too, and missed events are not made up.
"""

from __future__ import annotations

import argparse
import signal
import threading

import msgspec
from confluent_kafka import Producer

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.demo.clickstream import Clickstream, traffic_factor
from yeoul.demo.host_metrics import Sampler
from yeoul.demo.topics import CLICKS, HOST, create_topics

__all__ = ["produce_until"]

_TICK_S = 0.02
_HOST_SAMPLE_MS = 500


def produce_until(stop: threading.Event, bootstrap: str, rate: float, seed: int, clock: Clock = SYSTEM_CLOCK) -> None:
    """Sends about `rate` clicks a second (swelling and bursting around it) and two host samples a second."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "linger.ms": 5,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
        }
    )
    clicks, sampler, encoder = Clickstream(seed), Sampler(clock.now_ms()), msgspec.json.Encoder()
    next_sample_ms = clock.now_ms() + _HOST_SAMPLE_MS
    owed, last_s = 0.0, clock.monotonic_s()
    while not stop.wait(_TICK_S):
        now_s, now_ms = clock.monotonic_s(), clock.now_ms()
        owed = min(owed + rate * traffic_factor(now_s) * (now_s - last_s), rate)
        last_s = now_s
        count, owed = int(owed), owed % 1
        _send(producer, [{"key": event.key, "value": event.value} for event in clicks.events(count, now_ms)])
        if now_ms >= next_sample_ms:
            next_sample_ms = now_ms + _HOST_SAMPLE_MS
            _send_one(producer, encoder.encode(sampler.sample(now_ms)))
    producer.flush(5)


def _send(producer: Producer, messages: list[dict[str, bytes]]) -> None:
    try:
        producer.produce_batch(CLICKS.name, messages)
    except BufferError:
        producer.poll(0.1)  # the queue is full: the broker is slower than the rate asked for
    producer.poll(0)


def _send_one(producer: Producer, value: bytes) -> None:
    try:
        producer.produce(HOST.name, value)
    except BufferError:
        producer.poll(0.1)


def main() -> None:
    """Runs until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="Sends the demo's events to a Kafka-protocol broker.")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--rate", type=float, default=20_000.0, help="clicks a second")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    create_topics(options.bootstrap)
    produce_until(stop, options.bootstrap, options.rate, options.seed)


if __name__ == "__main__":
    main()
