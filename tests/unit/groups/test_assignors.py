"""The broker's assignments: every partition has one reader, shares are even, and nothing moves without need."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yeoul.broker.groups.consumer.assignors import ASSIGNORS, Subscriber, assign_range, assign_uniform
from yeoul.broker.groups.consumer.topics import Partitions

TOPICS = [bytes([number]) * 16 for number in range(4)]
counts = st.fixed_dictionaries({topic: st.integers(0, 7) for topic in TOPICS})
subscriptions = st.dictionaries(
    st.sampled_from("abcdef"), st.frozensets(st.sampled_from(TOPICS), min_size=1), min_size=1
)


def members_of(
    wanted: Mapping[str, frozenset[bytes]], held: Mapping[str, Partitions] | None = None
) -> list[Subscriber]:
    return [Subscriber(name, None, topics, (held or {}).get(name, frozenset())) for name, topics in wanted.items()]


def read_topics(wanted: Mapping[str, frozenset[bytes]], partition_counts: Mapping[bytes, int]) -> dict[bytes, int]:
    read = frozenset().union(*wanted.values())
    return {topic: count for topic, count in partition_counts.items() if topic in read}


@pytest.mark.parametrize("name", list(ASSIGNORS))
@given(wanted=subscriptions, partition_counts=counts)
def test_every_partition_has_one_reader_and_it_subscribes_to_it(
    name: str, wanted: dict[str, frozenset[bytes]], partition_counts: dict[bytes, int]
) -> None:
    topics = read_topics(wanted, partition_counts)
    assigned = ASSIGNORS[name](members_of(wanted), topics)
    given_out = sorted(partition for held in assigned.values() for partition in held)
    assert given_out == sorted((topic, number) for topic, count in topics.items() for number in range(count))
    for member, held in assigned.items():
        assert {topic for topic, _ in held} <= wanted[member]


@given(
    names=st.sets(st.sampled_from("abcdef"), min_size=1),
    others=st.sets(st.sampled_from("abcdef"), min_size=1),
    partition_counts=counts,
)
def test_uniform_is_even_and_moves_only_what_has_to_move(
    names: set[str], others: set[str], partition_counts: dict[bytes, int]
) -> None:
    everything = frozenset(TOPICS)
    before = assign_uniform(members_of(dict.fromkeys(names, everything)), partition_counts)
    again = assign_uniform(members_of(dict.fromkeys(names, everything), before), partition_counts)
    assert again == before
    after = assign_uniform(members_of(dict.fromkeys(others, everything), before), partition_counts)
    sizes = [len(held) for held in after.values()]
    assert max(sizes) - min(sizes) <= 1
    largest = -(-sum(partition_counts.values()) // len(others))
    for name in names & others:
        # Who stays gives up no more than what is beyond its share.
        assert len(before[name] & after[name]) >= min(len(before[name]), largest - 1)


@given(wanted=subscriptions, partition_counts=counts)
def test_uniform_is_sticky_and_as_even_as_subscriptions_allow(
    wanted: dict[str, frozenset[bytes]], partition_counts: dict[bytes, int]
) -> None:
    topics = read_topics(wanted, partition_counts)
    assigned = assign_uniform(members_of(wanted), topics)
    assert assign_uniform(members_of(wanted, assigned), topics) == assigned
    for member, held in assigned.items():
        for topic, _ in held:
            for other, others_topics in wanted.items():
                if topic in others_topics:
                    assert len(held) - len(assigned[other]) <= 1, (member, other)


def test_range_gives_members_the_same_numbers_of_each_topic_static_ones_first() -> None:
    both = frozenset(TOPICS[:2])
    members = [Subscriber("a", None, both, frozenset()), Subscriber("z", "one", both, frozenset())]
    assigned = assign_range(members, {TOPICS[0]: 3, TOPICS[1]: 3})
    assert {number for _, number in assigned["z"]} == {0, 1}
    assert {number for _, number in assigned["a"]} == {2}
