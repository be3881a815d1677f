"""What every test may count on, however pytest was started.

A shell starts what runs behind it (`make test &`, under nohup, in a trap) with SIGINT ignored, and children inherit
that: no Ctrl-C that a test sends one would ever reach it. Ignored is therefore made Python's own before the first test.
"""

from __future__ import annotations

import signal

import pytest


def pytest_sessionstart(session: pytest.Session) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
