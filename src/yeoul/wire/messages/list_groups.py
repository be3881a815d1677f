"""ListGroups: the groups that this broker coordinates."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int16, int32, string


class ListGroupsRequest(Message):
    states_filter: list[str] = array(string, "4+")
    types_filter: list[str] = array(string, "5+")


class ListedGroup(Message):
    group_id: str = string()
    protocol_type: str = string()
    group_state: str = string("4+")
    group_type: str = string("5+")


class ListGroupsResponse(Message):
    throttle_time_ms: int = int32("1+")
    error_code: int = int16()
    groups: list[ListedGroup] = array(ListedGroup)


LIST_GROUPS = Api(16, "ListGroups", 0, 5, 3, ListGroupsRequest, ListGroupsResponse)
