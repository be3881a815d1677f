"""The records of `__consumer_offsets`, in Kafka's own format, so that Kafka's tools can read ours and we theirs.

Offset commits have key version 1 and are written with value version 3; group metadata has key version 2 and is written
with value version 3. Older values, and version 4, which is flexible, are read too. What groups of the consumer protocol
store is in `consumer.records`; keys of other versions are skipped.

Source: Apache Kafka's OffsetCommitKey/Value.json and GroupMetadataKey/Value.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.broker.groups.messages import CommittedOffset
from yeoul.broker.groups.record_format import Reader, Writer
from yeoul.errors import PeerError

__all__ = [
    "GroupKey",
    "GroupValue",
    "MemberValue",
    "OffsetKey",
    "decode_group_value",
    "decode_key",
    "decode_offset_value",
    "encode_group_key",
    "encode_group_value",
    "encode_offset_key",
    "encode_offset_value",
]

_OFFSET_KEY_VERSION = 1
_GROUP_KEY_VERSION = 2
_VALUE_VERSION = 3
_FLEXIBLE_VERSION = 4


@dataclass(frozen=True, slots=True)
class OffsetKey:
    group_id: str
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class GroupKey:
    group_id: str


@dataclass(frozen=True, slots=True)
class MemberValue:
    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class GroupValue:
    """A group after a rebalance; `state_timestamp_ms` is when it came into this state, -1 when unknown."""

    protocol_type: str
    generation_id: int
    protocol_name: str | None
    leader: str | None
    state_timestamp_ms: int
    members: tuple[MemberValue, ...]


def encode_offset_key(key: OffsetKey) -> bytes:
    """Example:
    >>> decode_key(encode_offset_key(OffsetKey("g", "t", 3)))
    OffsetKey(group_id='g', topic='t', partition=3)
    """
    writer = _writer(_OFFSET_KEY_VERSION)
    writer.string(key.group_id)
    writer.string(key.topic)
    writer.number(">i", key.partition)
    return writer.done()


def encode_offset_value(value: CommittedOffset) -> bytes:
    """Example:
    >>> decode_offset_value(encode_offset_value(CommittedOffset(7, 0, "m", 9)))
    CommittedOffset(offset=7, leader_epoch=0, metadata='m', commit_timestamp_ms=9)
    """
    writer = _writer(_VALUE_VERSION)
    writer.number(">qi", value.offset, value.leader_epoch)
    writer.string(value.metadata)
    writer.number(">q", value.commit_timestamp_ms)
    return writer.done()


def encode_group_key(key: GroupKey) -> bytes:
    writer = _writer(_GROUP_KEY_VERSION)
    writer.string(key.group_id)
    return writer.done()


def encode_group_value(value: GroupValue) -> bytes:
    """Example:
    >>> group = GroupValue("consumer", 1, None, None, 5, ())
    >>> decode_group_value(encode_group_value(group)) == group
    True
    """
    writer = _writer(_VALUE_VERSION)
    writer.string(value.protocol_type)
    writer.number(">i", value.generation_id)
    writer.string(value.protocol_name)
    writer.string(value.leader)
    writer.number(">q", value.state_timestamp_ms)
    writer.count(len(value.members))
    for member in value.members:
        writer.string(member.member_id)
        writer.string(member.group_instance_id)
        writer.string(member.client_id)
        writer.string(member.client_host)
        writer.number(">ii", member.rebalance_timeout_ms, member.session_timeout_ms)
        writer.binary(member.subscription)
        writer.binary(member.assignment)
    return writer.done()


def _writer(version: int) -> Writer:
    writer = Writer(flexible=False)
    writer.number(">h", version)
    return writer


def decode_key(data: bytes) -> OffsetKey | GroupKey | None:
    """Returns what a record is about, None for kinds of records that classic groups do not use.

    Raises:
        yeoul.errors.PeerError: The bytes are no key.
    """
    reader = Reader(data)
    version = reader.number(">h")
    if version in (0, _OFFSET_KEY_VERSION):
        return OffsetKey(reader.string(), reader.string(), reader.number(">i"))
    return GroupKey(reader.string()) if version == _GROUP_KEY_VERSION else None


def decode_offset_value(data: bytes) -> CommittedOffset:
    """Raises:
    yeoul.errors.PeerError: The bytes are no offset, or of a version that is not known.
    """
    reader = Reader(data)
    version = _version(reader)
    offset = reader.number(">q")
    leader_epoch = reader.number(">i") if version >= 3 else -1
    metadata = reader.string()
    return CommittedOffset(offset, leader_epoch, metadata, reader.number(">q"))


def decode_group_value(data: bytes) -> GroupValue:
    """Raises:
    yeoul.errors.PeerError: The bytes are no group, or of a version that is not known.
    """
    reader = Reader(data)
    version = _version(reader)
    protocol_type, generation_id = reader.string(), reader.number(">i")
    protocol_name, leader = reader.optional_string(), reader.optional_string()
    state_timestamp_ms = reader.number(">q") if version >= 2 else -1
    members = tuple(_member(reader, version) for _ in range(reader.count()))
    return GroupValue(protocol_type, generation_id, protocol_name, leader, state_timestamp_ms, members)


def _member(reader: Reader, version: int) -> MemberValue:
    member_id = reader.string()
    group_instance_id = reader.optional_string() if version >= 3 else None
    client_id, client_host = reader.string(), reader.string()
    rebalance_timeout_ms = reader.number(">i") if version >= 1 else -1
    session_timeout_ms = reader.number(">i")
    if rebalance_timeout_ms < 0:
        rebalance_timeout_ms = session_timeout_ms
    subscription, assignment = reader.binary(), reader.binary()
    reader.skip_tags()
    return MemberValue(
        member_id,
        group_instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms,
        session_timeout_ms,
        subscription,
        assignment,
    )


def _version(reader: Reader) -> int:
    version = reader.number(">h")
    if not 0 <= version <= _FLEXIBLE_VERSION:
        raise PeerError(f"Expected a value of version 0 to {_FLEXIBLE_VERSION} in __consumer_offsets, got {version}")
    reader.flexible = version == _FLEXIBLE_VERSION
    return version
