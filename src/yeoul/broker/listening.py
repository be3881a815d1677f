"""Listening sockets: one `Door` for each listener, plain or TLS.

A plain door is uvloop's own server. A TLS door accepts by itself, so that bounds hold before a handshake is paid for,
each handshake uses the newest certificate, and one that fails is told with its reason. Invariant: a peer that opens a
connection and says nothing is gone after the handshake's time-out. Caller: `server`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from dataclasses import replace
from typing import Protocol

from yeoul.broker.connection import Connection
from yeoul.broker.listeners import Listener
from yeoul.broker.tls import TlsContext
from yeoul.errors import EnvironmentFailure

__all__ = ["Door", "open_door"]

_log = logging.getLogger("yeoul.broker")
_BACKLOG = 1_024
_HANDSHAKE_TIMEOUT_S = 10.0
_SHUTDOWN_TIMEOUT_S = 2.0
_ACCEPTED_AT_ONCE = 64
_PAUSE_S = 0.2
"""How long a door that has no more file descriptors stays shut."""

_MEANINGS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS; the client needs security.protocol={protocol}",
    "HTTP_REQUEST": "it speaks HTTP",
    "HTTPS_PROXY_REQUEST": "it speaks HTTP",
    "UNSUPPORTED_PROTOCOL": "it speaks only TLS versions that are too old",
    "NO_SHARED_CIPHER": "it knows none of our ciphers",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it has no certificate, and ssl.client.auth requires one",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not accepted: {detail}",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the authority that signed our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired, it says",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate",
}


class DoorKeeper(Protocol):
    """What a door asks of the server."""

    loop: asyncio.AbstractEventLoop

    def admit(self, peer_host: str, listener: Listener) -> bool:
        """Whether a peer may come in; from then on it is counted."""
        ...

    def left(self, peer_host: str) -> None:
        """A peer that came in is gone again before it was connected."""
        ...

    def connect(self, listener: Listener, *, admitted: bool) -> Connection:
        """Returns the connection for a peer."""
        ...


class Door(Protocol):
    """A listener that is open."""

    listener: Listener

    def close(self) -> None:
        """Lets nobody in from now on."""
        ...


async def open_door(keeper: DoorKeeper, listener: Listener) -> Door:
    """Binds a listener and begins to accept.

    Raises:
        EnvironmentFailure: The port is taken, or the address is not this machine's; or a certificate cannot be read.
        UserError: A certificate cannot be used.
    """
    context = TlsContext(listener.name, listener.tls) if listener.tls is not None and listener.uses_tls else None
    try:
        sockets = _bind(listener)
    except OSError as error:
        raise _failure(listener, error) from error
    listener = replace(listener, port=sockets[0].getsockname()[1])
    if context is not None:
        return _TlsDoor(keeper, listener, context, sockets)
    servers = [
        await keeper.loop.create_server(lambda: keeper.connect(listener, admitted=False), sock=each, backlog=_BACKLOG)
        for each in sockets
    ]
    return _PlainDoor(listener, servers)


class _PlainDoor:
    def __init__(self, listener: Listener, servers: list[asyncio.Server]) -> None:
        self.listener = listener
        self._servers = servers

    def close(self) -> None:
        for server in self._servers:
            server.close()


class _TlsDoor:
    def __init__(
        self, keeper: DoorKeeper, listener: Listener, context: TlsContext, sockets: list[socket.socket]
    ) -> None:
        self.listener = listener
        self._keeper = keeper
        self._context = context
        self._sockets = sockets
        self._handshakes: set[asyncio.Task[None]] = set()
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        for each in sockets:
            each.listen(_BACKLOG)
            self._open(each)

    def close(self) -> None:
        for pause in self._pauses.values():
            pause.cancel()
        for each in self._sockets:
            self._keeper.loop.remove_reader(each.fileno())
            each.close()
        for handshake in self._handshakes:
            handshake.cancel()

    def _open(self, listening: socket.socket) -> None:
        self._pauses.pop(listening, None)
        self._keeper.loop.add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                peer, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(listening, error)
                return
            self._begin(peer, str(address[0]))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Too many open files, or no memory: those who wait are let in later."""
        loop = self._keeper.loop
        _log.error("Listener %s cannot accept connections: %s", self.listener.name, error.strerror or error)
        loop.remove_reader(listening.fileno())
        self._pauses[listening] = loop.call_later(_PAUSE_S, self._open, listening)

    def _begin(self, peer: socket.socket, host: str) -> None:
        if not self._keeper.admit(host, self.listener):
            peer.close()
            return
        peer.setblocking(False)
        handshake = self._keeper.loop.create_task(self._shake_hands(peer, host))
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, peer: socket.socket, host: str) -> None:
        keeper = self._keeper
        connection = keeper.connect(self.listener, admitted=True)
        try:
            await keeper.loop.connect_accepted_socket(
                lambda: connection,
                peer,
                ssl=self._context.current(),
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
            )
        except asyncio.CancelledError:
            self._failed(connection, host)
            raise
        except OSError as error:
            self._failed(connection, host)
            reason = _meaning(error, self.listener)
            _log.warning("TLS with %s on listener %s failed: %s", host, self.listener.name, reason)

    def _failed(self, connection: Connection, host: str) -> None:
        """A connection that was made counts itself out; one that never was is counted out here."""
        if not connection.was_made:
            self._keeper.left(host)


def _meaning(error: OSError, listener: Listener) -> str:
    """Returns why a handshake failed, for people."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        text = _MEANINGS.get(reason)
        if text is None:
            return (reason or str(error)).lower().replace("_", " ")
        return text.format(protocol=listener.protocol, detail=getattr(error, "verify_message", ""))
    if isinstance(error, ConnectionAbortedError):
        return f"it did not finish within {_HANDSHAKE_TIMEOUT_S:.0f} s"
    return "it closed the connection"


def _bind(listener: Listener) -> list[socket.socket]:
    """Binds every address of the host, all to one port."""
    host = listener.host or None
    flags = socket.AI_PASSIVE if host is None else 0
    found = socket.getaddrinfo(host, listener.port, type=socket.SOCK_STREAM, flags=flags)
    bound: list[socket.socket] = []
    port = listener.port
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                made = socket.socket(family, kind, protocol)
            except OSError:
                continue  # a family that this machine does not have
            bound.append(made)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                made.bind((address[0], port, *address[2:]))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or len(found) == 1:
                    raise
                bound.pop().close()  # a name's other family, which this machine cannot bind
                continue
            made.setblocking(False)
            port = made.getsockname()[1]
        if not bound:
            raise OSError(errno.EADDRNOTAVAIL, "The address is not one of this machine")
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _failure(listener: Listener, error: OSError) -> EnvironmentFailure:
    address = f"{listener.host}:{listener.port}"
    if error.errno == errno.EADDRINUSE:
        return EnvironmentFailure(
            f"Cannot listen on {address}: the port is taken",
            hint="Stop what listens there, or choose another port; port 0 takes a free one",
        )
    return EnvironmentFailure(f"Cannot listen on {address}: {error.strerror or error}")
