"""Which files a path names, and what is wrong when it names none.

Owns the walk. Invariants: the order is that of the paths; files whose name begins with `.` or `_` are left out, as
Flink does, for that is how files look that are still being written. Callers: `source`, `reader`.
"""

from __future__ import annotations

import glob
import os
import re

from yeoul.errors import EnvironmentFailure, did_you_mean

__all__ = ["explain_failure", "list_files", "local_path", "require_files"]


def local_path(given: str) -> str:
    """Returns the path without `file://`, `~` resolved.

    Example:
        >>> local_path("file:///tmp/a.json")
        '/tmp/a.json'
    """
    return os.path.expanduser(given.removeprefix("file://"))


def list_files(path: str, pattern: re.Pattern[str] | None) -> list[str]:
    """Returns the files that `path` names now, none if there is nothing there.

    Raises:
        EnvironmentFailure: A directory cannot be listed.
    """
    found: list[str] = []
    roots = [path] if os.path.lexists(path) else glob.glob(path, recursive=True)
    for root in roots:
        found += _walk(root) if os.path.isdir(root) else [root]
    return sorted({file for file in found if pattern is None or pattern.fullmatch(file)})


def _walk(root: str) -> list[str]:
    found: list[str] = []
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                if entry.name.startswith((".", "_")):
                    continue
                if entry.is_dir():
                    found += _walk(entry.path)
                else:
                    found.append(entry.path)
    except FileNotFoundError:
        return found
    except OSError as error:
        raise explain_failure("list", root, error) from error
    return found


def require_files(table: str, path: str, pattern: re.Pattern[str] | None) -> list[str]:
    """Returns the files that `path` names; a directory may have none: that is a table without rows.

    Raises:
        EnvironmentFailure: There is no such path, or nothing in it matches the pattern.
    """
    found = list_files(path, pattern)
    is_directory = os.path.isdir(path)
    if found or (is_directory and pattern is None):
        return found
    where = f"Table {table!r}: 'path' = {path!r}"
    if is_directory:
        assert pattern is not None
        raise EnvironmentFailure(
            f"{where} is a directory without files that match",
            hint=f"'source.path.regex-pattern' = {pattern.pattern!r} is held against the whole path.",
        )
    if glob.has_magic(path):
        raise EnvironmentFailure(f"{where} matches no file", hint="Relative paths start at the working directory.")
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise EnvironmentFailure(f"{where}: there is no directory {directory!r}", hint="Check the path.")
    near = did_you_mean(os.path.basename(path), os.listdir(directory))
    hint = near if near.startswith("Did") else "Relative paths start at the working directory."
    raise EnvironmentFailure(f"{where}: there is no such file", hint=hint)


def explain_failure(doing: str, path: str, error: OSError) -> EnvironmentFailure:
    """Returns what to tell the user when the operating system refuses.

    Example:
        >>> str(explain_failure("read", "/x", PermissionError(13, "Permission denied")))
        "Cannot read '/x': permission denied. Check who may read it with 'ls -l'."
    """
    hint = ""
    if isinstance(error, PermissionError):
        hint = f"Check who may {doing} it with 'ls -l'."
    elif isinstance(error, FileNotFoundError):
        hint = "It was there before: was it moved or deleted?"
    reason = (error.strerror or str(error)).lower()
    return EnvironmentFailure(f"Cannot {doing} {path!r}: {reason}", hint=hint)
