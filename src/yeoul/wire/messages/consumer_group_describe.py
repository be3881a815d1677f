"""ConsumerGroupDescribe: state, members and assignments of groups of the consumer protocol (KIP-848)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, boolean, int8, int16, int32, string, struct_of, uuid


class ConsumerGroupDescribeRequest(Message):
    group_ids: list[str] = array(string)
    include_authorized_operations: bool = boolean()


class TopicPartitions(Message):
    topic_id: bytes = uuid()
    topic_name: str = string()
    partitions: list[int] = array(int32)


class Assignment(Message):
    topic_partitions: list[TopicPartitions] = array(TopicPartitions)


class Member(Message):
    member_id: str = string()
    instance_id: str | None = string(null="0+", default=None)
    rack_id: str | None = string(null="0+", default=None)
    member_epoch: int = int32()
    client_id: str = string()
    client_host: str = string()
    subscribed_topic_names: list[str] = array(string)
    subscribed_topic_regex: str | None = string(null="0+", default=None)
    assignment: Assignment = struct_of(Assignment)
    target_assignment: Assignment = struct_of(Assignment)
    member_type: int = int8("1+", default=-1)


class DescribedGroup(Message):
    error_code: int = int16()
    error_message: str | None = string(null="0+", default=None)
    group_id: str = string()
    group_state: str = string()
    group_epoch: int = int32()
    assignment_epoch: int = int32()
    assignor_name: str = string()
    members: list[Member] = array(Member)
    authorized_operations: int = int32(default=-2_147_483_648)


class ConsumerGroupDescribeResponse(Message):
    throttle_time_ms: int = int32()
    groups: list[DescribedGroup] = array(DescribedGroup)


CONSUMER_GROUP_DESCRIBE = Api(
    69, "ConsumerGroupDescribe", 0, 1, 0, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse
)
