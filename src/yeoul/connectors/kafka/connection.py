"""One connection to one broker: requests out, whole responses in.

Owns a socket, the versions that the broker speaks, and matching answers to requests (in order, by correlation id).
Invariants: a response arrives in a buffer of its own that is never written to again, so that columns may keep views
into it; a response's length is bounded before memory is taken; every failure closes the connection and is a
`ConnectionLost`. Callers: `cluster`, `reader`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from yeoul.connectors.kafka.security import authenticate, wrap
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.errors import PeerError, YeoulError
from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.frames import encode_request, read_response
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
from yeoul.wire.schema import Api, Message

__all__ = ["Connection", "ConnectionLost"]

_LENGTH = struct.Struct(">i")
_MAX_RESPONSE_BYTES = 1 << 30
_MOST_BUFFERS = 512
"""Buffers of one `sendmsg`; systems take 1024."""

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class ConnectionLost(PeerError):
    """The connection could not be made, broke, or went out of step; another attempt may succeed."""


class Connection:
    """A connection that is ready for requests.

    Args:
        address: The broker.
        settings: Time-outs, client id and security.
        connect_timeout_s: How long connecting may take.

    Raises:
        ConnectionLost: There is no such host, nobody listens, or the handshake fails.
    """

    def __init__(self, address: Address, settings: ClientSettings, connect_timeout_s: float) -> None:
        self.address = address
        self._client_id = settings.client_id
        self._timeout_s = settings.request_timeout_ms / 1_000
        self._correlation_id = 0
        self._waiting: deque[tuple[int, Api[Any, Any], int]] = deque()
        self._versions: dict[int, tuple[int, int]] = {}
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.create_connection((address.host, address.port), timeout=connect_timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = wrap(self._socket, address.host, settings)
            self._learn_versions()
            authenticate(self.exchange_raw, settings)
            self._socket.settimeout(self._timeout_s)
        except OSError as error:
            self.close()
            raise ConnectionLost(f"Cannot connect to {address}: {_reason(error)}") from error
        except YeoulError:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int:
        """For `select`; -1 when closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def version_of(self, api: Api[Any, Any], highest: int | None = None) -> int:
        """Returns the newest version of an API that both sides speak, at most `highest`.

        Raises:
            PeerError: There is none.
        """
        low, high = self._versions.get(api.key, (-1, -1))
        version = min(high, api.last_version if highest is None else highest)
        if version < max(low, api.first_version):
            raise PeerError(
                f"Broker {self.address} offers {api.name} versions {low} to {high}, expected one of "
                f"{api.first_version} to {api.last_version}",
                hint="Is it a Kafka broker of version 0.11 or later?",
            )
        return version

    def call(self, api: Api[Request, Response], message: Request, highest: int | None = None) -> Response:
        """Sends a request and returns its answer; there must be no other one outstanding."""
        self.send(api, message, highest)
        response: Response = self.receive()
        return response

    def send(self, api: Api[Request, Response], message: Request, highest: int | None = None) -> None:
        """Sends a request; its answer comes from `receive`, in order."""
        version = self.version_of(api, highest)
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        request = encode_request(api, version, self._correlation_id, self._client_id, message)
        try:
            self._open_socket().sendall(request)
        except OSError as error:
            raise self._lost("sending to", error) from error
        self._waiting.append((self._correlation_id, api, version))

    def send_buffers(self, api: Api[Any, Any], version: int, body: Sequence[Buffer]) -> None:
        """Sends a request of a classic (inflexible) version whose body is given as buffers, without joining them.

        Its answer comes from `receive`, in order, as that of `send`.
        """
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        client_id = self._client_id.encode()
        header = struct.pack(">hhih", api.key, version, self._correlation_id, len(client_id)) + client_id
        size_bytes = len(header) + sum(map(len, body))
        try:
            _send_all(self._open_socket(), [_LENGTH.pack(size_bytes) + header, *body])
        except OSError as error:
            raise self._lost("sending to", error) from error
        self._waiting.append((self._correlation_id, api, version))

    def receive(self) -> Any:
        """Returns the answer to the oldest request outstanding, waiting for it.

        Raises:
            ConnectionLost: The connection broke, or what came is no such answer.
        """
        expected, api, version = self._waiting.popleft()
        frame = self._receive_frame()
        try:
            correlation_id, response = read_response(api, version, frame)
        except ProtocolError as error:
            self.close()
            raise ConnectionLost(f"Broker {self.address} sent a broken {api.name} response: {error.message}") from error
        if correlation_id != expected:
            self.close()
            raise ConnectionLost(f"Broker {self.address} answered request {correlation_id}, expected {expected}")
        return response

    def exchange_raw(self, api_key: int, api_version: int, body: bytes) -> bytes:
        """Sends the body of a classic (inflexible) request and returns the body of its answer; for SASL."""
        self._correlation_id += 1
        client_id = self._client_id.encode()
        header = struct.pack(">hhih", api_key, api_version, self._correlation_id, len(client_id)) + client_id
        try:
            self._open_socket().sendall(_LENGTH.pack(len(header) + len(body)) + header + body)
        except OSError as error:
            raise self._lost("sending to", error) from error
        return bytes(self._receive_frame()[4:])

    def close(self) -> None:
        """Closes the socket; idempotent, callable from any thread."""
        held, self._socket = self._socket, None
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()

    def _learn_versions(self) -> None:
        """Asks for versions in the oldest form, which every broker answers."""
        self._versions = {API_VERSIONS.key: (0, 0)}
        response = self.call(API_VERSIONS, ApiVersionsRequest(), 0)
        if response.error_code not in (ErrorCode.NONE, ErrorCode.UNSUPPORTED_VERSION):
            raise ConnectionLost(f"Broker {self.address} refused ApiVersions: error {response.error_code}")
        self._versions = {one.api_key: (one.min_version, one.max_version) for one in response.api_keys}

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionLost(f"The connection to {self.address} is closed")
        return self._socket

    def _receive_frame(self) -> memoryview:
        head = bytearray(4)
        self._fill(memoryview(head))
        (size_bytes,) = _LENGTH.unpack(head)
        if not 4 <= size_bytes <= _MAX_RESPONSE_BYTES:
            self.close()
            raise ConnectionLost(
                f"{self.address} sent a response of {size_bytes} bytes, expected a Kafka response",
                hint="Does the address belong to a Kafka broker, without TLS?",
            )
        frame = np.empty(size_bytes, np.uint8).data
        self._fill(frame)
        return frame.toreadonly()

    def _fill(self, view: memoryview) -> None:
        held, filled = self._open_socket(), 0
        try:
            while filled < len(view):
                count = held.recv_into(view[filled:])
                if count == 0:
                    raise ConnectionResetError("the broker closed the connection")
                filled += count
        except OSError as error:
            raise self._lost("reading from", error) from error

    def _lost(self, doing: str, error: OSError) -> ConnectionLost:
        """Closes a connection that broke; returns what to raise."""
        self.close()
        return ConnectionLost(f"Lost the connection while {doing} {self.address}: {_reason(error)}")


Exchange = Callable[[int, int, bytes], bytes]


def _send_all(held: socket.socket, buffers: list[Buffer]) -> None:
    """Sends many buffers in few system calls; TLS takes them one by one."""
    if isinstance(held, ssl.SSLSocket):
        for buffer in buffers:
            held.sendall(buffer)
        return
    views = [memoryview(buffer) for buffer in buffers]
    start = 0
    while start < len(views):
        sent = held.sendmsg(views[start : start + _MOST_BUFFERS])
        while start < len(views) and sent >= len(views[start]):
            sent -= len(views[start])
            start += 1
        if sent:
            views[start] = views[start][sent:]


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error)).lower()
