"""ConsumerGroupHeartbeat 0-1: a member of a consumer group joins, stays, reconciles or leaves (KIP-848).

Deviations: members are asked to come every 500 ms, and sooner while a group is being formed; expressions never mean the
broker's internal topics.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups.consumer.messages import ConsumerHeartbeatReply, ConsumerHeartbeatRequest
from yeoul.broker.groups.consumer.topics import Partitions
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.consumer_group_heartbeat import (
    CONSUMER_GROUP_HEARTBEAT,
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

__all__ = ["HANDLER"]

_OWN_MEMBER_ID_FROM = 1


def _answer(node: Node, request: ConsumerGroupHeartbeatRequest, call: Call) -> ConsumerGroupHeartbeatResponse | None:
    refusal = _refusal(node, request, call)
    if refusal:
        return ConsumerGroupHeartbeatResponse(error_code=refusal)
    names, owned = request.subscribed_topic_names, request.topic_partitions
    own_settings = node.settings.overrides.groups.get(request.group_id, {})

    def make(request_id: int) -> ConsumerHeartbeatRequest:
        return ConsumerHeartbeatRequest(
            request_id=request_id,
            group_id=request.group_id,
            member_id=request.member_id,
            new_member_id="" if request.member_id else str(uuid.uuid4()),
            member_epoch=request.member_epoch,
            instance_id=request.instance_id,
            rack_id=request.rack_id,
            client_id=call.client_id or "",
            client_host=f"/{call.origin.peer_host}",
            rebalance_timeout_ms=None if request.rebalance_timeout_ms < 0 else request.rebalance_timeout_ms,
            topic_names=None if names is None else tuple(names),
            topic_regex=request.subscribed_topic_regex,
            server_assignor=request.server_assignor,
            owned=None if owned is None else _flat(owned),
            own_member_id=call.version >= _OWN_MEMBER_ID_FROM,
            session_timeout_ms=_number(own_settings, "consumer.session.timeout.ms"),
            heartbeat_interval_ms=_number(own_settings, "consumer.heartbeat.interval.ms"),
        )

    node.groups.ask_about_topics(
        make, ConsumerHeartbeatReply, lambda reply: call.answer(CONSUMER_GROUP_HEARTBEAT, _response(reply))
    )
    return None


def _refusal(node: Node, request: ConsumerGroupHeartbeatRequest, call: Call) -> ErrorCode:
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return ErrorCode.GROUP_AUTHORIZATION_FAILED
    for name in request.subscribed_topic_names or ():
        if not node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, name):
            return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return ErrorCode.NONE


def _number(settings: Mapping[str, str], name: str) -> int | None:
    value = settings.get(name)
    return None if value is None else int(value)


def _flat(owned: Iterable[TopicPartitions]) -> Partitions:
    return frozenset((each.topic_id, number) for each in owned for number in each.partitions)


def _response(reply: ConsumerHeartbeatReply) -> ConsumerGroupHeartbeatResponse:
    return ConsumerGroupHeartbeatResponse(
        error_code=reply.error,
        error_message=reply.message,
        member_id=reply.member_id or None,
        member_epoch=reply.member_epoch,
        heartbeat_interval_ms=reply.heartbeat_interval_ms,
        assignment=None if reply.assignment is None else _by_topic(reply.assignment),
    )


def _by_topic(partitions: Partitions) -> Assignment:
    numbers: dict[bytes, list[int]] = {}
    for topic_id, number in sorted(partitions):
        numbers.setdefault(topic_id, []).append(number)
    return Assignment(
        topic_partitions=[TopicPartitions(topic_id=topic_id, partitions=held) for topic_id, held in numbers.items()]
    )


HANDLER = MessageHandler(CONSUMER_GROUP_HEARTBEAT, 0, 1, _answer)
