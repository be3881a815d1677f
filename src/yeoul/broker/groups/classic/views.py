"""A classic group as others see it: as the record that is stored, made anew from one, and as DescribeGroups shows it.

Callers: `table`, the coordinator.
"""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.broker.groups.classic.group import ClassicGroup, GroupState
from yeoul.broker.groups.classic.member import Member
from yeoul.broker.groups.classic.messages import GroupDescription, MemberDescription
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.records import GroupValue, MemberValue

__all__ = ["describe", "group_value", "restored_group"]


def group_value(group: ClassicGroup, now_ms: int, assignments: Mapping[str, bytes] | None) -> GroupValue:
    """Returns the group as it is stored; `assignments` take the place of the members' own."""
    members = tuple(
        MemberValue(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            member.rebalance_timeout_ms,
            member.session_timeout_ms,
            member.metadata(group.protocol_name),
            member.assignment if assignments is None else assignments.get(member.member_id, b""),
        )
        for member in group.members
    )
    since_ms = now_ms if group.members or group.empty_since_ms is None else group.empty_since_ms
    return GroupValue(
        group.protocol_type, group.generation_id, group.protocol_name, group.members.leader, since_ms, members
    )


def restored_group(group_id: str, value: GroupValue, config: GroupConfig) -> ClassicGroup:
    """Returns the group that a stored record describes: stable with its members, or empty."""
    group = ClassicGroup(group_id, config)
    group.protocol_type, group.generation_id = value.protocol_type, value.generation_id
    group.protocol_name = value.protocol_name
    for stored in value.members:
        member = Member(
            stored.member_id,
            stored.group_instance_id,
            stored.client_id,
            stored.client_host,
            stored.session_timeout_ms,
            stored.rebalance_timeout_ms,
            ((value.protocol_name or "", stored.subscription),),
            stored.assignment,
            synced=True,
        )
        group.members.add(member)
    group.members.leader = value.leader
    group.state = GroupState.STABLE if group.members else GroupState.EMPTY
    if not group.members and value.state_timestamp_ms >= 0:
        group.empty_since_ms = value.state_timestamp_ms
    return group


def describe(group: ClassicGroup) -> GroupDescription:
    """Returns the group for DescribeGroups; metadata and assignments are shown once they are agreed on."""
    agreed = group.state is GroupState.STABLE
    members = tuple(
        MemberDescription(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            member.metadata(group.protocol_name) if agreed else b"",
            member.assignment if agreed else b"",
        )
        for member in group.members
    )
    name = (group.protocol_name or "") if agreed else ""
    return GroupDescription(group.group_id, group.state.value, group.protocol_type, name, members)
