"""Heartbeat: a member of a classic group is alive."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, int16, int32, string


class HeartbeatRequest(Message):
    group_id: str = string()
    generation_id: int = int32()
    member_id: str = string()
    group_instance_id: str | None = string("3+", null="3+", default=None)


class HeartbeatResponse(Message):
    throttle_time_ms: int = int32("1+")
    error_code: int = int16()


HEARTBEAT = Api(12, "Heartbeat", 0, 4, 4, HeartbeatRequest, HeartbeatResponse)
