"""Errors as text for people: what, the line of SQL it happened in, and what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from yeoul.errors import YeoulError

__all__ = ["describe", "tell"]

_MOST_SHOWN = 50
"""Characters of a line of SQL on either side of the place."""


def describe(error: YeoulError, source: str | None = None) -> str:
    r"""Returns an error as lines: `error:`, the place in `source` if it has one, `hint:`.

    Args:
        error: What went wrong.
        source: The text that the error's span refers to.

    Example:
        >>> from yeoul.errors import Span, UserError
        >>> failure = UserError("Unknown column 'b'", hint="Did you mean 'a'?", span=Span(2, 8))
        >>> print(describe(failure, "CREATE ...;\nSELECT b FROM t"))
        error: Unknown column 'b' (line 2, column 8)
          2 | SELECT b FROM t
            |        ^
        hint: Did you mean 'a'?
    """
    lines = [f"error: {error.message}"]
    if source is not None and error.span is not None:
        lines += _excerpt(source, error.span.line, error.span.column)
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def _excerpt(source: str, line: int, column: int) -> list[str]:
    texts = source.splitlines()
    if not 0 < line <= len(texts):
        return []
    before, behind = texts[line - 1][: column - 1], texts[line - 1][column - 1 :]
    if len(before) > _MOST_SHOWN:
        before = "..." + before[-_MOST_SHOWN:]
    if len(behind) > _MOST_SHOWN:
        behind = behind[:_MOST_SHOWN] + "..."
    # tabs keep their width, so that the mark stands below the character
    margin = "".join("\t" if character == "\t" else " " for character in before)
    return [f"  {line} | {before}{behind}", f"  {' ' * len(str(line))} | {margin}^"]


def tell(error: YeoulError, source: str | None = None, stream: TextIO | None = None) -> None:
    """Prints an error to stderr."""
    print(describe(error, source), file=stream or sys.stderr, flush=True)
