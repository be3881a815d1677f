"""A TCP proxy between clients and broker whose connections can be cut, muted and stalled.

Runs on an event loop in a thread of its own; `cut`, `mute`, `stall` and `heal` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading

__all__ = ["Proxy"]

_PIECE_BYTES = 1 << 16
_REFUSAL_S = 0.1
_LINGER_NEVER = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a free port and passes on to another.

    Args:
        target_port: Where the broker listens.
    """

    def __init__(self, target_port: int | None = None) -> None:
        self.target_port = target_port
        self.port = 0
        self.cut_connections = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing: asyncio.Event
        self._is_muted = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-proxy", daemon=True)
        self._thread.start()
        self._ready.wait()

    def cut(self) -> None:
        """Resets every connection."""
        self._loop.call_soon_threadsafe(self._cut)

    def mute(self) -> None:
        """Lets requests through and loses answers, until `heal`, which also resets the connections."""
        self._loop.call_soon_threadsafe(self._set_muted)

    def stall(self) -> None:
        """Lets nothing through in either direction until `heal`."""
        self._loop.call_soon_threadsafe(lambda: self._flowing.clear())

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._heal)

    def close(self) -> None:
        """Ends every connection and the thread."""
        self._loop.call_soon_threadsafe(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _set_muted(self) -> None:
        self._is_muted = True

    def _heal(self) -> None:
        self._flowing.set()
        if self._is_muted:
            self._is_muted = False
            self._cut()

    def _cut(self) -> None:
        self.cut_connections += len(self._writers)
        for writer in tuple(self._writers):
            held = writer.get_extra_info("socket")
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NEVER)
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._flowing = asyncio.Event()
        self._flowing.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        upstream = None
        try:
            from_broker, upstream = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._writers.add(upstream)
            passing = [
                asyncio.ensure_future(self._pass(reader, upstream, answers=False)),
                asyncio.ensure_future(self._pass(from_broker, writer, answers=True)),
            ]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for each in passing:
                each.cancel()
        except OSError:
            # The broker is down. Clients that see a connection made and lost at once try again without any pause.
            await asyncio.sleep(_REFUSAL_S)
        finally:
            for each_writer in (writer, upstream):
                if each_writer is not None:
                    self._writers.discard(each_writer)
                    each_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while piece := await reader.read(_PIECE_BYTES):
                await self._flowing.wait()
                if not (answers and self._is_muted):
                    writer.write(piece)
                    await writer.drain()
        except OSError:
            return
