"""Heartbeats that are refused: what is wrong with them on their face, and how a step says no.

Callers: `group`, the coordinator.
"""

from __future__ import annotations

from collections.abc import Collection

from yeoul.broker.groups.consumer.messages import (
    JOIN_EPOCH,
    LEAVE_EPOCH,
    STATIC_LEAVE_EPOCH,
    ConsumerHeartbeatRequest,
)
from yeoul.broker.groups.consumer.topic_pattern import PatternRefused, TopicPattern
from yeoul.wire.errors import ErrorCode

__all__ = ["Refused", "check_request"]


class Refused(Exception):
    """A step that does not happen; it never leaves the coordinator."""

    def __init__(self, error: ErrorCode, message: str) -> None:
        self.error = error
        self.message = message
        super().__init__(message)


def check_request(request: ConsumerHeartbeatRequest, assignors: Collection[str]) -> None:
    """Raises Refused when a heartbeat could not be right in any group."""
    reason = _malformed(request)
    if reason is not None:
        raise Refused(ErrorCode.INVALID_REQUEST, reason)
    if request.server_assignor is not None and request.server_assignor not in assignors:
        known = ", ".join(assignors)
        message = f"ServerAssignor {request.server_assignor!r} is not supported. Supported assignors: {known}"
        raise Refused(ErrorCode.UNSUPPORTED_ASSIGNOR, message)
    if request.topic_regex:
        try:
            TopicPattern.parse(request.topic_regex)
        except PatternRefused as refused:
            raise Refused(ErrorCode.INVALID_REGULAR_EXPRESSION, str(refused)) from None


def _malformed(request: ConsumerHeartbeatRequest) -> str | None:
    if not request.group_id:
        return "GroupId can't be empty"
    if request.instance_id == "":
        return "InstanceId can't be empty"
    if request.rack_id == "":
        return "RackId can't be empty"
    if not request.member_id and (request.own_member_id or request.member_epoch != JOIN_EPOCH):
        return "MemberId can't be empty"
    if request.member_epoch == JOIN_EPOCH:
        return _malformed_join(request)
    if request.member_epoch == STATIC_LEAVE_EPOCH and request.instance_id is None:
        return "InstanceId can't be null"
    if request.member_epoch < 0 and request.member_epoch not in (LEAVE_EPOCH, STATIC_LEAVE_EPOCH):
        return f"MemberEpoch {request.member_epoch} is invalid"
    return None


def _malformed_join(request: ConsumerHeartbeatRequest) -> str | None:
    if request.rebalance_timeout_ms is None:
        return "RebalanceTimeoutMs must be provided in first request"
    if request.owned is None or request.owned:
        return "TopicPartitions must be empty when (re-)joining"
    if request.topic_names is None and not request.topic_regex:
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining"
    return None
