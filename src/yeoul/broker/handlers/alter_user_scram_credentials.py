"""AlterUserScramCredentials 0: sets and removes users' passwords, durable before the answer (KIP-554).

A user's changes are made all or none. Deviations: a user without a credential left is gone, unless it is a super user.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.security.scram import FEWEST_ITERATIONS, MOST_ITERATIONS, ScramCredential, ScramMechanism
from yeoul.broker.security.users import User, check_name
from yeoul.errors import UserError, YeoulError
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.alter_user_scram_credentials import (
    ALTER_USER_SCRAM_CREDENTIALS,
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)

__all__ = ["HANDLER"]

_Change = ScramCredentialDeletion | ScramCredentialUpsertion
_LARGEST_SALT_BYTES = 1_024
_LARGEST_SALTED_PASSWORD_BYTES = 1_024


def _answer(node: Node, request: AlterUserScramCredentialsRequest, call: Call) -> AlterUserScramCredentialsResponse:
    changes: dict[str, list[_Change]] = {}
    wanted_changes: list[_Change] = [*request.deletions, *request.upsertions]
    for change in wanted_changes:
        changes.setdefault(change.name, []).append(change)
    if not node.allows(call, Operation.ALTER, ResourceType.CLUSTER):
        refusal = (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")
        return _response(dict.fromkeys(changes, refusal))
    results: dict[str, tuple[ErrorCode, str | None]] = {}
    changed: dict[str, User] = {}
    for name, wanted in changes.items():
        try:
            changed[name] = _changed(node.guard.users.by_name.get(name) or User(name), wanted)
            results[name] = (ErrorCode.NONE, None)
        except ProtocolError as error:
            results[name] = (error.code, error.message)
    kept = [user for user in changed.values() if user.credentials or user.is_super]
    gone = [user.name for user in changed.values() if not (user.credentials or user.is_super)]
    try:
        if changed:
            node.guard.change_users(kept, gone)
    except YeoulError as error:
        results |= dict.fromkeys(changed, (ErrorCode.KAFKA_STORAGE_ERROR, error.message))
    return _response(results)


def _changed(user: User, changes: list[_Change]) -> User:
    """Returns the user as it will be.

    Raises:
        ProtocolError: A change cannot be made.
    """
    if len({change.mechanism for change in changes}) < len(changes):
        message = "A user credential cannot be altered twice in the same request"
        raise ProtocolError(ErrorCode.DUPLICATE_RESOURCE, message)
    for change in changes:
        try:
            check_name(user.name)
            mechanism = ScramMechanism(change.mechanism)
        except UserError as error:
            raise ProtocolError(ErrorCode.UNACCEPTABLE_CREDENTIAL, error.message) from None
        except ValueError:
            raise ProtocolError(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism") from None
        if isinstance(change, ScramCredentialUpsertion):
            _check(change)
            user = user.with_credential(
                ScramCredential.of_salted(mechanism, change.salt, change.iterations, change.salted_password)
            )
        elif mechanism in user.credentials:
            user = user.without(mechanism)
        else:
            message = "Attempt to delete a user credential that does not exist"
            raise ProtocolError(ErrorCode.RESOURCE_NOT_FOUND, message)
    return user


def _check(change: ScramCredentialUpsertion) -> None:
    unacceptable = ErrorCode.UNACCEPTABLE_CREDENTIAL
    if change.iterations < FEWEST_ITERATIONS:
        raise ProtocolError(unacceptable, f"Too few iterations: expected {FEWEST_ITERATIONS} or more")
    if change.iterations > MOST_ITERATIONS:
        raise ProtocolError(unacceptable, f"Too many iterations: expected {MOST_ITERATIONS} or fewer")
    if not 0 < len(change.salt) <= _LARGEST_SALT_BYTES:
        raise ProtocolError(unacceptable, f"Expected a salt of 1 to {_LARGEST_SALT_BYTES} bytes")
    if not 0 < len(change.salted_password) <= _LARGEST_SALTED_PASSWORD_BYTES:
        message = f"Expected a salted password of 1 to {_LARGEST_SALTED_PASSWORD_BYTES} bytes"
        raise ProtocolError(unacceptable, message)


def _response(results: dict[str, tuple[ErrorCode, str | None]]) -> AlterUserScramCredentialsResponse:
    return AlterUserScramCredentialsResponse(
        results=[
            AlterUserScramCredentialsResult(user=name, error_code=code, error_message=message)
            for name, (code, message) in results.items()
        ]
    )


HANDLER = MessageHandler(ALTER_USER_SCRAM_CREDENTIALS, 0, 0, _answer)
