"""Which topics, which settings, which offsets: decided from values."""

from __future__ import annotations

import pytest

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.errors import PeerError, UserError
from yeoul.mirror.groups import Committed, forward_offsets
from yeoul.mirror.offset_map import OffsetMap, Run
from yeoul.mirror.planning import (
    Change,
    Setting,
    TopicPlan,
    TopicView,
    chosen_topics,
    config_changes,
    plan_topics,
)
from yeoul.mirror.settings import MirrorSettings, Selection
from yeoul.mirror.state import replay
from yeoul.wire.records import Record

HERE, THERE = ClientSettings((Address("a", 1),)), ClientSettings((Address("b", 1),))


def topic(name: str, partitions: int = 1, is_internal: bool = False) -> TopicView:
    return TopicView(name, bytes(16), dict.fromkeys(range(partitions), Address("a", 1)), is_internal)


def test_a_clusters_own_topics_and_a_mirrors_are_not_copied() -> None:
    names = ["b", "__consumer_offsets", "yeoul-mirror-1", "a", "a-test"]
    settings = MirrorSettings(HERE, THERE, topics=Selection.of([], [".*-test"]))
    views = [*map(topic, names), topic("hidden", is_internal=True)]
    assert [view.name for view in chosen_topics(settings, views)] == ["a", "b"]


def test_copies_beside_their_originals_are_not_copied_again() -> None:
    settings = MirrorSettings(HERE, HERE, rename="copy.")
    views = [topic("a"), topic("copy.a")]
    assert [view.name for view in chosen_topics(settings, views, is_one_cluster=True)] == ["a"]
    assert len(chosen_topics(settings, views)) == 2


def test_topics_are_created_and_grown_and_never_shrunk() -> None:
    settings = MirrorSettings(HERE, THERE, rename="x.")
    target = {"x.same": topic("x.same", 2), "x.less": topic("x.less"), "x.more": topic("x.more", 5)}
    views = [topic("new", 3), topic("same", 2), topic("less", 2), topic("more", 2)]
    assert plan_topics(settings, views, target) == [
        TopicPlan("new", "x.new", 3, create=True, grow=False),
        TopicPlan("same", "x.same", 2, create=False, grow=False),
        TopicPlan("less", "x.less", 2, create=False, grow=True),
        TopicPlan("more", "x.more", 2, create=False, grow=False),
    ]


def test_settings_are_copied_where_they_are_the_topics_own() -> None:
    source = {
        "cleanup.policy": Setting("compact", True),
        "retention.ms": Setting("1", False),
        "segment.bytes": Setting("5", True),
        "message.timestamp.type": Setting("LogAppendTime", True),
    }
    target = {"cleanup.policy": Setting("delete", False), "segment.bytes": Setting("5", True)}
    assert config_changes(source, target) == [Change("cleanup.policy", "compact")]


def test_a_setting_that_the_source_has_dropped_is_dropped_if_it_was_copied() -> None:
    source = {"retention.ms": Setting("7", False)}
    target = {"retention.ms": Setting("1", True), "segment.ms": Setting("9", True)}
    assert config_changes(source, target) == []
    assert config_changes(source, target, ["retention.ms"]) == [Change("retention.ms", None)]


def test_limits_below_those_of_the_source_are_raised() -> None:
    source = {"max.message.bytes": Setting("2000000", False), "message.timestamp.after.max.ms": Setting("99", False)}
    target = {"max.message.bytes": Setting("1000000", False), "message.timestamp.after.max.ms": Setting("100", False)}
    assert config_changes(source, target) == [Change("max.message.bytes", "2000000")]


def test_offsets_only_move_forward() -> None:
    offsets = OffsetMap(0, 0)
    offsets.extend([Run(0, 0, 10), Run(11, 11, 10)], 21)
    maps = {TopicPartition("t", 0): offsets}
    source = {TopicPartition("t", 0): Committed(5, "m"), TopicPartition("other", 0): Committed(5, "")}
    held = TopicPartition("t", 0)
    assert forward_offsets(source, {}, maps, "") == {held: Committed(5, "m")}
    assert forward_offsets(source, {held: Committed(4, "")}, maps, "") == {held: Committed(5, "m")}
    assert forward_offsets(source, {held: Committed(5, "")}, maps, "") == {}


def test_a_group_ahead_of_the_copy_gets_the_end_of_the_copy() -> None:
    offsets = OffsetMap(0, 0)
    offsets.extend([Run(0, 3, 10)], 10)
    found = forward_offsets({TopicPartition("t", 0): Committed(50, None)}, {}, {TopicPartition("t", 0): offsets}, "")
    assert found == {TopicPartition("t", 0): Committed(13, None)}


def test_a_foreign_record_in_the_state_topic_is_refused() -> None:
    with pytest.raises(PeerError, match="a record at offset 7 that is not the mirror's"):
        replay([Record(7, 0, b"what", b"is this")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Selection.of(["a("]), "--topics: 'a\\(' is no regular expression"),
        (lambda: MirrorSettings(HERE, THERE, mirror_id="a b"), "--id: expected"),
        (lambda: MirrorSettings(HERE, THERE, rename="a/"), "--rename: expected"),
    ],
)
def test_senseless_settings_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(UserError, match=message):
        make()
