"""The two assignments that the broker computes: `uniform`, balanced and sticky, and `range`, whole ranges per topic.

Pure: from who subscribes to what, and who had what, to who is to have what. Every partition of every subscribed topic
has exactly one member. Caller: `group`, whenever the group's epoch moves.

Source: KIP-848; Apache Kafka's UniformAssignor and RangeAssignor (server side).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from yeoul.broker.groups.consumer.topics import Partitions, TopicPartitionId

__all__ = ["ASSIGNORS", "Assignor", "Subscriber"]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One member, as an assignor sees it.

    Attributes:
        topics: The ids of the topics that it reads.
        held: Its target of before.
    """

    member_id: str
    instance_id: str | None
    topics: frozenset[bytes]
    held: Partitions


Assignor = Callable[[Sequence[Subscriber], Mapping[bytes, int]], dict[str, Partitions]]
"""From members and the topics' partition counts to each member's partitions."""


def _ordered(members: Iterable[Subscriber]) -> list[Subscriber]:
    """Static members first: their instance ids outlive restarts, so their places do."""
    return sorted(members, key=lambda each: (each.instance_id is None, each.instance_id or each.member_id))


def assign_range(members: Sequence[Subscriber], partition_counts: Mapping[bytes, int]) -> dict[str, Partitions]:
    """Cuts each topic into one range for each of its members; the first ones get what is left over.

    Topics with as many partitions and the same members are cut alike, so that a member has the same numbers of each.

    Example:
        >>> topic = bytes(16)
        >>> both = [Subscriber(name, None, frozenset((topic,)), frozenset()) for name in ("a", "b")]
        >>> {name: sorted(number for _, number in held) for name, held in assign_range(both, {topic: 3}).items()}
        {'a': [0, 1], 'b': [2]}
    """
    ordered = _ordered(members)
    assigned: dict[str, set[TopicPartitionId]] = {each.member_id: set() for each in ordered}
    for topic_id, count in partition_counts.items():
        readers = [each.member_id for each in ordered if topic_id in each.topics]
        start = 0
        for place, member_id in enumerate(readers):
            end = start + count // len(readers) + (place < count % len(readers))
            assigned[member_id].update((topic_id, number) for number in range(start, end))
            start = end
    return {member_id: frozenset(held) for member_id, held in assigned.items()}


def assign_uniform(members: Sequence[Subscriber], partition_counts: Mapping[bytes, int]) -> dict[str, Partitions]:
    """Gives all members as equal a number of partitions as they can have, and moves no more than that needs.

    Example:
        >>> topic = bytes(16)
        >>> old = Subscriber("a", None, frozenset((topic,)), frozenset((topic, number) for number in range(4)))
        >>> new = Subscriber("b", None, frozenset((topic,)), frozenset())
        >>> assigned = assign_uniform([old, new], {topic: 4})
        >>> {name: sorted(number for _, number in held) for name, held in assigned.items()}
        {'a': [0, 1], 'b': [2, 3]}
    """
    if len({each.topics for each in members}) <= 1:
        return _uniform_for_equals(members, partition_counts)
    return _uniform_for_all(members, partition_counts)


def _uniform_for_equals(members: Sequence[Subscriber], partition_counts: Mapping[bytes, int]) -> dict[str, Partitions]:
    """All members read the same: each keeps what it had up to its share, the rest fills up whoever has less."""
    ordered = _ordered(members)
    wanted = ordered[0].topics if ordered else frozenset()
    free = {(topic_id, number) for topic_id in wanted for number in range(partition_counts.get(topic_id, 0))}
    share, extra = divmod(len(free), max(1, len(ordered)))
    kept: dict[str, list[TopicPartitionId]] = {}
    # Whoever holds more keeps the one partition that goes beyond an equal share.
    for each in sorted(ordered, key=lambda member: -len(member.held)):
        mine = sorted(each.held & free)
        may_have_extra = len(mine) > share and extra > 0
        extra -= may_have_extra
        kept[each.member_id] = mine[: share + may_have_extra]
        free.difference_update(kept[each.member_id])
    rest = sorted(free)
    position = 0
    for each in ordered:
        mine = kept[each.member_id]
        room = share - len(mine)
        if room >= 0 and extra > 0:
            room += 1
            extra -= 1
        mine += rest[position : position + max(0, room)]
        position += max(0, room)
    return {each.member_id: frozenset(kept[each.member_id]) for each in ordered}


def _uniform_for_all(members: Sequence[Subscriber], partition_counts: Mapping[bytes, int]) -> dict[str, Partitions]:
    """Members read different topics: keep what may be kept, place the rest, then level out what is uneven."""
    ordered = _ordered(members)
    readers = {
        topic_id: [each.member_id for each in ordered if topic_id in each.topics] for topic_id in partition_counts
    }
    assigned: dict[str, set[TopicPartitionId]] = {each.member_id: set() for each in ordered}
    free = {(topic_id, number) for topic_id, count in partition_counts.items() for number in range(count)}
    for each in ordered:
        mine = {partition for partition in each.held if partition in free and partition[0] in each.topics}
        assigned[each.member_id] = mine
        free -= mine
    for topic_id, number in sorted(free, key=lambda partition: (len(readers[partition[0]]), partition)):
        if readers[topic_id]:
            least = min(readers[topic_id], key=lambda member_id: len(assigned[member_id]))
            assigned[least].add((topic_id, number))
    _level(assigned, readers)
    return {member_id: frozenset(held) for member_id, held in assigned.items()}


def _level(assigned: dict[str, set[TopicPartitionId]], readers: Mapping[bytes, Sequence[str]]) -> None:
    """Moves partitions from members with more to members with fewer, until no move would even them out further.

    Each move makes the sum of squares smaller, so it ends.
    """
    moved = True
    while moved:
        moved = False
        for giver in sorted(assigned, key=lambda member_id: -len(assigned[member_id])):
            while _give_one(giver, assigned, readers):
                moved = True


def _give_one(giver: str, assigned: dict[str, set[TopicPartitionId]], readers: Mapping[bytes, Sequence[str]]) -> bool:
    """Moves one partition to the member that has the fewest; returns False when that would even out nothing."""
    least = len(assigned[giver]) - 1
    found: tuple[bytes, str] | None = None
    for topic_id in sorted({topic_id for topic_id, _ in assigned[giver]}):
        taker = min(readers[topic_id], key=lambda member_id: len(assigned[member_id]))
        if len(assigned[taker]) < least:
            least, found = len(assigned[taker]), (topic_id, taker)
    if found is None:
        return False
    partition = max(each for each in assigned[giver] if each[0] == found[0])
    assigned[giver].remove(partition)
    assigned[found[1]].add(partition)
    return True


ASSIGNORS: Mapping[str, Assignor] = {"uniform": assign_uniform, "range": assign_range}
"""By the names that clients ask for; the first one is the group's own choice."""
