"""Metadata: all topics, some topics, and topics that are made by being asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic, MetadataResponse

from .conftest import Bench


def ask(bench: Bench, version: int, *names: str, everything: bool = False, may_create: bool = True) -> MetadataResponse:
    topics = None if everything and version else [MetadataRequestTopic(name=name) for name in names]
    return bench.ask(METADATA, version, MetadataRequest(topics=topics, allow_auto_topic_creation=may_create))


@pytest.mark.parametrize("version", [0, 1, 4, 9, 12, 13])
def test_an_unknown_topic_is_made_with_the_configured_partitions(
    make_bench: Callable[..., Bench], version: int
) -> None:
    bench = make_bench(num_partitions=3)
    [topic] = ask(bench, version, "new").topics
    assert (topic.error_code, topic.name, len(topic.partitions)) == (0, "new", 3)
    assert {partition.leader_id for partition in topic.partitions} == {1}
    assert list(bench.node.log.topics) == ["new"]


def test_no_topic_is_made_where_client_or_broker_does_not_want_it(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench("client")
    [topic] = ask(bench, 9, "new", may_create=False).topics
    assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert dict(bench.node.log.topics) == {}
    bench = make_bench("broker", auto_create_topics=False)
    [topic] = ask(bench, 9, "new").topics
    assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert dict(bench.node.log.topics) == {}


def test_a_name_that_no_topic_can_have_is_refused(bench: Bench) -> None:
    assert ask(bench, 9, "no such name").topics[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION


@pytest.mark.parametrize("version", [0, 1, 9, 13])
def test_all_topics_are_told_when_none_is_named(bench: Bench, version: int) -> None:
    ask(bench, 9, "a", "b")
    assert [topic.name for topic in ask(bench, version, everything=True).topics] == ["a", "b"]


def test_an_empty_list_means_no_topic_from_version_1_on(bench: Bench) -> None:
    ask(bench, 9, "a")
    assert ask(bench, 1).topics == []


def test_topics_are_found_by_id(bench: Bench) -> None:
    [made] = ask(bench, 12, "a").topics
    by_id = MetadataRequest(topics=[MetadataRequestTopic(topic_id=made.topic_id, name=None)])
    assert [topic.name for topic in bench.ask(METADATA, 12, by_id).topics] == ["a"]
    unknown = MetadataRequest(topics=[MetadataRequestTopic(topic_id=b"?" * 16, name=None)])
    [topic] = bench.ask(METADATA, 12, unknown).topics
    assert (topic.error_code, topic.name) == (ErrorCode.UNKNOWN_TOPIC_ID, None)


def test_the_broker_says_where_it_is(bench: Bench) -> None:
    response = ask(bench, 12)
    assert [(each.node_id, each.host, each.port) for each in response.brokers] == [
        (1, bench.node.host, bench.node.port)
    ]
    assert (response.controller_id, response.cluster_id) == (1, bench.node.cluster_id)
