"""Who may come in: bounds on the connections of all, of one address, and on how fast new ones are made.

Owns the counts. Invariants: every connection that was let in is counted until it leaves; an address whose connections
are all gone is forgotten. Pure but for the time, which is handed in. Caller: `server`.
Source: https://kafka.apache.org/documentation/#brokerconfigs_max.connections.per.ip, KIP-612 (creation rate).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from yeoul.broker.config import Limits

__all__ = ["Admission"]

_BURST_S = 1.0
_LONGEST_WAIT_S = 10.0


class Admission:
    """Counts the connections.

    Args:
        limits: Returns the bounds, which may change while the broker runs.

    Example:
        >>> door = Admission(lambda: Limits(connections=3, connections_per_address=1))
        >>> door.refusal("10.0.0.1"), door.refusal("10.0.0.1")
        ('', '1 from this address are open already')
        >>> door.leave("10.0.0.1"); door.refusal("10.0.0.1")
        ''
    """

    def __init__(self, limits: Callable[[], Limits]) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._next_free_s = float("-inf")
        self.count = 0
        self.created = 0
        self.refused = 0

    def refusal(self, address: str) -> str:
        """Lets a connection in and returns "", or returns why it may not come in; it is not counted then."""
        limits = self._limits()
        reason = ""
        if self.count >= limits.connections:
            reason = f"{limits.connections} are open already"
        elif limits.connections_per_address and self._by_address[address] >= limits.connections_per_address:
            reason = f"{limits.connections_per_address} from this address are open already"
        if reason:
            self.refused += 1
            return reason
        self.count += 1
        self.created += 1
        self._by_address[address] += 1
        return ""

    def leave(self, address: str) -> None:
        """A connection that was let in has ended."""
        self.count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def wait_s(self, now_s: float) -> float:
        """Returns how long a connection that was just let in has to wait until it is served: 0 within the rate.

        A second's worth may come at once; the wait is bounded, for what waits is counted as open all the while.

        Example:
            >>> door = Admission(lambda: Limits(connections_per_second=2))
            >>> [door.wait_s(100.0) for _ in range(4)]
            [0.0, 0.0, 0.5, 1.0]
        """
        rate = self._limits().connections_per_second
        if not rate:
            return 0.0
        self._next_free_s = max(self._next_free_s, now_s - _BURST_S) + 1 / rate
        return min(max(0.0, self._next_free_s - now_s), _LONGEST_WAIT_S)
