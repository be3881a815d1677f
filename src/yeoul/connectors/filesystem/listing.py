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
    """Returns the files that `path` names.

    Raises:
        EnvironmentFailure: There is no such path, or no file in it.
    """
    found = list_files(path, pattern)
    if found:
        return found
    where = f"Table {table!r}: 'path' = {path!r}"
    if os.path.isdir(path):
        raise EnvironmentFailure(f"{where} is a directory without files", hint=_regex_hint(pattern))
    if glob.has_magic(path):
        raise EnvironmentFailure(f"{where} matches no file", hint="Relative paths start at the working directory.")
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise EnvironmentFailure(f"{where}: there is no directory {directory!r}", hint="Check the path.")
    near = did_you_mean(os.path.basename(path), os.listdir(directory))
    hint = near if near.startswith("Did") else "Relative paths start at the working directory."
    raise EnvironmentFailure(f"{where}: there is no such file", hint=hint)


def _regex_hint(pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return "Files that begin with '.' or '_' are left out; 'source.monitor-interval' waits for new ones."
    return f"None matches 'source.path.regex-pattern' = {pattern.pattern!r}, which is held against the whole path."


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
