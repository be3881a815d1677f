"""What a consumer group stores, in Kafka's own record schemas: every change of a group is one of these.

A record with no content is a tombstone. `consumer.state` is the sum of them: what applies a change while the broker
runs also rebuilds the group at a start.

Source: Apache Kafka's ConsumerGroup*Key.json and ConsumerGroup*Value.json; the key's version is the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from yeoul.broker.groups.consumer.topics import Partitions, TopicFacts
from yeoul.broker.groups.messages import KeyValue
from yeoul.broker.groups.record_format import Reader, Writer
from yeoul.errors import PeerError

__all__ = [
    "ClassicSide",
    "ConsumerRecord",
    "CurrentAssignment",
    "GroupEpoch",
    "MemberState",
    "MemberSubscription",
    "Standing",
    "SubscribedTopics",
    "Subscription",
    "TargetAssignment",
    "TargetEpoch",
    "decode_consumer_record",
    "encode_consumer_record",
]


class MemberState(IntEnum):
    """How far a member is on its way to its target; the numbers are those that Kafka stores."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    UNRELEASED_PARTITIONS = 2
    UNKNOWN = 127


@dataclass(frozen=True, slots=True)
class ClassicSide:
    """What a member that speaks the classic protocol brought to the group (KIP-848, online migration)."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who a member is and what it wants to read.

    Attributes:
        topic_regex: None or empty when it names all its topics.
        server_assignor: None when it leaves the choice to the group.
        classic: None for a member of the consumer protocol.
    """

    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    topic_names: tuple[str, ...]
    topic_regex: str | None
    rebalance_timeout_ms: int
    server_assignor: str | None
    classic: ClassicSide | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member holds and has to give back.

    Attributes:
        member_epoch: The epoch that its heartbeats and commits carry; -2 for a static member that is away.
        previous_epoch: The one before: a member whose answer was lost still comes with it.
        assigned: What it may read.
        pending_revocation: What it was told to give up and has not confirmed: nobody else may read it yet.
    """

    member_epoch: int
    previous_epoch: int
    state: MemberState
    assigned: Partitions
    pending_revocation: Partitions = frozenset()


@dataclass(frozen=True, slots=True)
class GroupEpoch:
    group_id: str
    content: int | None


@dataclass(frozen=True, slots=True)
class SubscribedTopics:
    """The topics that the group's assignment was computed from."""

    group_id: str
    content: Mapping[str, TopicFacts] | None


@dataclass(frozen=True, slots=True)
class MemberSubscription:
    group_id: str
    member_id: str
    content: Subscription | None


@dataclass(frozen=True, slots=True)
class TargetEpoch:
    """The group epoch that the target assignment was computed for."""

    group_id: str
    content: int | None


@dataclass(frozen=True, slots=True)
class TargetAssignment:
    group_id: str
    member_id: str
    content: Partitions | None


@dataclass(frozen=True, slots=True)
class CurrentAssignment:
    group_id: str
    member_id: str
    content: Standing | None


ConsumerRecord = GroupEpoch | SubscribedTopics | MemberSubscription | TargetEpoch | TargetAssignment | CurrentAssignment
_KINDS: dict[type[ConsumerRecord], int] = {
    GroupEpoch: 3,
    SubscribedTopics: 4,
    MemberSubscription: 5,
    TargetEpoch: 6,
    TargetAssignment: 7,
    CurrentAssignment: 8,
}
_BY_KIND = {number: kind for kind, number in _KINDS.items()}
_OF_A_MEMBER = (MemberSubscription, TargetAssignment, CurrentAssignment)
_VALUE_VERSION = 0


# -- encoding -----------------------------------------------------------------------------------------------------


def encode_consumer_record(record: ConsumerRecord) -> KeyValue:
    """Example:
    >>> kept = encode_consumer_record(GroupEpoch("g", 7))
    >>> decode_consumer_record(kept.key, kept.value)
    GroupEpoch(group_id='g', content=7)
    """
    key = Writer(flexible=False)
    key.number(">h", _KINDS[type(record)])
    key.string(record.group_id)
    if isinstance(record, _OF_A_MEMBER):
        key.string(record.member_id)
    if record.content is None:
        return KeyValue(key.done(), None)
    value = Writer(flexible=True)
    value.number(">h", _VALUE_VERSION)
    _write_content(value, record)
    return KeyValue(key.done(), value.done())


def _write_content(writer: Writer, record: ConsumerRecord) -> None:
    if isinstance(record, GroupEpoch | TargetEpoch):
        writer.number(">i", record.content or 0)
    elif isinstance(record, SubscribedTopics):
        _write_topics(writer, record.content or {})
    elif isinstance(record, MemberSubscription):
        assert record.content is not None
        _write_subscription(writer, record.content)
        return
    elif isinstance(record, TargetAssignment):
        _write_partitions(writer, record.content or frozenset())
    else:
        assert record.content is not None
        standing = record.content
        writer.number(">iib", standing.member_epoch, standing.previous_epoch, standing.state)
        _write_partitions(writer, standing.assigned)
        _write_partitions(writer, standing.pending_revocation)
    writer.end_of_structure()


