"""The time to live of state: now and then, what was not touched for that long is looked for and forgotten.

Where most of a state was forgotten, its memory is given back.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from yeoul.clock import Clock

__all__ = ["Forgetting"]

_CHECKS_PER_TTL = 4


class _Touched(Protocol):
    """State that is told when its slots are in use."""

    def touch(self, slots: NDArray[np.int64], now_ms: int) -> None: ...


class _Aging(Protocol):
    """State that knows when each of its slots was in use: keys with their rows, or rows."""

    def untouched_since(self, before_ms: int) -> NDArray[np.int64]: ...

    def remove(self, slots: NDArray[np.int64]) -> None: ...


@runtime_checkable
class _Shrinking(Protocol):
    """State that can give memory back."""

    def give_back(self) -> None: ...


class Forgetting:
    """Forgets for an operator.

    Args:
        clock: The time.
        ttl_ms: How long what is untouched is kept; None: for ever, and every call is free.
    """

    def __init__(self, clock: Clock, ttl_ms: int | None) -> None:
        self._clock, self._ttl_ms, self._next_check_ms = clock, ttl_ms, 0

    def forget(self, *states: _Aging) -> None:
        """Looks at states, of which no slot is held, unless it did so a short time ago."""
        if self._ttl_ms is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + max(1, self._ttl_ms // _CHECKS_PER_TTL)
            for state in states:
                state.remove(state.untouched_since(now_ms - self._ttl_ms))
                if isinstance(state, _Shrinking):
                    state.give_back()

    def touch(self, state: _Touched, slots: NDArray[np.int64]) -> None:
        """Says that slots, of which some may stand twice, are in use now."""
        if self._ttl_ms is not None:
            state.touch(slots, self._clock.now_ms())
