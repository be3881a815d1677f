"""DescribeAcls 1-3: the access control lists that a filter finds, by resource. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.acls import Acl, AclFilter, Pattern, Permission
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import UserError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.delete_acls import DeleteAclsFilter
from yeoul.wire.messages.describe_acls import (
    DESCRIBE_ACLS,
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)

__all__ = ["HANDLER", "read_filter"]


def read_filter(request: DescribeAclsRequest | DeleteAclsFilter) -> AclFilter:
    """Returns what a request looks for.

    Raises:
        UserError: Something in it is not known.
    """
    try:
        wanted = AclFilter(
            ResourceType(request.resource_type_filter),
            request.resource_name_filter,
            Pattern(request.pattern_type_filter),
            request.principal_filter,
            request.host_filter,
            Operation(request.operation),
            Permission(request.permission_type),
        )
    except ValueError as error:
        raise UserError(f"The filter holds what is not known: {error}") from None
    wanted.check()
    return wanted


def _answer(node: Node, request: DescribeAclsRequest, call: Call) -> DescribeAclsResponse:
    refusal = node.acl_refusal(call, Operation.DESCRIBE)
    if refusal is not None:
        return DescribeAclsResponse(error_code=refusal[0], error_message=refusal[1])
    try:
        found = node.guard.find_acls(read_filter(request))
    except UserError as error:
        return DescribeAclsResponse(error_code=ErrorCode.INVALID_REQUEST, error_message=error.message)
    by_resource: dict[tuple[ResourceType, str, Pattern], list[Acl]] = {}
    for acl in found:
        by_resource.setdefault((acl.resource_type, acl.name, acl.pattern), []).append(acl)
    return DescribeAclsResponse(
        error_message=None,
        resources=[
            DescribeAclsResource(
                resource_type=kind,
                resource_name=name,
                pattern_type=pattern,
                acls=[
                    AclDescription(
                        principal=acl.principal,
                        host=acl.host,
                        operation=acl.operation,
                        permission_type=acl.permission,
                    )
                    for acl in acls
                ],
            )
            for (kind, name, pattern), acls in by_resource.items()
        ],
    )


HANDLER = MessageHandler(DESCRIBE_ACLS, 1, 3, _answer)
