"""SaslAuthenticate 0-2: one step of a login, from version 1 on with how long it counts (KIP-368). Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.sasl_authenticate import (
    SASL_AUTHENTICATE,
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: SaslAuthenticateRequest, call: Call) -> SaslAuthenticateResponse | None:
    gate = call.origin.gate
    if gate is None:
        told = "SaslAuthenticate request received after successful authentication, or where there is none"
        return SaslAuthenticateResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE, error_message=told)
    gate.authenticate(call, request)
    return None


HANDLER = MessageHandler(SASL_AUTHENTICATE, 0, 2, _answer)
