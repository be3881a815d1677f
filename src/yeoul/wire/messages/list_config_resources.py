"""ListConfigResources: the names of what has settings; version 0 is ListClientMetricsResources (KIP-714, KIP-1142)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int8, int16, int32, string


class ListConfigResourcesRequest(Message):
    resource_types: list[int] = array(int8, "1+")


class ConfigResource(Message):
    resource_name: str = string()
    resource_type: int = int8("1+", default=16)


class ListConfigResourcesResponse(Message):
    throttle_time_ms: int = int32()
    error_code: int = int16()
    config_resources: list[ConfigResource] = array(ConfigResource)


LIST_CONFIG_RESOURCES = Api(74, "ListConfigResources", 0, 1, 0, ListConfigResourcesRequest, ListConfigResourcesResponse)
