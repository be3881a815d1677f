"""DeleteGroups: empty groups to delete, with their committed offsets."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int16, int32, string


class DeleteGroupsRequest(Message):
    groups_names: list[str] = array(string)


class DeletableGroupResult(Message):
    group_id: str = string()
    error_code: int = int16()


class DeleteGroupsResponse(Message):
    throttle_time_ms: int = int32()
    results: list[DeletableGroupResult] = array(DeletableGroupResult)


DELETE_GROUPS = Api(42, "DeleteGroups", 0, 2, 2, DeleteGroupsRequest, DeleteGroupsResponse)
