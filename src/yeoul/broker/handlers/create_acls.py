"""CreateAcls 1-3: adds access control lists, durable before the answer and in force with it. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.acls import Acl, Pattern, Permission
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.create_acls import (
    CREATE_ACLS,
    AclCreation,
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: CreateAclsRequest, call: Call) -> CreateAclsResponse:
    refusal = node.acl_refusal(call, Operation.ALTER)
    if refusal is not None:
        return _refused(request, *refusal)
    results, wanted = [], []
    for creation in request.creations:
        try:
            acl = _read(creation)
            acl.check()
            wanted.append(acl)
            results.append(AclCreationResult(error_message=None))
        except (YeoulError, ValueError) as error:
            told = error.message if isinstance(error, YeoulError) else str(error)
            results.append(AclCreationResult(error_code=ErrorCode.INVALID_REQUEST, error_message=told))
    try:
        node.guard.add_acls(wanted)
    except YeoulError as error:
        return _refused(request, ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    return CreateAclsResponse(results=results)


def _refused(request: CreateAclsRequest, code: ErrorCode, message: str) -> CreateAclsResponse:
    return CreateAclsResponse(
        results=[AclCreationResult(error_code=code, error_message=message) for _ in request.creations]
    )


def _read(creation: AclCreation) -> Acl:
    """Raises ValueError when a number is not known."""
    return Acl(
        ResourceType(creation.resource_type),
        creation.resource_name,
        Pattern(creation.resource_pattern_type),
        creation.principal,
        creation.host,
        Operation(creation.operation),
        Permission(creation.permission_type),
    )


HANDLER = MessageHandler(CREATE_ACLS, 1, 3, _answer)
