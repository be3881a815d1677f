"""The demo's topics, and how much each may keep: a demo left running must not fill the disk."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from yeoul.errors import PeerError

__all__ = [
    "ACTIONS_BY_WINDOW",
    "CLICKS",
    "HOST",
    "HOST_BY_WINDOW",
    "JOB_PROGRESS",
    "RESULTS",
    "SLOW_REQUESTS",
    "TOPICS",
    "TOP_PAGES",
    "TRAFFIC",
    "create_topics",
]

_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class DemoTopic:
    """One topic: its name, partitions and the bytes kept in each partition."""

    name: str
    partitions: int
    kept_bytes: int


CLICKS = DemoTopic("clicks", 2, 512 * _MEGABYTE)
HOST = DemoTopic("host", 1, 64 * _MEGABYTE)
JOB_PROGRESS = DemoTopic("job-progress", 1, 16 * _MEGABYTE)
ACTIONS_BY_WINDOW = DemoTopic("actions-by-window", 1, 16 * _MEGABYTE)
TRAFFIC = DemoTopic("traffic", 1, 16 * _MEGABYTE)
TOP_PAGES = DemoTopic("pages-by-window", 1, 64 * _MEGABYTE)
SLOW_REQUESTS = DemoTopic("slow-requests", 1, 64 * _MEGABYTE)
HOST_BY_WINDOW = DemoTopic("host-by-window", 1, 16 * _MEGABYTE)

RESULTS = (ACTIONS_BY_WINDOW, TRAFFIC, TOP_PAGES, SLOW_REQUESTS, HOST_BY_WINDOW)
TOPICS = (CLICKS, HOST, JOB_PROGRESS, *RESULTS)


def create_topics(bootstrap: str, timeout_s: float = 10.0) -> None:
    """Creates the topics that are not there yet.

    Raises:
        PeerError: The broker refused, or did not answer in time.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=1,
            config={
                "retention.bytes": str(topic.kept_bytes),
                "segment.bytes": str(max(topic.kept_bytes // 8, 1 << 20)),
            },
        )
        for topic in TOPICS
    ]
    for name, created in admin.create_topics(wanted, operation_timeout=timeout_s).items():
        try:
            created.result(timeout=timeout_s)
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise PeerError(f"Topic {name!r} could not be created at {bootstrap}: {failure}") from failure
