"""Reads the result topics into a board, on a thread of its own, with an ordinary Kafka client.

It begins some records before the end, so that a page opened late, or after a restart, shows the minutes before.
"""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.demo.board import Board
from yeoul.demo.topics import JOB_PROGRESS, RESULTS

__all__ = ["Feed"]

_HISTORY_RECORDS = {"slow-requests": 20, "pages-by-window": 400, JOB_PROGRESS.name: 60}
_HISTORY_DEFAULT = 240
_TIMEOUT_S = 2.0
_RETRY_S = 0.2


class Feed:
    """Fills a board until closed.

    Readers of the board take `lock` while they look, so that they never see half a record.
    """

    def __init__(self, bootstrap: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self.board = Board()
        self.lock = threading.Lock()
        self._clock = clock
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "yeoul-demo-page",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "log_level": 0,
            }
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-feed", daemon=True)

    def start(self) -> None:
        """Begins to read; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stops reading and gives back the connection."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        live_from = self._assign_when_answered()
        while not self._stop.is_set():
            messages = self._next_messages()
            now_ms = self._clock.now_ms()
            with self.lock:
                for message in messages:
                    if message.error() is None and (value := message.value()) is not None:
                        topic = str(message.topic())
                        is_live = int(message.offset() or 0) >= live_from.get(topic, 0)
                        self.board.add(topic, value, now_ms, is_live=is_live)
        self._consumer.close()

    def _next_messages(self) -> list[Message]:
        """Returns what is there as soon as something is: `consume` alone would wait for the whole time-out."""
        first = self._consumer.poll(0.1)
        return [] if first is None else [first, *self._consumer.consume(500, timeout=0)]

    def _assign_when_answered(self) -> dict[str, int]:
        while not self._stop.is_set():
            try:
                return self._assign()
            except KafkaException:
                self._stop.wait(_RETRY_S)  # the broker, or a topic, is not there yet
        return {}

    def _assign(self) -> dict[str, int]:
        """Positions the consumer a little before each topic's end; returns where each end was."""
        ends: dict[str, int] = {}
        positions = []
        for topic in (*RESULTS, JOB_PROGRESS):
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic.name, 0), timeout=_TIMEOUT_S)
            ends[topic.name] = high
            history = _HISTORY_RECORDS.get(topic.name, _HISTORY_DEFAULT)
            positions.append(TopicPartition(topic.name, 0, max(low, high - history)))
        self._consumer.assign(positions)
        return ends
