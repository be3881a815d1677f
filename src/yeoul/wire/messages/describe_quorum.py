"""DescribeQuorum: who votes on the cluster's metadata, and how far each has read them (KIP-595, KIP-836)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int16, int32, int64, string, uint16, uuid


class PartitionData(Message):
    partition_index: int = int32()


class TopicData(Message):
    topic_name: str = string()
    partitions: list[PartitionData] = array(PartitionData)


class DescribeQuorumRequest(Message):
    topics: list[TopicData] = array(TopicData)


class ReplicaState(Message):
    replica_id: int = int32()
    replica_directory_id: bytes = uuid("2+")
    log_end_offset: int = int64()
    last_fetch_timestamp: int = int64("1+", default=-1)
    last_caught_up_timestamp: int = int64("1+", default=-1)


class QuorumPartition(Message):
    partition_index: int = int32()
    error_code: int = int16()
    error_message: str | None = string("2+", null="2+", default=None)
    leader_id: int = int32()
    leader_epoch: int = int32()
    high_watermark: int = int64()
    current_voters: list[ReplicaState] = array(ReplicaState)
    observers: list[ReplicaState] = array(ReplicaState)


class QuorumTopic(Message):
    topic_name: str = string()
    partitions: list[QuorumPartition] = array(QuorumPartition)


class Listener(Message):
    name: str = string("2+")
    host: str = string("2+")
    port: int = uint16("2+")


class Node(Message):
    node_id: int = int32("2+")
    listeners: list[Listener] = array(Listener, "2+")


class DescribeQuorumResponse(Message):
    error_code: int = int16()
    error_message: str | None = string("2+", null="2+", default=None)
    topics: list[QuorumTopic] = array(QuorumTopic)
    nodes: list[Node] = array(Node, "2+")


DESCRIBE_QUORUM = Api(55, "DescribeQuorum", 0, 2, 0, DescribeQuorumRequest, DescribeQuorumResponse)
