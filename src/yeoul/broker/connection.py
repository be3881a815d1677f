"""One client connection: bytes in, requests out to the handlers, responses back in order.

Owns the receive buffer and the queue of unanswered calls. Invariants: answers leave in the order of the requests;
a frame's bytes are valid only while its handler runs, for the buffer is used again; a peer that sends too much, too
fast, or takes nothing, makes only its own connection wait or close. Caller: `server`.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from yeoul.broker.call import Call, Handler
from yeoul.broker.listeners import Listener
from yeoul.broker.quotas import REQUESTS
from yeoul.broker.security.gate import LARGEST_LOGIN_FRAME_BYTES, Gate
from yeoul.broker.security.session import ANONYMOUS, Session, user_principal
from yeoul.errors import YeoulError
from yeoul.wire import frames
from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsResponse

if TYPE_CHECKING:
    from yeoul.broker.server import Server

__all__ = ["Connection"]

_log = logging.getLogger("yeoul.broker")
_LENGTH = struct.Struct(">i")
_PRODUCE_KEY = 0
_SMALLEST_FRAME_BYTES = 8
_FLUSH_BYTES = 256 << 10
_TLS_HANDSHAKE = b"\x16\x03"
_HTTP_METHODS = frozenset({b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"PRI "})


class Connection(asyncio.BufferedProtocol):
    """The protocol object that uvloop drives.

    Attributes:
        listener: The listener that the peer came in by.
        peer_host: The peer's address.
        endpoint: Host and port that the peer reaches this broker by.
        certificate_name: Who the peer proved to be by its certificate (mutual TLS), after
            `ssl.principal.mapping.rules`; empty without one.
        session: Who the peer is, and what it may do.
        gate: Its login, as long as there is something to check: until it has logged in, or always where logins expire.
        was_made: Whether there was a connection at all: a TLS handshake may fail.
    """

    def __init__(self, server: Server, listener: Listener | None = None, *, admitted: bool = False) -> None:
        self._server = server
        self.listener = listener or server.listeners[0]
        self._node = server.node
        self._handlers = server.handlers
        self._limits = server.node.config.limits
        self._small = server.buffers.small()
        self._buffer = self._small
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._consumed = 0
        self._calls: deque[Call] = deque()
        self._reading = True
        self._ended = False
        self._writable = True
        self._held_bytes = 0
        self._idle_rounds = 0
        self._send_scheduled = False
        self._pumping = False
        self._transport: asyncio.Transport | None = None
        self._mute: asyncio.TimerHandle | None = None
        self._is_admitted = admitted
        self.peer_host = "?"
        self.endpoint = self.listener.endpoint(self.listener.host)
        self.certificate_name = ""
        self.session = Session(ANONYMOUS, self.peer_host)
        self.gate: Gate | None = None
        self.was_made = False

    # -- the loop's side ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.was_made = True
        peer = transport.get_extra_info("peername")
        self.peer_host = str(peer[0]) if peer else "?"
        if not self._is_admitted and not self._server.admit(self.peer_host, self.listener):
            self._ended = True
            transport.close()
            return
        self._is_admitted = True
        own = transport.get_extra_info("sockname")
        if own:
            self.endpoint = self.listener.endpoint(str(own[0]))
        try:
            self.certificate_name = _certificate_name(transport, self.listener)
        except (ValueError, IndexError) as error:
            _log.warning("Closed the connection from %s: its certificate cannot be read: %s", self.peer_host, error)
            self.close()
        self._begin_session()
        self._transport.set_write_buffer_limits(high=self._limits.send_bytes, low=self._limits.send_bytes // 4)
        self._server.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._transport = None
        if self._mute is not None:
            self._mute.cancel()
        if self.gate is not None:
            self.gate.abandon()
        self._use_buffer(self._small)
        for call in self._calls:
            call.cancel()
        self._calls.clear()
        if self._is_admitted:
            self._server.closed(self)

    def eof_received(self) -> bool:
        return False

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[self._filled :]

    def buffer_updated(self, size_bytes: int) -> None:
        self._filled += size_bytes
        self._idle_rounds = 0
        self._pump()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._pump()

    # -- who it is ----------------------------------------------------------------------------------------------

    def _begin_session(self) -> None:
        """Takes the peer for whom its certificate names, or for nobody until it has logged in."""
        principal = user_principal(self.certificate_name) if self.certificate_name else ANONYMOUS
        self.session = Session(principal, self.peer_host)
        if self.listener.uses_sasl and not self._ended:
            offered = self.listener.offered_mechanisms
            self.gate = Gate(self._node, self.peer_host, offered, self._logged_in, self._pump, self.close)

    def _logged_in(self, principal: str) -> None:
        self.session = Session(principal, self.peer_host)
        if self.gate is not None and not self.gate.is_needed:
            self.gate = None

    # -- requests -----------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Serves the whole requests that are in the buffer, as long as the peer keeps up with the answers."""
        if self._pumping or self._ended or self._transport is None:
            return
        if self._mute is not None:
            self._make_room(frames.LENGTH_BYTES)
            return
        self._pumping = True
        try:
            wanted_bytes = self._serve_whole_frames()
            if not self._ended:
                self._make_room(wanted_bytes)
        except ProtocolError as error:
            if self._node.traffic is not None:
                self._node.traffic.refused += 1
            _log.warning("Closed the connection from %s: %s", self.peer_host, error)
            self.close()
        except YeoulError as error:
            _log.error("Closed the connection from %s: %s", self.peer_host, error)
            self.close()
        except Exception:
            _log.exception("Closed the connection from %s: a request failed unexpectedly", self.peer_host)
            self.close()
        finally:
            self._pumping = False
        self._flush_answers()

    def _serve_whole_frames(self) -> int:
        """Returns how many bytes the buffer must hold, from the first unserved byte on, to serve more."""
        view, limits, calls = self._view, self._limits, self._calls
        while self._filled - self._consumed >= frames.LENGTH_BYTES:
            if len(calls) >= limits.pipelined_requests or self._held_bytes >= _FLUSH_BYTES:
                self._flush_answers()
            if len(calls) >= limits.pipelined_requests or self.is_congested():
                return frames.LENGTH_BYTES
            start = self._consumed + frames.LENGTH_BYTES
            frame_bytes: int = _LENGTH.unpack_from(view, self._consumed)[0]
            if self.gate is not None:
                if self.gate.is_busy:
                    return frames.LENGTH_BYTES
                self._check_login_size(self.gate, frame_bytes)
            elif frame_bytes < _SMALLEST_FRAME_BYTES or frame_bytes > limits.request_bytes:
                raise ProtocolError(ErrorCode.INVALID_REQUEST, self._not_a_request(frame_bytes))
            if frame_bytes > limits.control_request_bytes and self._filled - start >= 2:
                self._check_size(frame_bytes, start)
            end = start + frame_bytes
            if end > self._filled:
                return frames.LENGTH_BYTES + frame_bytes
            self._consumed = end
            self._dispatch(view[start:end])
            if self._ended:
                return 0
        return frames.LENGTH_BYTES

    def _not_a_request(self, frame_bytes: int) -> str:
        """Returns what a peer seems to speak whose first bytes are no request's length."""
        first = bytes(self._view[self._consumed : self._consumed + frames.LENGTH_BYTES])
        if first[:2] == _TLS_HANDSHAKE:
            return f"It speaks TLS, but listener {self.listener.name} is {self.listener.protocol}"
        if first in _HTTP_METHODS:
            return f"It speaks HTTP, but listener {self.listener.name} speaks the Kafka protocol"
        return f"A request of {frame_bytes} bytes"

    def _check_login_size(self, gate: Gate, frame_bytes: int) -> None:
        """Whoever has not logged in gets no memory for large requests."""
        smallest = 1 if gate.expects_token else _SMALLEST_FRAME_BYTES
        largest = self._limits.request_bytes if gate.is_open else LARGEST_LOGIN_FRAME_BYTES
        if not smallest <= frame_bytes <= largest:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, self._not_a_request(frame_bytes))

    def _check_size(self, frame_bytes: int, start: int) -> None:
        api_key = int.from_bytes(self._view[start : start + 2], "big")
        if api_key != _PRODUCE_KEY:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"A request of {frame_bytes} bytes for API {api_key}")

    def _dispatch(self, frame: memoryview) -> None:
        gate = self.gate
        if gate is not None and gate.expects_token:
            call = Call(self, 0, 0, None)
            self._calls.append(call)
            gate.take_token(call, bytes(frame))
            return
        api_key, version, correlation_id = frames.read_request_prefix(frame)
        if gate is not None:
            gate.admit(api_key)
        handler = self._handlers.get(api_key)
        if handler is None:
            raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"Unknown API {api_key}")
        if not handler.first_version <= version <= handler.last_version:
            self._refuse_version(handler, version, correlation_id)
            return
        client_id, position = frames.read_client_id(frame, handler.api.is_flexible(version))
        call = Call(self, version, correlation_id, client_id)
        if self._node.traffic is not None:
            call.api_key, call.started_s = api_key, time.perf_counter()
        self._calls.append(call)
        if self._node.quotas.is_active:
            self._handle_within_quota(handler, call, frame, position)
        else:
            handler.handle(self._node, call, frame, position)

    def _handle_within_quota(self, handler: Handler, call: Call, frame: memoryview, position: int) -> None:
        """Charges the client for the broker's time; what went beyond its share is waited for with the next answer."""
        self._node.charge(call, REQUESTS, 0.0)
        started_s = time.perf_counter()
        try:
            handler.handle(self._node, call, frame, position)
        finally:
            self._node.charge(call, REQUESTS, time.perf_counter() - started_s)

    def _refuse_version(self, handler: Handler, version: int, correlation_id: int) -> None:
        """ApiVersions answers in its oldest form, from which a client learns what to ask instead (KIP-511)."""
        if handler.api.key != frames.API_VERSIONS_KEY:
            raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"{handler.api.name} version {version} is not served")
        call = Call(self, 0, correlation_id, None)
        self._calls.append(call)
        response = ApiVersionsResponse(
            error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=self._server.advertised_versions
        )
        call.answer(API_VERSIONS, response)

    # -- the receive buffer -------------------------------------------------------------------------------------

    def _make_room(self, wanted_bytes: int) -> None:
        """Leaves room to receive into, or stops receiving while nothing more can be served."""
        if self._filled == self._consumed:
            self._consumed = self._filled = 0
            if self._buffer is not self._small:
                self._use_buffer(self._small)
        elif self._consumed and self._consumed + wanted_bytes > len(self._buffer):
            self._move_to_front(self._buffer)
        if self._filled == len(self._buffer) and wanted_bytes > len(self._buffer):
            self._move_to_front(self._server.buffers.larger(len(self._buffer), wanted_bytes))
        has_room = self._filled < len(self._buffer)
        if has_room != self._reading and self._transport is not None:
            self._reading = has_room
            if has_room:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _move_to_front(self, buffer: bytearray) -> None:
        """Moves the unserved bytes to the front of this buffer or of a larger one.

        A buffer grows with the bytes that arrived, not with the length that a peer claims.
        """
        left_bytes = self._filled - self._consumed
        memoryview(buffer)[:left_bytes] = self._view[self._consumed : self._filled]
        if buffer is not self._buffer:
            self._use_buffer(buffer)
        self._consumed = 0
        self._filled = left_bytes

    def _use_buffer(self, buffer: bytearray) -> None:
        if self._buffer is not self._small:
            self._server.buffers.give_back(self._buffer)
        self._buffer = buffer
        self._view = memoryview(buffer)

    # -- answers ------------------------------------------------------------------------------------------------

    def answered(self, call: Call) -> None:
        """All answers that fall into one tick of the loop leave in one system call."""
        if call.cancelled:
            return
        if call.started_s and self._node.traffic is not None:
            duration_ms = (time.perf_counter() - call.started_s) * 1_000
            self._node.traffic.answered(call.api_key, call.version, duration_ms)
        if call.throttle_ms:
            self.mute(call.throttle_ms / 1_000)
        self._held_bytes += sum(map(len, call.parts or ()))
        if self._pumping or self._send_scheduled:
            return
        if self._calls and self._calls[0].parts is not None:
            self._send_scheduled = True
            self._server.loop.call_soon(self._send)

    def is_congested(self) -> bool:
        return not self._writable or self._held_bytes >= self._limits.send_bytes

    def _send(self) -> None:
        self._send_scheduled = False
        was_full = len(self._calls) >= self._limits.pipelined_requests or self.is_congested()
        self._flush_answers()
        if was_full or not self._reading:
            self._pump()

    def _flush_answers(self) -> None:
        transport, calls = self._transport, self._calls
        if transport is None or not calls or calls[0].parts is None or transport.is_closing():
            return
        parts: list[Buffer] = []
        while calls and (answer := calls[0].parts) is not None:
            calls.popleft()
            parts.extend(answer)
        self._held_bytes = sum(len(part) for call in calls for part in call.parts or ()) if calls else 0
        if parts:
            transport.writelines(parts)

    def mute(self, pause_s: float) -> None:
        """Serves no more requests for a while; what was asked for before is answered all the same."""
        loop = self._server.loop
        if self._mute is not None:
            if self._mute.when() >= loop.time() + pause_s:
                return
            self._mute.cancel()
        self._mute = loop.call_later(pause_s, self._unmute)

    def _unmute(self) -> None:
        self._mute = None
        self._pump()

    @property
    def unanswered(self) -> int:
        """Requests that wait for their answer."""
        return len(self._calls)

    def close_if_idle(self, rounds: int) -> None:
        """Called now and then: ends the connection when nothing came or was asked for in `rounds` calls."""
        self._idle_rounds = 0 if self._calls else self._idle_rounds + 1
        if self._idle_rounds >= rounds:
            self.close()

    def stop_reading(self) -> None:
        """Takes no more requests; the answers to those it took still go out."""
        self._ended = True
        if self._transport is not None and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def close(self) -> None:
        """Sends what is answered and ends the connection."""
        self._ended = True
        self._flush_answers()
        if self._transport is not None:
            self._transport.close()


def _certificate_name(transport: asyncio.BaseTransport, listener: Listener) -> str:
    """Returns the name of a peer that proved it with a certificate; empty for all others."""
    encrypted = transport.get_extra_info("ssl_object")
    certificate = encrypted.getpeercert(True) if encrypted is not None else None
    if not certificate or listener.tls is None:
        return ""
    from yeoul.broker.certificate_names import name_by_rules, subject_name

    return name_by_rules(listener.tls.name_rules, subject_name(certificate))
