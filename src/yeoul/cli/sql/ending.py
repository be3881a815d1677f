"""How signals end `yeoul sql`: in order, as a KeyboardInterrupt on the main thread; at once only if that takes long."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

__all__ = ["Terminated", "ended_by_interrupts", "ended_by_sigterm"]

_PATIENCE_S = 2.0


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM, which is how everything but a person ends a process, do what Ctrl-C does."""

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    with _handled(signal.SIGTERM, end):
        yield


@contextlib.contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """Lets the first Ctrl-C end what runs in order, and one that comes when that was found to take long at once.

    One that comes right behind the first means nothing: `timeout` and terminals may send it to a process and, once
    more, to its group.
    """
    interrupts = _Interrupts()
    with _handled(signal.SIGINT, interrupts):
        try:
            yield
        finally:
            interrupts.patience.cancel()


class _Interrupts:
    def __init__(self) -> None:
        self.patience = threading.Timer(_PATIENCE_S, self._tell)
        self.patience.daemon = True
        self._came = False
        self._told = False

    def __call__(self, number: int, frame: object) -> None:
        if self._told:
            os._exit(130)
        if not self._came:
            self._came = True
            self.patience.start()
            raise KeyboardInterrupt

    def _tell(self) -> None:
        self._told = True
        print("Waiting for what is under way to end; Ctrl-C leaves at once.", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _handled(number: signal.Signals, handler: signal._HANDLER) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
