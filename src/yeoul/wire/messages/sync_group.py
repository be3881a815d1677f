"""SyncGroup: the leader hands over the assignment, each member receives its own."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, data, int16, int32, string


class SyncGroupRequestAssignment(Message):
    member_id: str = string()
    assignment: bytes = data()


class SyncGroupRequest(Message):
    group_id: str = string()
    generation_id: int = int32()
    member_id: str = string()
    group_instance_id: str | None = string("3+", null="3+", default=None)
    protocol_type: str | None = string("5+", null="5+", default=None)
    protocol_name: str | None = string("5+", null="5+", default=None)
    assignments: list[SyncGroupRequestAssignment] = array(SyncGroupRequestAssignment)


class SyncGroupResponse(Message):
    throttle_time_ms: int = int32("1+")
    error_code: int = int16()
    protocol_type: str | None = string("5+", null="5+", default=None)
    protocol_name: str | None = string("5+", null="5+", default=None)
    assignment: bytes = data()


SYNC_GROUP = Api(14, "SyncGroup", 0, 5, 4, SyncGroupRequest, SyncGroupResponse)
