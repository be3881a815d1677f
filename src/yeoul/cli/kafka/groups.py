"""What `yeoul groups` does, on a connected cluster.

A reset is planned wholly before anything is written: every new offset lies within what its partition holds.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import ConsumerGroupDescription, OffsetSpec

from yeoul.cli.kafka.client import REQUEST_TIMEOUT_S, Cluster, ends_of, explain, outcome
from yeoul.cli.kafka.requests import GROUP, Requests, refusal
from yeoul.cli.rendering.listing import print_rows, print_table
from yeoul.errors import UserError, YeoulError, did_you_mean
from yeoul.units import parse_duration_ms
from yeoul.wire.messages.offset_delete import (
    OFFSET_DELETE,
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)

__all__ = [
    "Target",
    "delete",
    "delete_offsets",
    "describe",
    "describe_members",
    "parse_datetime_ms",
    "parse_topics",
    "reset",
    "show_all",
    "within",
]

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Target:
    """Where offsets are moved to: exactly one of these."""

    spec: OffsetSpec | None = None
    offset: int | None = None
    shift: int | None = None

    @classmethod
    def of(
        cls,
        *,
        to_earliest: bool = False,
        to_latest: bool = False,
        to_datetime: str | None = None,
        to_offset: int | None = None,
        by_duration: str | None = None,
        shift_by: int | None = None,
    ) -> Target:
        """Returns the one target that was asked for.

        Raises:
            UserError: None or more than one was.
        """
        others = (to_datetime, to_offset, by_duration, shift_by)
        given = [to_earliest, to_latest, *(one is not None for one in others)]
        if sum(given) != 1:
            raise UserError(
                f"Expected one target for the offsets, got {sum(given)}",
                hint="Give one of --to-earliest, --to-latest, --to-datetime TIME, --by-duration DURATION, "
                "--to-offset N, --shift-by N.",
            )
        if shift_by is not None:
            return cls(shift=shift_by)
        if by_duration is not None:
            return cls(spec=OffsetSpec.for_timestamp(int(time.time() * 1_000) - parse_duration_ms(by_duration)))
        if to_offset is not None:
            return cls(offset=to_offset)
        if to_datetime is not None:
            return cls(spec=OffsetSpec.for_timestamp(parse_datetime_ms(to_datetime)))
        return cls(spec=OffsetSpec.earliest() if to_earliest else OffsetSpec.latest())


def parse_datetime_ms(text: str) -> int:
    """Returns an ISO 8601 time as milliseconds since the epoch; without an offset it is UTC, as for Kafka's tool.

    Raises:
        UserError: It is none.

    Example:
        >>> parse_datetime_ms("2026-01-31T12:00:00.5"), parse_datetime_ms("1970-01-01T09:00+09:00")
        (1769860800500, 0)
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"Expected a time such as 2026-01-31T12:00:00 or 2026-01-31T12:00:00+09:00, got {text!r}",
            hint="Without an offset it is UTC.",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1)


def parse_topics(given: Sequence[str], partitions_of: Mapping[str, Sequence[int]]) -> list[Place]:
    """Returns the partitions that `TOPIC` and `TOPIC:0,2` mean.

    Raises:
        UserError: A topic or a partition is not there.

    Example:
        >>> parse_topics(["a", "b:1"], {"a": [0, 1], "b": [0, 1]})
        [('a', 0), ('a', 1), ('b', 1)]
    """
    places: list[Place] = []
    for text in given:
        topic, _, listed = text.partition(":")
        if topic not in partitions_of:
            raise UserError(f"Unknown topic {topic!r}", hint=did_you_mean(topic, partitions_of))
        wanted = [part.strip() for part in listed.split(",")] if listed else [str(one) for one in partitions_of[topic]]
        for part in wanted:
            if not part.isdecimal() or int(part) not in partitions_of[topic]:
                last = max(partitions_of[topic], default=0)
                raise UserError(f"Topic {topic!r} has no partition {part!r}", hint=f"It has 0 to {last}.")
            places.append((topic, int(part)))
    return places


def within(offset: int, first: int, last: int) -> int:
    """Returns the offset, moved into what the partition holds."""
    return min(max(offset, first), last)


