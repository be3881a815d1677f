"""Time, handed in: nothing in a pure room reads a clock of its own.

Callers at the edge pass `SYSTEM_CLOCK`; tests and simulations pass a `ManualClock` and move it by hand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Where wall time and elapsed time come from."""

    def now_ms(self) -> int:
        """Returns wall time as milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic_s(self) -> float:
        """Returns seconds that never run backwards; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved.

    Example:
        >>> clock = ManualClock(wall_ms=1_000)
        >>> clock.advance_ms(250)
        >>> clock.now_ms(), clock.monotonic_s()
        (1250, 0.25)
    """

    wall_ms: int = 0
    elapsed_ms: int = 0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_s(self) -> float:
        return self.elapsed_ms / 1_000

    def advance_ms(self, duration_ms: int) -> None:
        """Moves both wall time and elapsed time forward by `duration_ms`."""
        if duration_ms < 0:
            raise ValueError(f"A clock runs forward only, got {duration_ms!r} ms")
        self.wall_ms += duration_ms
        self.elapsed_ms += duration_ms


SYSTEM_CLOCK = SystemClock()
