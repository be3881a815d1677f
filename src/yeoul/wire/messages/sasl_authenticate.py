"""SaslAuthenticate: one step of a SASL login, there and back (KIP-152)."""

from __future__ import annotations

from yeoul.wire.schema import Api, Message, data, int16, int64, string


class SaslAuthenticateRequest(Message):
    auth_bytes: bytes = data()

    def __repr__(self) -> str:
        return f"SaslAuthenticateRequest(<{len(self.auth_bytes)} bytes>)"


class SaslAuthenticateResponse(Message):
    error_code: int = int16()
    error_message: str | None = string(null="0+")
    auth_bytes: bytes = data()
    session_lifetime_ms: int = int64("1+")


SASL_AUTHENTICATE = Api(36, "SaslAuthenticate", 0, 2, 2, SaslAuthenticateRequest, SaslAuthenticateResponse)
