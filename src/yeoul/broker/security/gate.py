"""The login of one connection: what it may ask before, who it is after, and for how long (SASL).

Owns the state of the login. Invariants: before it, only ApiVersions, SaslHandshake and SaslAuthenticate are let
through, in frames of bounded size, and not for longer than half a minute; while one step is being checked the next
request waits; a refused login is answered after a delay, without saying what was wrong, and ends the connection; a
login that is renewed (KIP-368) stays the same user by the same mechanism. Callers: `connection`, the handlers of the
two SASL APIs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

from yeoul.broker.security.plain import PLAIN, read_plain
from yeoul.broker.security.scram import SaslFailure, ScramExchange, ScramMechanism
from yeoul.broker.security.session import user_principal
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.sasl_authenticate import (
    SASL_AUTHENTICATE,
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)
from yeoul.wire.messages.sasl_handshake import SASL_HANDSHAKE, SaslHandshakeRequest, SaslHandshakeResponse

if TYPE_CHECKING:
    from yeoul.broker.call import Call
    from yeoul.broker.node import Node

__all__ = ["LARGEST_LOGIN_FRAME_BYTES", "Gate"]

LARGEST_LOGIN_FRAME_BYTES = 32 << 10
_LOGIN_TIMEOUT_S = 30.0
_FAREWELL_S = 0.1
_FRAMED_FROM = 1
_API_VERSIONS_KEY = 18
_LOGIN_KEYS = frozenset({_API_VERSIONS_KEY, SASL_HANDSHAKE.key, SASL_AUTHENTICATE.key})
_LENGTH = struct.Struct(">i")
_NONCE_BYTES = 24

_log = logging.getLogger("yeoul.broker.authentication")


class _State(Enum):
    """Where a login is."""

    WAITING_FOR_HANDSHAKE = auto()
    WAITING_FOR_TOKEN = auto()
    ENDED = auto()


class Gate:
    """One connection's way in.

    Args:
        node: The broker.
        host: Where the peer is.
        mechanisms: What its listener offers.
        opened: Called with the principal when the peer has proved who it is, each time.
        resume: Called when requests may be served again that had to wait.
        close: Called to end the connection, once what is answered is sent.

    Attributes:
        is_busy: Whether the next request has to wait.
        is_open: Whether the peer has logged in.
        expects_token: Whether the next frame is a bare SASL token, as after version 0 of SaslHandshake.
    """

    def __init__(
        self,
        node: Node,
        host: str,
        mechanisms: Sequence[str],
        opened: Callable[[str], None],
        resume: Callable[[], None],
        close: Callable[[], None],
    ) -> None:
        self.is_busy = False
        self.is_open = False
        self.expects_token = False
        self._node = node
        self._host = host
        self._mechanisms = tuple(mechanisms)
        self._opened = opened
        self._resume = resume
        self._close = close
        self._state = _State.WAITING_FOR_HANDSHAKE
        self._mechanism = ""
        self._scram: ScramExchange | None = None
        self._user = ""
        self._held_by: tuple[str, str] | None = None
        self._expires_s: float | None = None
        self._timer: asyncio.TimerHandle | None = node.loop.call_later(_LOGIN_TIMEOUT_S, self._time_out)

    @property
    def is_needed(self) -> bool:
        """Whether requests have to be shown to it: until the login, and after one that does not last for ever."""
        return not self.is_open or self._expires_s is not None

    def admit(self, api_key: int) -> None:
        """Lets a request through.

        Raises:
            ProtocolError: It may not pass: the connection is closed.
        """
        if api_key in _LOGIN_KEYS:
            return
        if not self.is_open:
            raise ProtocolError(ErrorCode.ILLEGAL_SASL_STATE, f"Expected a login, got a request for API {api_key}")
        if self._expires_s is not None and self._node.loop.time() >= self._expires_s:
            raise ProtocolError(ErrorCode.ILLEGAL_SASL_STATE, f"The login of {self._held_by!r} has expired")

    def abandon(self) -> None:
        """The connection is gone."""
        self._state = _State.ENDED
        self._stop_timer()

    # -- requests -----------------------------------------------------------------------------------------------

    def shake_hands(self, call: Call, request: SaslHandshakeRequest) -> None:
        """Takes the mechanism that the peer wants to log in with."""
        if self._state is not _State.WAITING_FOR_HANDSHAKE:
            raise ProtocolError(ErrorCode.ILLEGAL_SASL_STATE, "A SaslHandshake in the middle of a login")
        response = SaslHandshakeResponse(mechanisms=list(self._mechanisms))
        if request.mechanism not in self._mechanisms:
            response.error_code = ErrorCode.UNSUPPORTED_SASL_MECHANISM
            call.answer(SASL_HANDSHAKE, response)
            _log.warning("Refused a login from %s: mechanism %.40r is not offered", self._host, request.mechanism)
            self._say_farewell()
            return
        self._mechanism, self._scram = request.mechanism, None
        self._state = _State.WAITING_FOR_TOKEN
        self.expects_token = call.version < _FRAMED_FROM
        call.answer(SASL_HANDSHAKE, response)

    def authenticate(self, call: Call, request: SaslAuthenticateRequest) -> None:
        """Takes a step of the login."""
        if self._state is not _State.WAITING_FOR_TOKEN:
            raise ProtocolError(ErrorCode.ILLEGAL_SASL_STATE, "A SaslAuthenticate without a SaslHandshake before it")

        def tell(token: bytes, lifetime_ms: int) -> None:
            call.answer(
                SASL_AUTHENTICATE,
                SaslAuthenticateResponse(error_message=None, auth_bytes=token, session_lifetime_ms=lifetime_ms),
            )

        def refuse() -> None:
            told = f"Authentication failed during authentication due to invalid credentials with {self._mechanism}"
            failed = ErrorCode.SASL_AUTHENTICATION_FAILED
            call.answer(SASL_AUTHENTICATE, SaslAuthenticateResponse(error_code=failed, error_message=told))

        self._step(request.auth_bytes, tell, refuse)

    def take_token(self, call: Call, token: bytes) -> None:
        """Takes a step of a login whose tokens stand bare in their frames."""

        def tell(reply: bytes, lifetime_ms: int) -> None:
            call.answer_parts((_LENGTH.pack(len(reply)) + reply,))

        self._step(token, tell, lambda: call.answer_parts(()))

    # -- steps --------------------------------------------------------------------------------------------------

    def _step(self, token: bytes, tell: Callable[[bytes, int], None], refuse: Callable[[], None]) -> None:
        try:
            if self._mechanism == PLAIN:
                self._check_plain(token, tell, refuse)
            elif self._scram is None:
                mechanism, users = ScramMechanism.of(self._mechanism), self._node.guard.users
                scram = ScramExchange(
                    mechanism, lambda user: users.credential(user, mechanism), secrets.token_urlsafe(_NONCE_BYTES)
                )
                self._user, reply = scram.first(token)
                self._scram = scram
                tell(reply, 0)
            else:
                reply = self._scram.final(token)
                self._succeed(reply, tell, refuse)
        except SaslFailure as failure:
            self._fail(failure.message, refuse)

    def _check_plain(self, token: bytes, tell: Callable[[bytes, int], None], refuse: Callable[[], None]) -> None:
        """Hashing a password takes milliseconds: a thread's, not the loop's."""
        login = read_plain(token)
        self._user, self.is_busy = login.user, True
        users = self._node.guard.users

        def checked(right: bool | BaseException) -> None:
            if self._state is _State.ENDED:
                return
            self.is_busy = False
            if right is True:
                self._succeed(b"", tell, refuse)
            else:
                self._fail("Wrong user or password" if right is False else f"It could not be checked: {right}", refuse)
            self._resume()

        self._node.in_thread(lambda: users.has_password(login.user, login.password), checked)

    def _succeed(self, reply: bytes, tell: Callable[[bytes, int], None], refuse: Callable[[], None]) -> None:
        holder = (self._user, self._mechanism)
        if self._held_by is not None and self._held_by != holder:
            self._fail("A login may only be renewed by the same user with the same mechanism", refuse)
            return
        self._held_by = holder
        self._stop_timer()
        lifetime_ms = self._node.guard.settings.session_lifetime_ms
        if lifetime_ms:
            self._expires_s = self._node.loop.time() + lifetime_ms / 1_000
        self._state = _State.WAITING_FOR_HANDSHAKE
        self._scram = None
        self.is_open, self.expects_token = True, False
        tell(reply, lifetime_ms)
        self._opened(user_principal(self._user))

    def _fail(self, reason: str, refuse: Callable[[], None]) -> None:
        """The answer waits, so that guessing is slow; nobody else does."""
        _log.warning("Refused a login from %s as %.100r with %s: %s", self._host, self._user, self._mechanism, reason)
        self.is_busy = True
        self._stop_timer()

        def tell() -> None:
            if self._state is not _State.ENDED:
                refuse()
                self._say_farewell()

        self._timer = self._node.loop.call_later(self._node.guard.settings.refusal_delay_ms / 1_000, tell)

    def _say_farewell(self) -> None:
        """Leaves a peer the time to read why, and to go by itself: some drop what came along with the end."""
        self.is_busy = True
        self._stop_timer()
        self._timer = self._node.loop.call_later(_FAREWELL_S, self._end)

    def _time_out(self) -> None:
        if not self.is_open and not self.is_busy:
            _log.warning("Closed the connection from %s: no login within %.0f s", self._host, _LOGIN_TIMEOUT_S)
            self._end()

    def _end(self) -> None:
        self.abandon()
        self.is_busy = True
        self._close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
