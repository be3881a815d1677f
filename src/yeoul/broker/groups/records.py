"""The records of `__consumer_offsets`, in Kafka's own format, so that Kafka's tools can read ours and we theirs.

Offset commits have key version 1 and are written with value version 3; group metadata has key version 2 and is written
with value version 3. Older values, and version 4, which is flexible, are read too. Keys of other versions (newer kinds
of groups) are skipped.

Source: Apache Kafka's OffsetCommitKey/Value.json and GroupMetadataKey/Value.json.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from yeoul.broker.groups.messages import CommittedOffset
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


def _string(value: str | None) -> bytes:
    if value is None:
        return b"\xff\xff"
    encoded = value.encode()
    return struct.pack(">h", len(encoded)) + encoded


def _bytes(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def encode_offset_key(key: OffsetKey) -> bytes:
    """Example:
    >>> decode_key(encode_offset_key(OffsetKey("g", "t", 3)))
    OffsetKey(group_id='g', topic='t', partition=3)
    """
    head = struct.pack(">h", _OFFSET_KEY_VERSION)
    return head + _string(key.group_id) + _string(key.topic) + struct.pack(">i", key.partition)


def encode_offset_value(value: CommittedOffset) -> bytes:
    """Example:
    >>> decode_offset_value(encode_offset_value(CommittedOffset(7, 0, "m", 9)))
    CommittedOffset(offset=7, leader_epoch=0, metadata='m', commit_timestamp_ms=9)
    """
    head = struct.pack(">hqi", _VALUE_VERSION, value.offset, value.leader_epoch)
    return head + _string(value.metadata) + struct.pack(">q", value.commit_timestamp_ms)


def encode_group_key(key: GroupKey) -> bytes:
    return struct.pack(">h", _GROUP_KEY_VERSION) + _string(key.group_id)


def encode_group_value(value: GroupValue) -> bytes:
    """Example:
    >>> group = GroupValue("consumer", 1, None, None, 5, ())
    >>> decode_group_value(encode_group_value(group)) == group
    True
    """
    pieces = [
        struct.pack(">h", _VALUE_VERSION),
        _string(value.protocol_type),
        struct.pack(">i", value.generation_id),
        _string(value.protocol_name),
        _string(value.leader),
        struct.pack(">qi", value.state_timestamp_ms, len(value.members)),
    ]
    for member in value.members:
        pieces += (
            _string(member.member_id),
            _string(member.group_instance_id),
            _string(member.client_id),
            _string(member.client_host),
            struct.pack(">ii", member.rebalance_timeout_ms, member.session_timeout_ms),
            _bytes(member.subscription),
            _bytes(member.assignment),
        )
    return b"".join(pieces)


class _Reader:
    """Walks one record; anything that runs past its end is damage."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.flexible = False

    def number(self, layout: str) -> int:
        try:
            (value,) = struct.unpack_from(layout, self._data, self._at)
        except struct.error as error:
            raise self._damaged() from error
        self._at += struct.calcsize(layout)
        return int(value)

    def string(self) -> str:
        return self.optional_string() or ""

    def optional_string(self) -> str | None:
        size_bytes = self._varint() - 1 if self.flexible else self.number(">h")
        if size_bytes < 0:
            return None
        try:
            return self._take(size_bytes).decode()
        except UnicodeDecodeError as error:
            raise self._damaged() from error

    def binary(self) -> bytes:
        size_bytes = self._varint() - 1 if self.flexible else self.number(">i")
        return self._take(max(0, size_bytes))

    def count(self) -> int:
        count = self._varint() - 1 if self.flexible else self.number(">i")
        if count > len(self._data):
            raise self._damaged()
        return count

    def skip_tags(self) -> None:
        if self.flexible:
            for _ in range(self._varint()):
                self._varint()
                self._take(self._varint())

    def _take(self, size_bytes: int) -> bytes:
        if size_bytes > len(self._data) - self._at:
            raise self._damaged()
        self._at += size_bytes
        return self._data[self._at - size_bytes : self._at]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise self._damaged()

    def _damaged(self) -> PeerError:
        return PeerError(f"A record of __consumer_offsets is damaged at byte {self._at} of {len(self._data)}")


def decode_key(data: bytes) -> OffsetKey | GroupKey | None:
    """Returns what a record is about, None for kinds of records that classic groups do not use.

    Raises:
        yeoul.errors.PeerError: The bytes are no key.
    """
    reader = _Reader(data)
    version = reader.number(">h")
    if version in (0, _OFFSET_KEY_VERSION):
        return OffsetKey(reader.string(), reader.string(), reader.number(">i"))
    return GroupKey(reader.string()) if version == _GROUP_KEY_VERSION else None


def decode_offset_value(data: bytes) -> CommittedOffset:
    """Raises:
    yeoul.errors.PeerError: The bytes are no offset, or of a version that is not known.
    """
    reader = _Reader(data)
    version = _version(reader)
    offset = reader.number(">q")
    leader_epoch = reader.number(">i") if version >= 3 else -1
    metadata = reader.string()
    return CommittedOffset(offset, leader_epoch, metadata, reader.number(">q"))


def decode_group_value(data: bytes) -> GroupValue:
    """Raises:
    yeoul.errors.PeerError: The bytes are no group, or of a version that is not known.
    """
    reader = _Reader(data)
    version = _version(reader)
    protocol_type, generation_id = reader.string(), reader.number(">i")
    protocol_name, leader = reader.optional_string(), reader.optional_string()
    state_timestamp_ms = reader.number(">q") if version >= 2 else -1
    members = tuple(_member(reader, version) for _ in range(reader.count()))
    return GroupValue(protocol_type, generation_id, protocol_name, leader, state_timestamp_ms, members)


def _member(reader: _Reader, version: int) -> MemberValue:
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


def _version(reader: _Reader) -> int:
    version = reader.number(">h")
    if not 0 <= version <= _FLEXIBLE_VERSION:
        raise PeerError(f"Expected a value of version 0 to {_FLEXIBLE_VERSION} in __consumer_offsets, got {version}")
    reader.flexible = version == _FLEXIBLE_VERSION
    return version
