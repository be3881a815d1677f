"""A mirror: sessions one after the other until it is done, is told to stop, or meets what only a person can mend.

Owns the trying again. Invariant: what a session knew and had not committed is never used by the next one.
Callers: the command line, and whoever runs a mirror inside a program.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable

from yeoul.connectors.kafka.cluster import Unavailable
from yeoul.connectors.kafka.connection import ConnectionLost
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError
from yeoul.mirror.fetcher import OffsetGone
from yeoul.mirror.progress import Snapshot, Tally
from yeoul.mirror.session import Memory, Session
from yeoul.mirror.settings import MirrorSettings
from yeoul.mirror.writer import Fenced

__all__ = ["Mirror"]

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 2.0
_REPORT_EVERY_S = 0.5


class Mirror:
    """Copies one cluster's topics and group offsets to another.

    Args:
        settings: What to do.
        context: Clock, where warnings go, and the sign to stop.
        on_progress: Called with a snapshot every half second and at the end.
    """

    def __init__(
        self,
        settings: MirrorSettings,
        context: ConnectorContext | None = None,
        on_progress: Callable[[Snapshot], None] = lambda snapshot: None,
    ) -> None:
        self._settings = settings
        self._context = context or ConnectorContext()
        self._on_progress = on_progress
        tally = Tally(settings.rename, self._now_s())
        self._memory = Memory(uuid.uuid4().hex, tally)
        self._session: Session | None = None
        self._reported_at_s = 0.0

    def run(self) -> Snapshot:
        """Copies until `stop`, or with `once` until all is copied that was there; returns how far it came.

        Raises:
            PeerError: A cluster refuses, cannot be reached at the start, or for longer than `patience_ms` later.
        """
        lost_at_s: float | None = None
        backoff_s = _FIRST_BACKOFF_S
        while not self._context.stopping.is_set():
            self._session = Session(self._settings, self._context, self._memory, self._report)
            try:
                self._session.run()
                break
            except (ConnectionLost, Unavailable, OffsetGone, Fenced) as error:
                if self._memory.tally.is_connected:
                    lost_at_s, backoff_s = self._now_s(), _FIRST_BACKOFF_S
                    self._context.warn(f"{error.message}; trying again")
                self._give_up(error, lost_at_s)
                self._memory.is_fenced |= isinstance(error, Fenced)
            finally:
                with contextlib.suppress(OSError):
                    self._session.close()
            self._memory.tally.is_connected = False
            self._report()
            self._context.stopping.wait(backoff_s)
            backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
        return self._snapshot()

    def stop(self) -> None:
        """Makes `run` commit what it has written and return; callable from any thread and from a signal handler."""
        self._context.stopping.set()
        if self._session is not None:
            self._session.wake()

    def _give_up(self, error: PeerError, lost_at_s: float | None) -> None:
        """Raises if there is no point in another session."""
        if lost_at_s is None:
            raise PeerError(error.message, hint=error.hint or "Are the addresses right, and both clusters up?")
        patience_ms = self._settings.patience_ms
        if patience_ms is not None and self._now_s() - lost_at_s > patience_ms / 1_000:
            seconds = patience_ms // 1_000
            raise PeerError(f"{error.message}; gave up after {seconds} s", hint="Start the mirror again: it goes on.")

    def _report(self) -> None:
        if self._now_s() - self._reported_at_s >= _REPORT_EVERY_S:
            self._reported_at_s = self._now_s()
            self._on_progress(self._snapshot())

    def _snapshot(self) -> Snapshot:
        return self._memory.tally.snapshot(self._now_s())

    def _now_s(self) -> float:
        return self._context.clock.monotonic_s()