def _write_topics(writer: Writer, topics: Mapping[str, TopicFacts]) -> None:
    writer.count(len(topics))
    for name, facts in topics.items():
        writer.raw(facts.topic_id)
        writer.string(name)
        writer.number(">i", facts.partition_count)
        writer.count(0)
        writer.end_of_structure()


def _write_partitions(writer: Writer, partitions: Partitions) -> None:
    by_topic: dict[bytes, list[int]] = {}
    for topic_id, number in sorted(partitions):
        by_topic.setdefault(topic_id, []).append(number)
    writer.count(len(by_topic))
    for topic_id, numbers in by_topic.items():
        writer.raw(topic_id)
        writer.count(len(numbers))
        writer.number(f">{len(numbers)}i", *numbers)
        writer.end_of_structure()


def _write_subscription(writer: Writer, subscription: Subscription) -> None:
    writer.string(subscription.instance_id)
    writer.string(subscription.rack_id)
    writer.string(subscription.client_id)
    writer.string(subscription.client_host)
    writer.count(len(subscription.topic_names))
    for name in subscription.topic_names:
        writer.string(name)
    writer.string(subscription.topic_regex)
    writer.number(">i", subscription.rebalance_timeout_ms)
    writer.string(subscription.server_assignor)
    writer.end_of_structure(None if subscription.classic is None else _classic_side(subscription.classic))


def _classic_side(side: ClassicSide) -> bytes:
    writer = Writer(flexible=True)
    # A structure that may be null begins with whether it is there.
    writer.number(">b", 1)
    writer.number(">i", side.session_timeout_ms)
    writer.count(len(side.protocols))
    for name, metadata in side.protocols:
        writer.string(name)
        writer.binary(metadata)
        writer.end_of_structure()
    writer.end_of_structure()
    return writer.done()


# -- decoding -----------------------------------------------------------------------------------------------------


def decode_consumer_record(key: bytes, value: bytes | None) -> ConsumerRecord | None:
    """Returns what a record says, None when it is of another kind.

    Raises:
        yeoul.errors.PeerError: The bytes are damaged, or of a version that is not known.
    """
    reader = Reader(key)
    kind = _BY_KIND.get(reader.number(">h"))
    if kind is None:
        return None
    about = (reader.string(), reader.string()) if kind in _OF_A_MEMBER else (reader.string(),)
    make: Callable[..., ConsumerRecord] = kind
    return make(*about, None if value is None else _content(kind, value))


def _content(kind: type[ConsumerRecord], value: bytes) -> object:
    reader = Reader(value, flexible=True)
    version = reader.number(">h")
    if version != _VALUE_VERSION:
        raise PeerError(f"Expected a value of version {_VALUE_VERSION} in __consumer_offsets, got {version}")
    if kind in (GroupEpoch, TargetEpoch):
        return reader.number(">i")
    if kind is SubscribedTopics:
        return dict(_read_topic(reader) for _ in range(reader.count()))
    if kind is MemberSubscription:
        return _read_subscription(reader)
    if kind is TargetAssignment:
        return _read_partitions(reader)
    return _read_standing(reader)


def _read_topic(reader: Reader) -> tuple[str, TopicFacts]:
    topic_id, name, partition_count = reader.raw(16), reader.string(), reader.number(">i")
    for _ in range(reader.count()):
        reader.number(">i")
        _skip(reader.string() for _ in range(reader.count()))
        reader.skip_tags()
    reader.skip_tags()
    return name, TopicFacts(topic_id, partition_count)


def _skip(values: Iterable[object]) -> None:
    for _ in values:
        pass


def _read_partitions(reader: Reader) -> Partitions:
    found: set[tuple[bytes, int]] = set()
    for _ in range(reader.count()):
        topic_id = reader.raw(16)
        found.update((topic_id, reader.number(">i")) for _ in range(reader.count()))
        reader.skip_tags()
    return frozenset(found)


def _read_standing(reader: Reader) -> Standing:
    member_epoch, previous_epoch, state = reader.number(">i"), reader.number(">i"), reader.number(">b")
    known = MemberState(state) if state in (0, 1, 2) else MemberState.UNKNOWN
    return Standing(member_epoch, previous_epoch, known, _read_partitions(reader), _read_partitions(reader))


def _read_subscription(reader: Reader) -> Subscription:
    instance_id, rack_id = reader.optional_string(), reader.optional_string()
    client_id, client_host = reader.string(), reader.string()
    topic_names = tuple(reader.string() for _ in range(reader.count()))
    topic_regex = reader.optional_string()
    rebalance_timeout_ms = reader.number(">i")
    server_assignor = reader.optional_string()
    side = reader.tag_zero()
    return Subscription(
        instance_id,
        rack_id,
        client_id,
        client_host,
        topic_names,
        topic_regex,
        rebalance_timeout_ms,
        server_assignor,
        None if side is None else _read_classic_side(Reader(side, flexible=True)),
    )


def _read_classic_side(reader: Reader) -> ClassicSide | None:
    if reader.number(">b") < 0:
        return None
    session_timeout_ms = reader.number(">i")
    protocols = []
    for _ in range(reader.count()):
        protocols.append((reader.string(), reader.binary()))
        reader.skip_tags()
    return ClassicSide(session_timeout_ms, tuple(protocols))
