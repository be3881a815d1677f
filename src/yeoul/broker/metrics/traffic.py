"""What passes through a broker, counted in plain integers by topic and by API.

Owns the counters only: whoever moves bytes adds to them, `exposition` reads them. Invariant: a topic that is deleted is
forgotten at the next reading, so that counters stay as few as topics. Callers: Produce, Fetch, `connection`.
"""

from __future__ import annotations

from yeoul.log.durations import Durations

__all__ = ["TopicTraffic", "Traffic"]


class TopicTraffic:
    """One topic's counters since the broker started."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "failed_fetches",
        "failed_produces",
        "fetches",
        "messages_in",
        "produces",
    )

    def __init__(self) -> None:
        self.messages_in = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.produces = 0
        self.fetches = 0
        self.failed_produces = 0
        self.failed_fetches = 0


class Traffic:
    """All counters.

    Attributes:
        topics: By name.
        requests: How long requests took from their last byte to their answer, by (API number, version).
        refused: Connections closed because of what their peers sent.
    """

    def __init__(self) -> None:
        self.topics: dict[str, TopicTraffic] = {}
        self.requests: dict[tuple[int, int], Durations] = {}
        self.refused = 0

    def topic(self, name: str) -> TopicTraffic:
        found = self.topics.get(name)
        if found is None:
            found = self.topics[name] = TopicTraffic()
        return found

    def produced(self, topic: str, messages: int, size_bytes: int) -> None:
        """For a partition's batches that were appended."""
        counters = self.topic(topic)
        counters.produces += 1
        counters.messages_in += messages
        counters.bytes_in += size_bytes

    def fetched(self, topic: str, size_bytes: int, *, failed: bool) -> None:
        """For a partition's part of a Fetch answer."""
        counters = self.topic(topic)
        counters.fetches += 1
        counters.bytes_out += size_bytes
        counters.failed_fetches += failed

    def answered(self, api_key: int, version: int, duration_ms: float) -> None:
        """For a request that was answered."""
        found = self.requests.get((api_key, version))
        if found is None:
            found = self.requests[api_key, version] = Durations()
        found.add(duration_ms)
