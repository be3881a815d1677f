"""What a single node answers to requests about brokers, replicas and directories: the truth, and nothing more."""

from __future__ import annotations

from pathlib import Path

from tests.unit.broker.conftest import Bench

from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages import alter_replica_log_dirs as moving
from yeoul.wire.messages.alter_partition_reassignments import (
    ALTER_PARTITION_REASSIGNMENTS,
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from yeoul.wire.messages.delete_topics import DELETE_TOPICS, DeleteTopicsRequest, DeleteTopicState
from yeoul.wire.messages.describe_log_dirs import (
    DESCRIBE_LOG_DIRS,
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
)
from yeoul.wire.messages.describe_quorum import DESCRIBE_QUORUM, DescribeQuorumRequest, PartitionData, TopicData
from yeoul.wire.messages.describe_topic_partitions import (
    DESCRIBE_TOPIC_PARTITIONS,
    Cursor,
    DescribeTopicPartitionsRequest,
    TopicRequest,
)
from yeoul.wire.messages.elect_leaders import ELECT_LEADERS, ElectLeadersRequest, TopicPartitions
from yeoul.wire.messages.list_partition_reassignments import (
    LIST_PARTITION_REASSIGNMENTS,
    ListPartitionReassignmentsRequest,
)
from yeoul.wire.messages.unregister_broker import UNREGISTER_BROKER, UnregisterBrokerRequest
from yeoul.wire.messages.update_features import UPDATE_FEATURES, FeatureUpdateKey, UpdateFeaturesRequest


def test_partitions_are_told_a_page_at_a_time(bench: Bench) -> None:
    for name, count in (("a", 3), ("b", 2), ("c", 1)):
        bench.node.create_topic(name, count)
    seen, cursor = [], None
    for _ in range(10):
        request = DescribeTopicPartitionsRequest(response_partition_limit=2, cursor=cursor)
        page = bench.ask(DESCRIBE_TOPIC_PARTITIONS, 0, request)
        seen += [(topic.name, one.partition_index) for topic in page.topics for one in topic.partitions]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0)]


def test_named_topics_begin_at_the_cursor_and_unknown_ones_are_said_so(bench: Bench) -> None:
    bench.node.create_topic("b", 2)
    names = [TopicRequest(name=name) for name in ("zz", "b", "a")]
    request = DescribeTopicPartitionsRequest(topics=names, cursor=Cursor(topic_name="b", partition_index=1))
    page = bench.ask(DESCRIBE_TOPIC_PARTITIONS, 0, request)
    assert [(one.name, one.error_code, len(one.partitions)) for one in page.topics] == [("b", 0, 1), ("zz", 3, 0)]
    assert page.next_cursor is None


