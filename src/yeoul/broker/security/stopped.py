"""Changing the users and rules of a broker that is not running.

Invariant: what a running broker holds in memory is never changed behind its back: the directory's lock is taken first.
Callers: `yeoul users`, `yeoul acls`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from yeoul.errors import EnvironmentFailure
from yeoul.log.disk import RealDisk

__all__ = ["stopped_broker"]


@contextlib.contextmanager
def stopped_broker(data_dir: Path) -> Iterator[None]:
    """Keeps brokers from a data directory, which is made if it is missing.

    Raises:
        EnvironmentFailure: A broker runs on it, or it cannot be made.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = RealDisk().lock(data_dir / ".lock")
    except OSError as error:
        raise EnvironmentFailure(f"Cannot use {str(data_dir)!r}: {error.strerror or error}") from error
    if lock is None:
        raise EnvironmentFailure(
            f"A broker runs on {str(data_dir)!r}",
            hint="Ask it instead: --bootstrap-server HOST:PORT, with --command-config FILE for your login.",
        )
    try:
        yield
    finally:
        lock.release()
