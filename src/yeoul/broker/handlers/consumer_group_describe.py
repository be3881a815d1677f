"""ConsumerGroupDescribe 0-1: state, members and assignments of consumer groups (KIP-848). Deviations: none."""

from __future__ import annotations

import uuid

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.consumer.group import ConsumerGroupDescription, ConsumerMemberDescription
from yeoul.broker.groups.consumer.topics import Partitions
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.consumer_group_describe import (
    CONSUMER_GROUP_DESCRIBE,
    Assignment,
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
    Member,
    TopicPartitions,
)

__all__ = ["HANDLER"]

_CONSUMER_MEMBER = 1


def _answer(node: Node, request: ConsumerGroupDescribeRequest, call: Call) -> ConsumerGroupDescribeResponse:
    described = [_describe(node, group_id, call) for group_id in request.group_ids]
    if request.include_authorized_operations:
        for group in described:
            if group.error_code != ErrorCode.GROUP_AUTHORIZATION_FAILED:
                group.authorized_operations = node.authorized_operations(call, ResourceType.GROUP, group.group_id)
    return ConsumerGroupDescribeResponse(groups=described)


def _describe(node: Node, group_id: str, call: Call) -> DescribedGroup:
    if not group_id:
        return DescribedGroup(group_id=group_id, error_code=ErrorCode.INVALID_GROUP_ID)
    if not node.allows(call, Operation.DESCRIBE, ResourceType.GROUP, group_id):
        return DescribedGroup(group_id=group_id, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    group = node.groups.coordinator.describe_consumer_group(group_id)
    if group is None:
        message = f"Group {group_id} is not a consumer group, or there is none of that name"
        return DescribedGroup(group_id=group_id, error_code=ErrorCode.GROUP_ID_NOT_FOUND, error_message=message)
    return _described(node, group)


def _described(node: Node, group: ConsumerGroupDescription) -> DescribedGroup:
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=group.assignor,
        members=[_member(node, member) for member in group.members],
    )


def _member(node: Node, member: ConsumerMemberDescription) -> Member:
    subscription = member.subscription
    return Member(
        member_id=member.member_id,
        instance_id=subscription.instance_id,
        rack_id=subscription.rack_id,
        member_epoch=member.standing.member_epoch,
        client_id=subscription.client_id,
        client_host=subscription.client_host,
        subscribed_topic_names=list(subscription.topic_names),
        subscribed_topic_regex=subscription.topic_regex or None,
        assignment=_named(node, member.standing.assigned),
        target_assignment=_named(node, member.target),
        member_type=_CONSUMER_MEMBER,
    )


def _named(node: Node, partitions: Partitions) -> Assignment:
    """The partitions by topic; a topic that was deleted meanwhile has no name and is left out, as in Kafka."""
    numbers: dict[bytes, list[int]] = {}
    for topic_id, number in sorted(partitions):
        numbers.setdefault(topic_id, []).append(number)
    found = ((node.log.topic_by_id(uuid.UUID(bytes=topic_id)), topic_id, held) for topic_id, held in numbers.items())
    return Assignment(
        topic_partitions=[
            TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=held)
            for topic, topic_id, held in found
            if topic is not None
        ]
    )


HANDLER = MessageHandler(CONSUMER_GROUP_DESCRIBE, 0, 1, _answer)
