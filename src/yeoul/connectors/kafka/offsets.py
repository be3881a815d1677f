"""Where partitions start and end: `scan.startup.mode` and `scan.bounded.mode`, asked of the cluster.

Callers: `source`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from yeoul.connectors.kafka.cluster import EARLIEST, LATEST, Cluster, TopicPartition
from yeoul.connectors.kafka.options import (
    BOUNDED_MODE,
    BOUNDED_OFFSETS,
    BOUNDED_TIMESTAMP,
    STARTUP_MODE,
    STARTUP_OFFSETS,
    STARTUP_TIMESTAMP,
)
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.errors import UserError

__all__ = ["Starting", "ending_offsets", "starting_offsets"]

Leaders = Mapping[TopicPartition, Address]


@dataclass(frozen=True, slots=True)
class Starting:
    """Where to start; see the options of these names."""

    mode: str
    offsets: Mapping[int, int]
    timestamp_ms: int
    group_id: str
    reset: str

    @classmethod
    def of(cls, table: str, options: Mapping[str, str], settings: ClientSettings) -> Starting:
        """Reads the options.

        Raises:
            UserError: It is to start from a group's offsets, and no group is named.
        """
        mode = STARTUP_MODE.read(options)
        if mode == "group-offsets" and settings.group_id is None:
            raise UserError(
                f"Table {table!r}: 'scan.startup.mode' = 'group-offsets' (the default) needs 'properties.group.id'",
                hint="To read from the beginning, set 'scan.startup.mode' = 'earliest-offset'.",
            )
        return cls(
            mode,
            STARTUP_OFFSETS.read(options) or {},
            STARTUP_TIMESTAMP.read(options) or 0,
            settings.group_id or "",
            settings.reset or "none",
        )


def starting_offsets(
    cluster: Cluster, leaders: Leaders, starting: Starting, known: Collection[str] = ()
) -> dict[TopicPartition, int]:
    """Returns the first offset to read of each partition.

    Args:
        cluster: Is asked.
        leaders: Of all partitions.
        starting: What the table says.
        known: Splits that go on from a position of their own: nothing is asked of them.

    Raises:
        UserError: There is no such partition; or a group has no offset for one, and no reset is set.
    """
    if starting.mode == "specific-offsets":
        _check_partitions("scan.startup.specific-offsets", starting.offsets, leaders)
    leaders = {partition: address for partition, address in leaders.items() if partition.split not in known}
    if not leaders:
        return {}
    match starting.mode:
        case "earliest-offset":
            return cluster.list_offsets(leaders, EARLIEST)
        case "latest-offset":
            return cluster.list_offsets(leaders, LATEST)
        case "timestamp":
            return _at_time(cluster, leaders, starting.timestamp_ms)
        case "specific-offsets":
            return _specific(cluster, leaders, starting)
        case _:
            return _of_group(cluster, leaders, starting)


def _at_time(cluster: Cluster, leaders: Leaders, timestamp_ms: int) -> dict[TopicPartition, int]:
    found = cluster.list_offsets(leaders, timestamp_ms)
    missing = {partition: leaders[partition] for partition, offset in found.items() if offset < 0}
    return found | (cluster.list_offsets(missing, LATEST) if missing else {})


def _specific(cluster: Cluster, leaders: Leaders, starting: Starting) -> dict[TopicPartition, int]:
    named = {one: starting.offsets[one.partition] for one in leaders if one.partition in starting.offsets}
    others = {one: address for one, address in leaders.items() if one not in named}
    return named | _of_group(cluster, others, starting) if others else named


def _check_partitions(option: str, given: Mapping[int, int], leaders: Leaders) -> None:
    known = {one.partition for one in leaders}
    for partition in given:
        if partition not in known:
            raise UserError(
                f"Option {option!r}: there is no partition {partition}", hint=f"There are {len(known)}, from 0."
            )


def _of_group(cluster: Cluster, leaders: Leaders, starting: Starting) -> dict[TopicPartition, int]:
    committed = cluster.committed_offsets(starting.group_id, leaders) if starting.group_id else {}
    missing = {partition: address for partition, address in leaders.items() if partition not in committed}
    if not missing:
        return committed
    if starting.reset == "none":
        first = min(missing)
        raise UserError(
            f"There is no offset to start from for partition {first.partition} of topic {first.topic!r}: "
            f"group {starting.group_id!r} has committed none",
            hint="Set 'properties.auto.offset.reset' to 'earliest' or 'latest', or choose a 'scan.startup.mode'.",
        )
    return committed | cluster.list_offsets(missing, EARLIEST if starting.reset == "earliest" else LATEST)


def ending_offsets(
    cluster: Cluster, leaders: Leaders, options: Mapping[str, str], settings: ClientSettings
) -> dict[TopicPartition, int] | None:
    """Returns the offset to stop before of each partition, None for an unbounded source.

    Raises:
        UserError: A partition has no such offset.
    """
    mode = BOUNDED_MODE.read(options)
    if mode == "unbounded":
        return None
    latest = cluster.list_offsets(leaders, LATEST)
    match mode:
        case "latest-offset":
            return latest
        case "timestamp":
            found = cluster.list_offsets(leaders, BOUNDED_TIMESTAMP.read(options) or 0)
            return {one: latest[one] if offset < 0 else offset for one, offset in found.items()}
        case "specific-offsets":
            given = BOUNDED_OFFSETS.read(options) or {}
            _check_partitions("scan.bounded.specific-offsets", given, leaders)
            return {one: given.get(one.partition, latest[one]) for one in leaders}
        case _:
            if settings.group_id is None:
                raise UserError("'scan.bounded.mode' = 'group-offsets' needs 'properties.group.id'")
            committed = cluster.committed_offsets(settings.group_id, leaders)
            return {one: committed.get(one, latest[one]) for one in leaders}
