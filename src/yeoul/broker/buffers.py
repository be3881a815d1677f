"""Receive buffers: a small one for every connection, larger ones from a bounded store while a large request comes in.

Invariant: the large buffers that are in use never hold more than the limit together. Caller: `connection`.
"""

from __future__ import annotations

from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["BufferStore"]

_SMALL_BYTES = 64 << 10
_LARGEST_KEPT_BYTES = 4 << 20
_KEPT_BYTES = 16 << 20
_GROWTH = 4


class BufferStore:
    """Hands out and takes back receive buffers.

    Args:
        limit_bytes: The most that the large buffers in use may hold together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._kept: dict[int, list[bytearray]] = {}
        self._kept_bytes = 0

    @property
    def used_bytes(self) -> int:
        """What the large buffers in use hold."""
        return self._used_bytes

    @staticmethod
    def small() -> bytearray:
        """Returns a buffer as every connection has one."""
        return bytearray(_SMALL_BYTES)

    def larger(self, held_bytes: int, wanted_bytes: int) -> bytearray:
        """Returns a buffer for a request of `wanted_bytes`, of which `held_bytes` have arrived.

        One that was used before comes first. A new one is four times what has arrived at most, so that nobody makes
        the broker hold memory by claiming a length.

        Raises:
            ProtocolError: All connections together receive more than the limit.
        """
        size_bytes = 1 << (wanted_bytes - 1).bit_length()
        if not self._kept.get(size_bytes):
            size_bytes = min(size_bytes, _GROWTH * held_bytes)
        if self._used_bytes + size_bytes > self._limit_bytes:
            message = f"More than {self._limit_bytes} bytes of large requests are being received"
            raise ProtocolError(ErrorCode.THROTTLING_QUOTA_EXCEEDED, message)
        self._used_bytes += size_bytes
        kept = self._kept.get(size_bytes)
        if kept:
            self._kept_bytes -= size_bytes
            return kept.pop()
        return bytearray(size_bytes)

    def give_back(self, buffer: bytearray) -> None:
        """Takes a large buffer that its connection no longer uses."""
        size_bytes = len(buffer)
        self._used_bytes -= size_bytes
        if size_bytes <= _LARGEST_KEPT_BYTES and self._kept_bytes + size_bytes <= _KEPT_BYTES:
            self._kept_bytes += size_bytes
            self._kept.setdefault(size_bytes, []).append(buffer)
