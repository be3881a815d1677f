"""DeleteAcls 1-3: removes the access control lists that filters find, durable before the answer and in force with it.

Deviations: none.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.handlers.describe_acls import read_filter
from yeoul.broker.node import Node
from yeoul.broker.security.acls import Acl
from yeoul.broker.security.operations import Operation
from yeoul.errors import UserError, YeoulError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.delete_acls import (
    DELETE_ACLS,
    DeleteAclsFilter,
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DeleteAclsRequest, call: Call) -> DeleteAclsResponse:
    refusal = node.acl_refusal(call, Operation.ALTER)
    if refusal is not None:
        return _refused(request, *refusal)
    unwanted: dict[Acl, None] = {}
    results = [_find(node, each, unwanted) for each in request.filters]
    try:
        node.guard.remove_acls(unwanted)
    except YeoulError as error:
        return _refused(request, ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    return DeleteAclsResponse(filter_results=results)


def _find(node: Node, wanted: DeleteAclsFilter, unwanted: dict[Acl, None]) -> DeleteAclsFilterResult:
    try:
        found = node.guard.find_acls(read_filter(wanted))
    except UserError as error:
        return DeleteAclsFilterResult(error_code=ErrorCode.INVALID_REQUEST, error_message=error.message)
    unwanted |= dict.fromkeys(found)
    return DeleteAclsFilterResult(
        error_message=None,
        matching_acls=[
            DeleteAclsMatchingAcl(
                error_message=None,
                resource_type=acl.resource_type,
                resource_name=acl.name,
                pattern_type=acl.pattern,
                principal=acl.principal,
                host=acl.host,
                operation=acl.operation,
                permission_type=acl.permission,
            )
            for acl in found
        ],
    )


def _refused(request: DeleteAclsRequest, code: ErrorCode, message: str) -> DeleteAclsResponse:
    return DeleteAclsResponse(
        filter_results=[DeleteAclsFilterResult(error_code=code, error_message=message) for _ in request.filters]
    )


HANDLER = MessageHandler(DELETE_ACLS, 1, 3, _answer)
