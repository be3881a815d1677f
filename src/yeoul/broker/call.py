"""One request on its way through the broker, and what a handler is.

Owns `Call`, the slot that a response is put into, now or later, and the two kinds of handler: `MessageHandler` for
requests that are read and answered through their message tables, `RawHandler` for Produce and Fetch, which work on the
frame itself. Invariants: a call is answered at most once; a connection sends its answers in the order of its requests.
Callers: `connection` makes calls, `handlers` answer them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from yeoul.wire.compression import Buffer
from yeoul.wire.frames import encode_response
from yeoul.wire.schema import Api, Message

if TYPE_CHECKING:
    from yeoul.broker.node import Node
    from yeoul.broker.security.gate import Gate
    from yeoul.broker.security.session import Session

__all__ = ["Call", "CallOrigin", "Handler", "MessageHandler", "RawHandler"]

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class CallOrigin(Protocol):
    """Where a call came from: the connection, or a test."""

    peer_host: str
    session: Session
    gate: Gate | None

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port that this peer reaches the broker by: those of its listener."""
        ...

    def answered(self, call: Call) -> None:
        """Called once, when the call's `parts` are set."""
        ...

    def is_congested(self) -> bool:
        """Whether the peer is behind with taking its responses."""
        ...


class Call:
    """A request and the place for its response.

    Attributes:
        version: The API version the peer speaks.
        client_id: As the peer calls itself.
        parts: The whole response as buffers; None until it is answered, empty when there is nothing to send.
        api_key: Which API it is for, and
        started_s: when it began (`time.perf_counter`), where requests are measured; 0 elsewhere.
        throttle_ms: How long the peer is to wait after the answer, for it is beyond its quota.
        cancelled: The connection is gone: an answer would go nowhere.
    """

    __slots__ = (
        "api_key",
        "cancelled",
        "client_id",
        "correlation_id",
        "on_cancel",
        "origin",
        "parts",
        "started_s",
        "throttle_ms",
        "version",
    )

    def __init__(self, origin: CallOrigin, version: int, correlation_id: int, client_id: str | None) -> None:
        self.origin = origin
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.parts: Sequence[Buffer] | None = None
        self.cancelled = False
        self.api_key = -1
        self.started_s = 0.0
        self.throttle_ms = 0
        self.on_cancel: Callable[[], None] | None = None

    def answer_parts(self, parts: Sequence[Buffer]) -> None:
        """Sends a whole response; `()` for a request that wants none."""
        if self.parts is None:
            self.parts = parts
            self.origin.answered(self)

    def answer(self, api: Api[Request, Response], message: Response) -> None:
        """Encodes and sends a response."""
        if self.throttle_ms and hasattr(message, "throttle_time_ms"):
            message.throttle_time_ms = self.throttle_ms
        self.answer_parts((encode_response(api, self.version, self.correlation_id, message),))

    def cancel(self) -> None:
        """The connection is gone."""
        self.cancelled = True
        if self.on_cancel is not None:
            self.on_cancel()


class Handler(Protocol):
    """What serves one API.

    Attributes:
        api: Its number, name and messages.
        first_version: The oldest version that is advertised.
        last_version: The newest one.
    """

    @property
    def api(self) -> Api[Message, Message]: ...
    @property
    def first_version(self) -> int: ...
    @property
    def last_version(self) -> int: ...

    def handle(self, node: Node, call: Call, frame: memoryview, position: int) -> None:
        """Serves a request whose body starts at `position`; `frame` is valid until the call returns.

        Raises:
            ProtocolError: The body is no such request: the connection is closed.
        """
        ...


@dataclass(frozen=True, slots=True)
class MessageHandler(Generic[Request, Response]):
    """Serves an API through its message tables.

    Attributes:
        answer: Returns the response, or None when it will call `call.answer` itself later.
    """

    api: Api[Request, Response]
    first_version: int
    last_version: int
    answer: Callable[[Node, Request, Call], Response | None]

    def handle(self, node: Node, call: Call, frame: memoryview, position: int) -> None:
        request = self.api.decode_request(frame, call.version, position)
        response = self.answer(node, request, call)
        if response is not None:
            call.answer(self.api, response)


@dataclass(frozen=True, slots=True)
class RawHandler(Generic[Request, Response]):
    """Serves an API on the frame itself."""

    api: Api[Request, Response]
    first_version: int
    last_version: int
    serve: Callable[[Node, Call, memoryview, int], None]

    def handle(self, node: Node, call: Call, frame: memoryview, position: int) -> None:
        self.serve(node, call, frame, position)
