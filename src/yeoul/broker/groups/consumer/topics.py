"""The topics that there are, as consumer groups see them, and which of them a regular expression means.

Owns the catalogue's version: a group compares it to know whether its assignment may be out of date. Callers: the
coordinator, which is handed a new catalogue whenever a topic is made, grown or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yeoul.broker.groups.consumer.topic_pattern import TopicPattern

__all__ = ["Partitions", "TopicCatalog", "TopicFacts", "TopicPartitionId"]

TopicPartitionId = tuple[bytes, int]
"""A topic's id and a partition's number."""
Partitions = frozenset[TopicPartitionId]


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """Attributes:
    topic_id: 16 bytes.
    """

    topic_id: bytes
    partition_count: int


class TopicCatalog:
    """All topics at one moment.

    Args:
        topics: By name.
        version: Another one for each catalogue.

    Example:
        >>> catalog = TopicCatalog({"logs.a": TopicFacts(bytes(16), 1), "x": TopicFacts(bytes(16), 1)}, 1)
        >>> sorted(catalog.matching("logs[.].*"))
        ['logs.a']
        >>> TopicCatalog({"__consumer_offsets": TopicFacts(bytes(16), 1)}, 1).matching(".*offsets")
        frozenset({'__consumer_offsets'})
    """

    def __init__(self, topics: Mapping[str, TopicFacts], version: int) -> None:
        self.topics = topics
        self.version = version
        self._matches: dict[str, frozenset[str]] = {}

    def matching(self, regex: str) -> frozenset[str]:
        """Returns the names that a whole expression matches, internal ones too, as in Kafka; none for a bad one."""
        found = self._matches.get(regex)
        if found is None:
            pattern = TopicPattern.parse(regex)
            found = frozenset(name for name in self.topics if pattern.matches(name))
            self._matches[regex] = found
        return found
