"""A client that says exactly what a test wants said, over one blocking socket."""

from __future__ import annotations

import itertools
import socket
import struct
from types import TracebackType
from typing import Self, TypeVar

from yeoul.wire import frames
from yeoul.wire.schema import Api, Message

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class RawClient:
    """One connection; `ask` sends a message and reads its response, `send` sends any bytes."""

    def __init__(self, host: str, port: int, timeout_s: float = 15.0) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self._numbers = itertools.count(1)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_frame(self) -> bytes:
        """Returns a response without its length; empty when the broker closed the connection."""
        head = self._read(4)
        return self._read(struct.unpack(">i", head)[0]) if head else b""

    def _read(self, size_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < size_bytes:
            try:
                piece = self.socket.recv(size_bytes - len(data))
            except ConnectionResetError:
                piece = b""
            if not piece:
                return b""
            data += piece
        return bytes(data)

    def ask(self, api: Api[Request, Response], version: int, message: Request) -> Response:
        number = next(self._numbers)
        self.send(frames.encode_request(api, version, number, "raw", message))
        answered, response = frames.read_response(api, version, self.read_frame())
        assert answered == number
        return response

    def is_closed(self) -> bool:
        """Waits for the broker to close the connection; True once it has, without having sent anything."""
        return self.read_frame() == b""

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
