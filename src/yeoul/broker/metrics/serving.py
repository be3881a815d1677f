"""HTTP for monitors: `/metrics`, `/health` (the process turns) and `/ready` (clients are let in).

Owns the listening socket. A request is a line and headers, an answer closes its connection: no more of HTTP is spoken.
Invariants: a peer that is slow or sends too much is hung up on; making the text never holds the loop up for longer than
reading the numbers takes. Caller: `server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from yeoul.broker.metrics.exposition import render, snapshot
from yeoul.errors import EnvironmentFailure

if TYPE_CHECKING:
    from yeoul.broker.server import Server

__all__ = ["MetricsServer"]

_log = logging.getLogger("yeoul.broker")
_TIMEOUT_S = 10.0
_LARGEST_HEAD_BYTES = 16 << 10
_PLAIN = "text/plain; charset=utf-8"


class MetricsServer:
    """Answers monitors.

    Args:
        server: The broker.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listening: asyncio.Server | None = None
        self.is_ready = False

    async def listen(self, host: str, port: int) -> int:
        """Begins to answer; returns the port.

        Raises:
            EnvironmentFailure: The port is taken, or the address is not this machine's.
        """
        try:
            self._listening = await asyncio.start_server(self._serve, host, port, limit=_LARGEST_HEAD_BYTES)
        except OSError as error:
            raise EnvironmentFailure(f"Cannot serve metrics on {host}:{port}: {error.strerror or error}") from error
        bound: int = self._listening.sockets[0].getsockname()[1]
        _log.info("Metrics are served on http://%s:%d/metrics", host, bound)
        return bound

    def close(self) -> None:
        if self._listening is not None:
            self._listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *headers = head.split("\r\n")
                accept = next((each[7:].strip() for each in headers if each.lower().startswith("accept:")), "")
                status, content_type, body = await self._answer(line.split(" "), accept)
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode()
                )
                if not line.startswith("HEAD "):
                    writer.write(body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, request: list[str], accept: str) -> tuple[str, str, bytes]:
        if len(request) != 3 or request[0] not in ("GET", "HEAD"):
            return "405 Method Not Allowed", _PLAIN, b"GET only\n"
        match request[1].partition("?")[0]:
            case "/metrics":
                families = snapshot(self._server)
                body, content_type = await self._server.loop.run_in_executor(None, render, families, accept)
                return "200 OK", content_type, body
            case "/health":
                return "200 OK", _PLAIN, b"ok\n"
            case "/ready":
                return ("200 OK", _PLAIN, b"ready\n") if self.is_ready else ("503 Not Ready", _PLAIN, b"not ready\n")
            case _:
                return "404 Not Found", _PLAIN, b"/metrics, /health, /ready\n"