def show_all(cluster: Cluster, *, states: Sequence[str] = (), as_json: bool = False) -> None:
    """Prints one line a group; only those in `states`, if any are named."""
    found = outcome(cluster.admin.list_consumer_groups(request_timeout=REQUEST_TIMEOUT_S), "Listing groups")
    if not found.valid and found.errors:
        raise found.errors[0]
    wanted = frozenset(state.replace("-", " ").lower() for state in states)
    rows = sorted((one.group_id, _state_name(one.state)) for one in found.valid)
    chosen = [row for row in rows if not wanted or row[1] in wanted]
    print_rows(("group", "state"), chosen, as_json=as_json, nothing="No consumer groups.")


def describe_members(cluster: Cluster, group: str, *, as_json: bool) -> None:
    """Prints one line a member, with the partitions that it reads.

    Raises:
        UserError: There is no such group.
    """
    described = _described(cluster, group)
    rows = []
    for one in described.members:
        places = one.assignment.topic_partitions if one.assignment else ()
        shown = ", ".join(f"{place.topic}-{place.partition}" for place in places)
        rows.append((one.member_id, one.client_id, one.host, one.group_instance_id, len(places), shown or None))
    columns = ("member", "client", "host", "instance", "partitions", "assigned")
    nothing = f"Group {group!r} has no members."
    print_rows(columns, sorted(rows, key=str), numbers=("partitions",), as_json=as_json, nothing=nothing)


def describe(cluster: Cluster, group: str, *, as_json: bool = False) -> None:
    """Prints one line a partition that the group committed for or reads.

    Raises:
        UserError: There is no such group.
    """
    described = _described(cluster, group)
    committed = _committed(cluster, group)
    owners = {
        (place.topic, place.partition): member
        for member in described.members
        for place in (member.assignment.topic_partitions if member.assignment else ())
    }
    places = sorted({*committed, *owners})
    last = ends_of(cluster, [place for place in places if _exists(cluster, place)], OffsetSpec.latest())
    if not as_json:
        print(f"group {group!r}: {_state_name(described.state)}, {len(described.members)} members")
    rows = []
    for place in places:
        at, end, owner = committed.get(place), last.get(place), owners.get(place)
        lag = end - at if end is not None and at is not None else None
        rows.append((*place, at, end, lag, owner.member_id if owner else None, owner.host if owner else None))
    columns = ("topic", "partition", "committed", "latest", "lag", "member", "host")
    print_rows(columns, rows, numbers=columns[1:5], as_json=as_json, nothing="No offsets are committed.")


def reset(cluster: Cluster, group: str, topics: Sequence[str], target: Target, *, execute: bool) -> None:
    """Shows the offsets that the group would get, and with `execute` commits them.

    Raises:
        UserError: A topic is not there, or nothing says which ones are meant.
        PeerError: The group has members, or the broker refuses.
    """
    standing = _committed(cluster, group)
    if topics:
        places = parse_topics(topics, {topic: cluster.partitions(topic) for topic in cluster.topics})
    else:
        places = sorted(place for place in standing if _exists(cluster, place))
    if not places:
        raise UserError(
            f"Group {group!r} has committed nothing, so it is not clear which topics are meant",
            hint="Name them: --topic TOPIC.",
        )
    planned = _planned(cluster, places, target, standing)
    rows = [(*place, standing.get(place), offset) for place, offset in planned.items()]
    print_table(("topic", "partition", "from", "to"), rows, numbers=("partition", "from", "to"))
    if not execute:
        print("Dry run: nothing was changed. Add --execute to do it.")
        return
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(*place, offset) for place, offset in planned.items()])
    (future,) = cluster.admin.alter_consumer_group_offsets([request], request_timeout=REQUEST_TIMEOUT_S).values()
    doing = f"Moving the offsets of group {group!r}"
    for moved in outcome(future, doing).topic_partitions or ():
        if moved.error is not None:  # refused for this partition alone
            raise explain(moved.error, doing)
    print(f"Moved the offsets of group {group!r} in {len(planned)} partitions.")


