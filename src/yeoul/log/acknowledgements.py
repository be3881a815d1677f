"""Who waits for the high watermark of one partition: appends for their acknowledgement, fetches for more to read.

Called by `partition`, on the loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from yeoul.log.errors import LogStopped

__all__ = ["AckCallback", "Acknowledgements"]

AckCallback = Callable[[LogStopped | None], None]


class Acknowledgements:
    """Acknowledgements in the order of their offsets, and listeners."""

    __slots__ = ("_acks", "_listeners")

    def __init__(self) -> None:
        self._acks: deque[tuple[int, AckCallback]] = deque()
        self._listeners: dict[Callable[[], None], None] = {}

    def wait(self, end_offset: int, callback: AckCallback) -> None:
        """Calls back once the high watermark has reached an offset; offsets come in ascending order."""
        self._acks.append((end_offset, callback))

    def listen(self, callback: Callable[[], None]) -> None:
        self._listeners[callback] = None

    def ignore(self, callback: Callable[[], None]) -> None:
        self._listeners.pop(callback, None)

    def notify(self, high_watermark: int) -> None:
        """Tells everybody that the high watermark is here now."""
        acks = self._acks
        while acks and acks[0][0] <= high_watermark:
            acks.popleft()[1](None)
        if self._listeners:
            for listener in tuple(self._listeners):
                listener()

    def fail(self, failure: LogStopped) -> None:
        """Fails every acknowledgement that is waited for."""
        while self._acks:
            self._acks.popleft()[1](failure)
