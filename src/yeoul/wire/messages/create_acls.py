"""CreateAcls: who may, or may not, do what to which resources."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int8, int16, int32, string


class AclCreation(Message):
    resource_type: int = int8()
    resource_name: str = string()
    resource_pattern_type: int = int8(default=3)
    principal: str = string()
    host: str = string()
    operation: int = int8()
    permission_type: int = int8()


class CreateAclsRequest(Message):
    creations: list[AclCreation] = array(AclCreation)


class AclCreationResult(Message):
    error_code: int = int16()
    error_message: str | None = string(null="0+")


class CreateAclsResponse(Message):
    throttle_time_ms: int = int32()
    results: list[AclCreationResult] = array(AclCreationResult)


CREATE_ACLS = Api(30, "CreateAcls", 1, 3, 2, CreateAclsRequest, CreateAclsResponse)
