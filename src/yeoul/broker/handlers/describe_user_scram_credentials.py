"""DescribeUserScramCredentials 0: which users have a password for SCRAM, never its keys. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_user_scram_credentials import (
    DESCRIBE_USER_SCRAM_CREDENTIALS,
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)

__all__ = ["HANDLER"]


def _answer(
    node: Node, request: DescribeUserScramCredentialsRequest, call: Call
) -> DescribeUserScramCredentialsResponse:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER):
        return DescribeUserScramCredentialsResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED, error_message="Cluster authorization failed."
        )
    users = node.guard.users.by_name
    names = [user.name for user in request.users or ()] or [name for name in users if users[name].credentials]
    return DescribeUserScramCredentialsResponse(
        error_message=None, results=[_describe(node, name, names.count(name) > 1) for name in dict.fromkeys(names)]
    )


def _describe(node: Node, name: str, repeated: bool) -> DescribeUserScramCredentialsResult:
    if repeated:
        return DescribeUserScramCredentialsResult(
            user=name,
            error_code=ErrorCode.DUPLICATE_RESOURCE,
            error_message=f"Cannot describe SCRAM credentials for the same user twice in a single request: {name}",
        )
    user = node.guard.users.by_name.get(name)
    if user is None or not user.credentials:
        return DescribeUserScramCredentialsResult(
            user=name,
            error_code=ErrorCode.RESOURCE_NOT_FOUND,
            error_message=f"Attempt to describe a user credential that does not exist: {name}",
        )
    return DescribeUserScramCredentialsResult(
        user=name,
        error_message=None,
        credential_infos=[
            CredentialInfo(mechanism=mechanism, iterations=kept.iterations)
            for mechanism, kept in sorted(user.credentials.items())
        ],
    )


HANDLER = MessageHandler(DESCRIBE_USER_SCRAM_CREDENTIALS, 0, 0, _answer)
