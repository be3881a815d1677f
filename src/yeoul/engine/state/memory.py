"""How much memory a job's keyed state may take, and who has to give way.

Whatever holds state says after each use how much it is; when all together take more than the limit, those that were
not used for longest are told to leave memory. Rows that wait for spilled state count, too, and so does state that has
no key to divide it by: it stays, and when it alone takes more than the limit the job ends with an error that says so.
"""

from __future__ import annotations

from typing import Protocol

from yeoul.engine.state.spill_files import SpillFiles
from yeoul.errors import UserError
from yeoul.units import format_size

__all__ = ["Resident", "StateMemory"]

_SHARE_OF_ONE = 8
_LEAST_PIECE_BYTES = 1 << 18
"""An operator without a row takes some tens of kilobytes."""
_SHARE_OF_WAITING = 8
_LEAST_UNDIVIDED_BYTES = 1 << 20
"""What an operator whose state has no key may take in any case: no limit that can be set is less."""


class Resident(Protocol):
    """A piece of state in memory."""

    def evict(self) -> None:
        """Leaves memory, after `StateMemory.release`."""
        ...


class StateMemory:
    """The memory of one job's keyed state; used by one thread.

    Args:
        limit_bytes: What it may take.
        directory: Where to spill to; None: where temporary files go.

    Attributes:
        waiting_bytes: What waits for spilled state.
        spilled: Whether state was ever spilled.
    """

    def __init__(self, limit_bytes: int, directory: str | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.files = SpillFiles(directory)
        self.waiting_bytes = 0
        self.spilled = False
        self._residents: dict[Resident, int] = {}
        self._resident_bytes = 0
        self._undivided: dict[object, int] = {}
        self._undivided_bytes = 0

    @property
    def used_bytes(self) -> int:
        """What state takes in memory now, and what waits for it."""
        return self._resident_bytes + self._undivided_bytes + self.waiting_bytes

    @property
    def spilled_bytes(self) -> int:
        """What lies on disk now."""
        return self.files.size_bytes

    @property
    def most_of_one_bytes(self) -> int:
        """How large a piece may be that is spilled and loaded as a whole."""
        return max(_LEAST_PIECE_BYTES, self.limit_bytes // _SHARE_OF_ONE)

    @property
    def most_waiting_bytes(self) -> int:
        """How much may wait until spilled state is loaded for it."""
        return max(1, self.limit_bytes // _SHARE_OF_WAITING)

    def hold(self, resident: Resident, size_bytes: int) -> None:
        """Says that a piece was used, and what it takes now."""
        self.release(resident)
        self._residents[resident] = size_bytes
        self._resident_bytes += size_bytes

    def release(self, resident: Resident) -> None:
        """Says that a piece is not in memory."""
        self._resident_bytes -= self._residents.pop(resident, 0)

    def hold_undivided(self, holder: object, name: str, size_bytes: int) -> None:
        """Says what the state of an operator takes now that has no key to divide it by; others make room for it.

        Raises:
            UserError: All such state takes more than the limit.
        """
        self._undivided_bytes += size_bytes - self._undivided.get(holder, 0)
        self._undivided[holder] = size_bytes
        most_bytes = max(self.limit_bytes, len(self._undivided) * _LEAST_UNDIVIDED_BYTES)
        if self._undivided_bytes > most_bytes:
            raise UserError(
                f"{name} keeps {format_size(size_bytes)} that cannot go to disk, since it has no key to divide it by;"
                f" 'state.memory.limit' is {format_size(self.limit_bytes)}",
                hint="Raise the limit, or give it a key: GROUP BY, PARTITION BY, an equality of both sides in ON",
            )
        self.make_room()

    def make_room(self, wanted_bytes: int = 0, keep: Resident | None = None) -> None:
        """Sends pieces out, the least recently used first, until so much more fits or nothing else is left."""
        for resident in list(self._residents):
            if self.used_bytes + wanted_bytes <= self.limit_bytes:
                return
            if resident is not keep and self._residents[resident]:
                self.spilled = True
                self.release(resident)
                resident.evict()

    def close(self) -> None:
        """Removes what was spilled; idempotent."""
        self.files.close()
