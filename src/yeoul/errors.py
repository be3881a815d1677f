"""Every error that yeoul raises on purpose, by whose fault it is.

One root, three branches: the caller wrote something that cannot be done (`UserError`), the other end of a connection
broke the protocol or refused (`PeerError`), or the machine did not provide (`EnvironmentFailure`). A message says
where, what was expected, what was got, and, as `hint`, what to do next. The command line prints
`error: <message>` and `hint: <hint>`; a traceback is for our own bugs only.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["EnvironmentFailure", "PeerError", "Span", "UserError", "YeoulError", "did_you_mean"]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text the user wrote; both numbers count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class YeoulError(Exception):
    """The root of all errors raised on purpose.

    Args:
        message: Where, what was expected and what was got, in one sentence.
        hint: What the reader can do about it; empty if there is nothing to say.
        span: The place in the user's text, when the error has one; it is appended to the message.
    """

    def __init__(self, message: str, *, hint: str = "", span: Span | None = None) -> None:
        self.message = message if span is None else f"{message} ({span})"
        self.hint = hint
        self.span = span
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class UserError(YeoulError):
    """What was asked for cannot be done as written: mend the text, the option or the call."""


class PeerError(YeoulError):
    """The other end of a connection refused, broke the protocol or went away."""


class EnvironmentFailure(YeoulError):
    """The machine did not provide: a file, a port, space on disk, a permission."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Returns the hint that names the nearest known word, or lists the known ones when nothing is near.

    Example:
        >>> did_you_mean("latncy", ["user_id", "latency"])
        "Did you mean 'latency'?"
        >>> did_you_mean("zzz", ["a", "b"])
        'Known: a, b'
        >>> did_you_mean("zzz", [])
        ''
    """
    words = sorted(set(known))
    by_lower = {word.lower(): word for word in words}
    near = difflib.get_close_matches(given.lower(), list(by_lower), n=1, cutoff=0.6)
    if near:
        return f"Did you mean {by_lower[near[0]]!r}?"
    if not words:
        return ""
    shown = ", ".join(words[:12])
    return f"Known: {shown}" + (f", and {len(words) - 12} more" if len(words) > 12 else "")