def test_no_election_is_needed(bench: Bench) -> None:
    bench.node.create_topic("t", 1)
    request = ElectLeadersRequest(topic_partitions=[TopicPartitions(topic="t", partitions=[0, 1])])
    [topic] = bench.ask(ELECT_LEADERS, 2, request).replica_election_results
    assert [one.error_code for one in topic.partition_result] == [
        ErrorCode.ELECTION_NOT_NEEDED,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    assert bench.ask(ELECT_LEADERS, 2, ElectLeadersRequest(topic_partitions=None)).replica_election_results == []


def test_a_partition_is_assigned_to_the_one_broker_only(bench: Bench) -> None:
    bench.node.create_topic("t", 3)
    wanted = [
        ReassignablePartition(partition_index=0, replicas=[1]),
        ReassignablePartition(partition_index=1, replicas=[1, 2]),
        ReassignablePartition(partition_index=2, replicas=None),
        ReassignablePartition(partition_index=3, replicas=[1]),
    ]
    request = AlterPartitionReassignmentsRequest(topics=[ReassignableTopic(name="t", partitions=wanted)])
    [topic] = bench.ask(ALTER_PARTITION_REASSIGNMENTS, 1, request).responses
    assert [one.error_code for one in topic.partitions] == [
        ErrorCode.NONE,
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    assert bench.ask(LIST_PARTITION_REASSIGNMENTS, 0, ListPartitionReassignmentsRequest()).topics == []


def test_the_data_directory_is_described_with_its_room(bench: Bench) -> None:
    bench.node.create_topic("t", 2)
    [found] = bench.ask(DESCRIBE_LOG_DIRS, 4, DescribeLogDirsRequest(topics=None)).results
    assert Path(found.log_dir) == bench.data_dir
    assert 0 < found.usable_bytes <= found.total_bytes
    sizes = {
        (topic.name, one.partition_index): one.partition_size for topic in found.topics for one in topic.partitions
    }
    assert sizes == {("t", 0): 0, ("t", 1): 0}
    some = DescribeLogDirsRequest(topics=[DescribableLogDirTopic(topic="t", partitions=[1, 7])])
    [found] = bench.ask(DESCRIBE_LOG_DIRS, 1, some).results
    assert [one.partition_index for one in found.topics[0].partitions] == [1]


def test_a_partition_stays_in_the_one_directory(bench: Bench) -> None:
    bench.node.create_topic("t", 1)
    topics = [moving.AlterReplicaLogDirTopic(name="t", partitions=[0, 1])]
    dirs = [moving.AlterReplicaLogDir(path=path, topics=topics) for path in (str(bench.data_dir), "/elsewhere")]
    answer = bench.ask(moving.ALTER_REPLICA_LOG_DIRS, 2, moving.AlterReplicaLogDirsRequest(dirs=dirs))
    assert [[one.error_code for one in topic.partitions] for topic in answer.results] == [
        [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
        [ErrorCode.LOG_DIR_NOT_FOUND, ErrorCode.LOG_DIR_NOT_FOUND],
    ]


def test_the_quorum_is_the_one_node(bench: Bench) -> None:
    topics = [
        TopicData(topic_name=name, partitions=[PartitionData(partition_index=0)])
        for name in ("__cluster_metadata", "t")
    ]
    answer = bench.ask(DESCRIBE_QUORUM, 2, DescribeQuorumRequest(topics=topics))
    own, other = (topic.partitions[0] for topic in answer.topics)
    assert (own.leader_id, [voter.replica_id for voter in own.current_voters], own.observers) == (1, [1], [])
    assert other.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert [node.node_id for node in answer.nodes] == [1]


def test_features_and_the_broker_stay_what_they_are(bench: Bench) -> None:
    def update(feature: str, level: int) -> int:
        updates = [FeatureUpdateKey(feature=feature, max_version_level=level)]
        return int(bench.ask(UPDATE_FEATURES, 2, UpdateFeaturesRequest(feature_updates=updates)).error_code)

    assert update("transaction.version", 2) == ErrorCode.NONE
    assert update("transaction.version", 1) == ErrorCode.INVALID_UPDATE_VERSION
    assert update("warp.drive", 1) == ErrorCode.INVALID_UPDATE_VERSION
    assert (
        bench.ask(UNREGISTER_BROKER, 0, UnregisterBrokerRequest(broker_id=1)).error_code == ErrorCode.POLICY_VIOLATION
    )
    assert bench.ask(UNREGISTER_BROKER, 0, UnregisterBrokerRequest(broker_id=2)).error_code == 102


def test_a_topic_is_deleted_by_its_id_and_never_by_name_and_id(bench: Bench) -> None:
    topic_id = bench.node.create_topic("t", 1).topic_id.bytes

    def delete(**given: object) -> int:
        request = DeleteTopicsRequest(topics=[DeleteTopicState(**given)])  # type: ignore[arg-type]
        return int(bench.ask(DELETE_TOPICS, 6, request).responses[0].error_code)

    assert delete(name="t", topic_id=topic_id) == ErrorCode.INVALID_REQUEST
    assert delete() == ErrorCode.INVALID_REQUEST
    assert delete(topic_id=topic_id) == ErrorCode.NONE
    assert delete(topic_id=topic_id) == ErrorCode.UNKNOWN_TOPIC_ID
