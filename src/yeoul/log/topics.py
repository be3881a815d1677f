"""Topics: their names, ids and configuration, and the file that keeps them. Pure.

A topic lies in one directory: `topic.json` (id, number of partitions, own configuration entries) and one directory
per partition, named by its number. Names that begin with `~` cannot be topics, so they mark directories that are
being created or deleted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from yeoul.log.errors import InvalidTopic, LogCorrupt

__all__ = ["MAX_PARTITIONS", "TOPIC_FILE", "TopicRecord", "check_partition_count", "check_topic_name"]

TOPIC_FILE = "topic.json"
MAX_PARTITIONS = 10_000
_MAX_NAME = 249
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """What `topic.json` says.

    Example:
        >>> record = TopicRecord(UUID(int=7), 2, {"retention.ms": "1000"})
        >>> TopicRecord.decode(record.encode(), "t") == record
        True
    """

    topic_id: UUID
    partition_count: int
    entries: Mapping[str, str]

    def encode(self) -> bytes:
        body = {
            "version": 1,
            "id": str(self.topic_id),
            "partitions": self.partition_count,
            "config": dict(self.entries),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes, where: str) -> TopicRecord:
        """Raises:
        LogCorrupt: The content is not what was written.
        """
        try:
            body = json.loads(content)
            entries = {str(name): str(value) for name, value in body["config"].items()}
            return cls(UUID(body["id"]), int(body["partitions"]), entries)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LogCorrupt(
                f"{where} is not a topic's description: {error!r}", hint="Run `yeoul doctor` on the data directory."
            ) from error


def check_topic_name(name: str) -> None:
    """Raises InvalidTopic unless Kafka would allow the name.

    Example:
        >>> check_topic_name("page views")
        Traceback (most recent call last):
        ...
        yeoul.log.errors.InvalidTopic: Topic name 'page views': expected letters, digits, '.', '_' and '-' only
    """
    if not name or name in (".", ".."):
        raise InvalidTopic(f"Expected a topic name, got {name!r}")
    if len(name) > _MAX_NAME:
        raise InvalidTopic(
            f"Expected a topic name of at most {_MAX_NAME} characters, got {len(name)}: {name[:40]!r}..."
        )
    if not _NAME.fullmatch(name):
        raise InvalidTopic(f"Topic name {name!r}: expected letters, digits, '.', '_' and '-' only")


def check_partition_count(count: int) -> None:
    """Raises InvalidTopic unless a topic can have that many partitions here."""
    if not 1 <= count <= MAX_PARTITIONS:
        raise InvalidTopic(f"Expected 1 to {MAX_PARTITIONS} partitions, got {count!r}")
