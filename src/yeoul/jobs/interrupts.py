"""Ctrl-C belongs to whoever runs the program, not to the threads of its jobs.

When Polars is imported it puts a handler of its own under Python's: a SIGINT that comes while Polars computes raises
KeyboardInterrupt there, on whichever thread that is, and Python raises it on the main thread as well. A job would die
of an interrupt that was meant for something else, and the main thread could be told twice of one Ctrl-C.
"""

from __future__ import annotations

import signal
import threading

import polars as _polars  # noqa: F401  - its handler is there from here on

__all__ = ["leave_interrupts_to_python"]


def leave_interrupts_to_python() -> None:
    """Puts Python's handler of SIGINT in the place of Polars'; whatever Python does at SIGINT stays as it is.

    Does nothing outside of the main thread, where Python allows no change, nor where SIGINT is not Python's.
    """
    if threading.current_thread() is threading.main_thread():
        ours = signal.getsignal(signal.SIGINT)
        if ours is not None:
            signal.signal(signal.SIGINT, ours)