def delete(cluster: Cluster, groups: Sequence[str]) -> None:
    """Deletes groups with all that they committed; the first that is refused is raised after the others are done.

    Raises:
        PeerError: A group has members, is not there, or the broker refuses.
    """
    answers = cluster.admin.delete_consumer_groups(list(groups), request_timeout=REQUEST_TIMEOUT_S)
    failures: list[YeoulError] = []
    for group, future in answers.items():
        try:
            outcome(future, f"Deleting group {group!r}")
            print(f"Deleted group {group!r}.")
        except YeoulError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def delete_offsets(cluster: Cluster, requests: Requests, group: str, topics: Sequence[str], *, execute: bool) -> None:
    """Forgets what a group committed for some topics.

    Raises:
        UserError: A topic is not there.
        PeerError: The group reads a topic, or the broker refuses.
    """
    standing = _committed(cluster, group)
    known = {topic: cluster.partitions(topic) for topic in cluster.topics}
    known |= {
        topic: [number for name, number in standing if name == topic] for topic, _ in standing if topic not in known
    }
    places = [place for place in parse_topics(topics, known) if place in standing]
    columns = ("topic", "partition", "committed")
    nothing = f"Group {group!r} has committed nothing there."
    print_rows(columns, [(*place, standing[place]) for place in places], numbers=columns[1:], nothing=nothing)
    if not places:
        return
    if not execute:
        print("Dry run: nothing was changed. Add --execute to do it.")
        return
    by_topic: dict[str, list[OffsetDeleteRequestPartition]] = {}
    for topic, number in places:
        by_topic.setdefault(topic, []).append(OffsetDeleteRequestPartition(partition_index=number))
    wanted = [OffsetDeleteRequestTopic(name=name, partitions=partitions) for name, partitions in by_topic.items()]
    request = OffsetDeleteRequest(group_id=group, topics=wanted)
    answer = requests.ask_coordinator(GROUP, group, OFFSET_DELETE, request)
    codes = [answer.error_code, *(one.error_code for topic in answer.topics for one in topic.partitions)]
    for code in codes:
        if code:
            raise refusal(code, f"Deleting offsets of group {group!r}")
    print(f"Deleted the offsets of group {group!r} in {len(places)} partitions.")


def _planned(
    cluster: Cluster, places: Sequence[Place], target: Target, standing: Mapping[Place, int]
) -> dict[Place, int]:
    first, last = ends_of(cluster, places, OffsetSpec.earliest()), ends_of(cluster, places, OffsetSpec.latest())
    if target.shift is not None:
        for place in places:
            if place not in standing:
                raise UserError(f"Nothing is committed for {place[0]}-{place[1]}, so there is nothing to shift from")
        return {place: within(standing[place] + target.shift, first[place], last[place]) for place in places}
    if target.spec is None:
        return {place: within(target.offset or 0, first[place], last[place]) for place in places}
    found = ends_of(cluster, places, target.spec)
    # no record from that time on is answered with -1: the end
    return {
        place: within(found[place], first[place], last[place]) if found[place] >= 0 else last[place] for place in places
    }


def _exists(cluster: Cluster, place: Place) -> bool:
    return place[0] in cluster.topics and place[1] in cluster.partitions(place[0])


def _described(cluster: Cluster, group: str) -> ConsumerGroupDescription:
    answers = cluster.admin.describe_consumer_groups([group], request_timeout=REQUEST_TIMEOUT_S)
    described: ConsumerGroupDescription = outcome(answers[group], f"Describing group {group!r}")
    if described.state is ConsumerGroupState.DEAD:
        known = outcome(cluster.admin.list_consumer_groups(request_timeout=REQUEST_TIMEOUT_S), "Listing groups").valid
        raise UserError(f"Unknown group {group!r}", hint=did_you_mean(group, (one.group_id for one in known)))
    return described


def _committed(cluster: Cluster, group: str) -> dict[Place, int]:
    request = ConsumerGroupTopicPartitions(group)
    (future,) = cluster.admin.list_consumer_group_offsets([request], request_timeout=REQUEST_TIMEOUT_S).values()
    found = outcome(future, f"Reading the offsets of group {group!r}").topic_partitions or ()
    return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}


def _state_name(state: Enum) -> str:
    return str(state.name).replace("_", " ").lower()
