"""Files that appear whole or not at all.

Owns the rename. Invariants: what is being written has a name that begins with `.`, so that no reader of ours or
Flink's takes it for data; before a rename the bytes are on disk, after it the directory is. Callers: `sink`.
"""

from __future__ import annotations

import contextlib
import os
from typing import BinaryIO

from yeoul.connectors.filesystem.listing import explain_failure

__all__ = ["Pending", "make_directory", "sync_directory"]


def make_directory(path: str) -> None:
    """Makes a directory and those above it.

    Raises:
        EnvironmentFailure: It cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise explain_failure("create the directory", path, error) from error


def sync_directory(path: str) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Pending:
    """A file under way to its name.

    Args:
        path: The name it will have.

    Raises:
        EnvironmentFailure: It cannot be created.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        directory, name = os.path.split(path)
        self._directory = directory or "."
        self.temporary = os.path.join(self._directory, f".{name}.{os.getpid()}.inprogress")
        try:
            self.file: BinaryIO = open(self.temporary, "wb")  # noqa: SIM115  (it outlives this call)
        except OSError as error:
            raise explain_failure("write", path, error) from error

    def publish(self) -> None:
        """Gives the file its name.

        Raises:
            EnvironmentFailure: The disk is full, or the rename fails.
        """
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            os.replace(self.temporary, self.path)
            sync_directory(self._directory)
        except OSError as error:
            raise explain_failure("write", self.path, error) from error

    def discard(self) -> None:
        """Removes what was never published; idempotent."""
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.temporary)
