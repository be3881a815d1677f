"""What is to be done about topics and configs, decided from what both clusters say; nothing is asked or done here.

Callers: `topics`, `session`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yeoul.connectors.kafka.settings import Address
from yeoul.mirror.settings import STATE_PREFIX, MirrorSettings

__all__ = [
    "NEVER_COPIED",
    "Change",
    "Setting",
    "TopicPlan",
    "TopicView",
    "chosen_topics",
    "config_changes",
    "plan_topics",
]

NEVER_COPIED = frozenset(
    {
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
        "local.retention.bytes",
        "local.retention.ms",
        "message.downconversion.enable",
        "message.format.version",
        "message.timestamp.difference.max.ms",
        "message.timestamp.type",
        "min.insync.replicas",
        "remote.storage.enable",
        "unclean.leader.election.enable",
    }
)
"""Settings that belong to the cluster rather than to the topic. `message.timestamp.type` is one: a log that stamps what
it appends would lose the records' own timestamps."""
_AT_LEAST = ("max.message.bytes", "message.timestamp.after.max.ms", "message.timestamp.before.max.ms")
"""Limits below which the target would refuse what the source has taken."""


@dataclass(frozen=True, slots=True)
class TopicView:
    """One topic: its id (zero where brokers have none yet), and who leads each partition, None for nobody."""

    name: str
    topic_id: bytes
    leaders: Mapping[int, Address | None]
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a topic: its value, and whether the topic itself says so (else it is a default)."""

    value: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A setting to be made at the target; None: to be removed."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What is to be done about one topic.

    Attributes:
        source: Its name at the source.
        target: Its name at the target.
        partitions: How many it has at the source.
        create: It is not there yet.
        grow: It is there with fewer partitions.
    """

    source: str
    target: str
    partitions: int
    create: bool
    grow: bool


def chosen_topics(
    settings: MirrorSettings, topics: Iterable[TopicView], is_one_cluster: bool = False
) -> list[TopicView]:
    """Returns the topics to copy: neither a cluster's own nor a mirror's, nor copies beside their originals."""
    return [
        topic
        for topic in sorted(topics, key=lambda topic: topic.name)
        if not topic.is_internal
        and not topic.name.startswith(("__", STATE_PREFIX))
        and not (is_one_cluster and topic.name.startswith(settings.rename))
        and topic.name in settings.topics
    ]


def plan_topics(
    settings: MirrorSettings, source: Iterable[TopicView], target: Mapping[str, TopicView]
) -> list[TopicPlan]:
    """Returns what is to be done so that every topic of the source is there, with as many partitions, at the target."""
    plans = []
    for topic in source:
        name = settings.rename + topic.name
        held = target.get(name)
        count = len(topic.leaders)
        grow = held is not None and len(held.leaders) < count
        plans.append(TopicPlan(topic.name, name, count, create=held is None, grow=grow))
    return plans


def config_changes(
    source: Mapping[str, Setting], target: Mapping[str, Setting], copied_before: Iterable[str] = ()
) -> list[Change]:
    """Returns the changes that make a topic's settings at the target what they are at the source.

    Args:
        source: All settings of the topic at the source.
        target: All settings of the topic at the target.
        copied_before: Settings that were copied earlier: those that the source has dropped since are removed.

    Example:
        >>> held = {"retention.ms": Setting("1000", True), "min.insync.replicas": Setting("2", True)}
        >>> config_changes(held, {"retention.ms": Setting("604800000", False)})
        [Change(name='retention.ms', value='1000')]
    """
    changes: list[Change] = []
    for name, setting in sorted(source.items()):
        held = target.get(name)
        if name in NEVER_COPIED:
            continue
        is_other = setting.is_own and (held is None or held.value != setting.value)
        is_too_low = name in _AT_LEAST and held is not None and _number(held) < _number(setting)
        if is_other or is_too_low:
            changes.append(Change(name, setting.value))
    for name in sorted(set(copied_before)):
        was_dropped = name not in source or not source[name].is_own
        if was_dropped and name in target and target[name].is_own and name not in _AT_LEAST:
            changes.append(Change(name, None))
    return changes


def _number(setting: Setting) -> int:
    return int(setting.value) if setting.value.lstrip("-").isdecimal() else 0
