"""SaslHandshake 0-1: the mechanism that a peer will log in with. After version 0 the tokens stand bare in their frames.

Deviations: a peer that does not have to log in, or has done so for good, gets ILLEGAL_SASL_STATE.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.sasl_handshake import SASL_HANDSHAKE, SaslHandshakeRequest, SaslHandshakeResponse

__all__ = ["HANDLER"]


def _answer(node: Node, request: SaslHandshakeRequest, call: Call) -> SaslHandshakeResponse | None:
    gate = call.origin.gate
    if gate is None:
        return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE)
    gate.shake_hands(call, request)
    return None


HANDLER = MessageHandler(SASL_HANDSHAKE, 0, 1, _answer)
