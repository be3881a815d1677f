"""Where a new password comes from: the terminal, a pipe or a file; the command line only when asked for aloud.

Invariant: a password is never printed. Caller: `commands/users`.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["new_password"]


def new_password(user: str, file: Path | None, given: str | None) -> str:
    """Returns a user's new password: from the file, as given, typed twice at a terminal, or the first line of stdin.

    Raises:
        UserError: There is none, or it was typed differently the second time.
        EnvironmentFailure: The file cannot be read.
    """
    if file is not None and given is not None:
        raise UserError("--password and --password-file exclude each other")
    if given is not None:
        password = given
    elif file is not None:
        password = _first_line_of(file)
    elif sys.stdin.isatty():
        password = getpass.getpass(f"Password for {user}: ")
        if getpass.getpass("The same again: ") != password:
            raise UserError("The two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise UserError("The password is empty", hint="Type it, pipe it in, or name a file with --password-file.")
    return password


def _first_line_of(file: Path) -> str:
    try:
        return file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise EnvironmentFailure(f"Cannot read {str(file)!r}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise UserError(f"{str(file)!r} is not UTF-8 text") from None
