"""How much may still be written: below a reserve of free space the log takes nothing more from clients.

The reserve is for what keeps a log alive: markers and coordinators' records, checkpoints, retention. Reads go on.
Looking is one system call, so it is done when the bytes found free last time may have been used up, and once a second
while the log refuses; there is a line in the log when it begins to refuse and when it ends.

Callers: the broker's handlers claim space before they append what a client sent; `directory.Log` and `server` look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from yeoul.log.disk import Disk
from yeoul.log.errors import LogFull

__all__ = ["Space"]

_log = logging.getLogger("yeoul.log")
# On a small file system the reserve is this share of it.
_LARGEST_SHARE = 20
# Writing goes on when there is so much more than the reserve, so that it does not flicker.
_MARGIN_SHARE = 4


class Space:
    """The space of one data directory.

    Args:
        disk: The file system.
        directory: The data directory.
        reserve_bytes: What clients may not use up; at most a twentieth of the file system.
        clock_s: Seconds that never run backwards.
    """

    __slots__ = ("_clock_s", "_directory", "_disk", "_looked_s", "_reason", "_reserve_bytes", "_room_bytes")

    def __init__(self, disk: Disk, directory: Path, reserve_bytes: int, clock_s: Callable[[], float]) -> None:
        self._disk = disk
        self._directory = directory
        self._clock_s = clock_s
        _, total_bytes = disk.space(directory)
        self._reserve_bytes = min(reserve_bytes, total_bytes // _LARGEST_SHARE)
        self._reason = ""
        self._room_bytes = 0
        self._looked_s = 0.0
        self.look()

    @property
    def is_read_only(self) -> bool:
        """Whether clients' appends are refused."""
        return bool(self._reason)

    def claim(self, size_bytes: int) -> None:
        """Called before a client's bytes are written.

        Raises:
            LogFull: There is no space for them.
        """
        self._room_bytes -= size_bytes
        if self._room_bytes < 0 or self._reason:
            self._claim_closely(size_bytes)

    def has_room(self, size_bytes: int) -> bool:
        """Returns whether that many bytes would leave the reserve alone."""
        return self._disk.space(self._directory)[0] - self._reserve_bytes >= size_bytes

    def refused(self, failure: LogFull) -> None:
        """The disk itself refused an append: nothing more is tried until there is space."""
        if not self._reason:
            free_bytes, _ = self._disk.space(self._directory)
            self._begin_refusing(f"the disk refused ({failure.message})", free_bytes)

    def look(self) -> None:
        """Finds out how much is free, and whether clients may write again."""
        free_bytes, _ = self._disk.space(self._directory)
        self._looked_s = self._clock_s()
        margin_bytes = self._reserve_bytes // _MARGIN_SHARE if self._reason else 0
        # Half of what is free, so that others who fill the disk are noticed before it is full.
        self._room_bytes = (free_bytes - self._reserve_bytes) // 2
        if free_bytes < self._reserve_bytes + margin_bytes or free_bytes == 0:
            if not self._reason:
                self._begin_refusing(f"fewer than the reserve of {_mebibytes(self._reserve_bytes)}", free_bytes)
        elif self._reason:
            self._reason = ""
            _log.warning("There is space again in %s (%s): writing goes on", self._directory, _mebibytes(free_bytes))

    def _claim_closely(self, size_bytes: int) -> None:
        if not self._reason or self._clock_s() - self._looked_s >= 1.0:
            self.look()
        if not self._reason and not self.has_room(size_bytes):
            free_bytes, _ = self._disk.space(self._directory)
            self._begin_refusing(f"fewer than {size_bytes} bytes and the reserve", free_bytes)
        if self._reason:
            raise LogFull(
                f"The disk of {self._directory} is full: {self._reason}",
                hint="Free some space, or shorten retention.ms or retention.bytes; reading goes on.",
            )

    def _begin_refusing(self, why: str, free_bytes: int) -> None:
        self._reason = f"{_mebibytes(free_bytes)} free, {why}"
        self._looked_s = self._clock_s()
        _log.error(
            "The disk of %s is full (%s): the broker is read-only until there is space", self._directory, self._reason
        )


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.1f} MiB"
