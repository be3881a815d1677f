"""All groups by name, of either protocol: looked up, listed, rebuilt from records and written anew.

Owns which protocol a name's group is of. Caller: the coordinator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from yeoul.broker.groups.classic.group import ClassicGroup
from yeoul.broker.groups.classic.views import group_value, restored_group
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.consumer.group import ConsumerGroup
from yeoul.broker.groups.consumer.records import ConsumerRecord, encode_consumer_record
from yeoul.broker.groups.messages import GroupListing, KeyValue
from yeoul.broker.groups.records import GroupKey, decode_group_value, encode_group_key, encode_group_value

__all__ = ["Group", "GroupTable", "group_record", "is_unused"]

Group = ClassicGroup | ConsumerGroup


class GroupTable:
    """No groups at first."""

    def __init__(self, config: GroupConfig) -> None:
        self._config = config
        self._groups: dict[str, Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, group_id: object) -> bool:
        return group_id in self._groups

    def get(self, group_id: str) -> Group | None:
        return self._groups.get(group_id)

    def classic(self, group_id: str) -> ClassicGroup | None:
        """Returns a group if it is one of the classic protocol."""
        group = self._groups.get(group_id)
        return group if isinstance(group, ClassicGroup) else None

    def by_name(self) -> Iterable[tuple[str, Group]]:
        return self._groups.items()

    def put(self, group: Group) -> None:
        """Takes a group in, in the place of one of its name."""
        self._groups[group.group_id] = group

    def remove(self, group_id: str) -> None:
        self._groups.pop(group_id, None)

    def keep_offsets_of(self, group_id: str) -> None:
        """Offsets without a group are those of a group without members."""
        if group_id not in self._groups:
            self._groups[group_id] = ClassicGroup(group_id, self._config)

    # -- records ------------------------------------------------------------------------------------------------

    def replay_classic(self, group_id: str, value: bytes | None) -> None:
        """Takes the record of a classic group; None ends it."""
        if value is not None:
            self._groups[group_id] = restored_group(group_id, decode_group_value(value), self._config)
        elif self.classic(group_id) is not None:
            del self._groups[group_id]

    def replay_consumer(self, record: ConsumerRecord) -> None:
        """Takes one record of a consumer group."""
        group = self._groups.get(record.group_id)
        if not isinstance(group, ConsumerGroup):
            if record.content is None:
                return
            group = self._groups[record.group_id] = ConsumerGroup(record.group_id, self._config.consumer)
        group.state.apply(record)
        if group.is_empty and not group.state.epoch:
            del self._groups[record.group_id]

    def snapshot(self, now_ms: int) -> Iterator[KeyValue]:
        """Yields the records from which all groups could be rebuilt."""
        for group in self._groups.values():
            if isinstance(group, ConsumerGroup):
                yield from map(encode_consumer_record, group.state.records())
            elif group.protocol_type:
                yield group_record(group, now_ms, None)

    # -- queries ------------------------------------------------------------------------------------------------

    def listings(self, states: Iterable[str], types: Iterable[str]) -> list[GroupListing]:
        """Returns all groups, or those in the states and of the types named; case is ignored."""
        wanted_states = {state.lower() for state in states}
        wanted_types = {each.lower() for each in types}
        return [
            each
            for each in map(_listing, self._groups.values())
            if (not wanted_states or each.state.lower() in wanted_states)
            and (not wanted_types or each.group_type in wanted_types)
        ]


def is_unused(group: Group) -> bool:
    """Whether nobody is in a group or about to be."""
    return group.is_empty and not (isinstance(group, ClassicGroup) and group.is_joining)


def group_record(group: ClassicGroup, now_ms: int, assignments: Mapping[str, bytes] | None) -> KeyValue:
    """Returns the record of a classic group; `assignments` take the place of its members' own."""
    value = group_value(group, now_ms, assignments)
    return KeyValue(encode_group_key(GroupKey(group.group_id)), encode_group_value(value))


def _listing(group: Group) -> GroupListing:
    if isinstance(group, ConsumerGroup):
        return GroupListing(group.group_id, "consumer", group.state_name, "consumer")
    return GroupListing(group.group_id, group.protocol_type, group.state.value, "classic")
