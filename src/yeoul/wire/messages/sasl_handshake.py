"""SaslHandshake: a client names the SASL mechanism that it wants to log in with."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, array, int16, string


class SaslHandshakeRequest(Message):
    mechanism: str = string()


class SaslHandshakeResponse(Message):
    error_code: int = int16()
    mechanisms: list[str] = array(string)


SASL_HANDSHAKE = Api(17, "SaslHandshake", 0, 1, 2, SaslHandshakeRequest, SaslHandshakeResponse)
