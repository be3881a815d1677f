"""Small files that nobody but the broker's own user may read, replaced whole and durably.

Invariant: after a crash there is the old content or the new one, and at no moment can others read either.
Callers: `users`, `acl_store`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from yeoul.errors import EnvironmentFailure

__all__ = ["read_private_file", "replace_private_file"]

_OWNER_ONLY = 0o600
_OWNER_ONLY_DIRECTORY = 0o700


def read_private_file(path: Path) -> bytes | None:
    """Returns the content, or None when there is no such file.

    Raises:
        EnvironmentFailure: It cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EnvironmentFailure(f"Cannot read {str(path)!r}: {error.strerror or error}") from error


def replace_private_file(path: Path, content: bytes) -> None:
    """Puts the content in place, durably; blocks.

    Raises:
        EnvironmentFailure: It cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(mode=_OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()  # what a crash left behind may have other rights than ours
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        for directory in (path.parent, path.parent.parent):
            _sync_directory(directory)
    except OSError as error:
        raise EnvironmentFailure(f"Cannot write {str(path)!r}: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
