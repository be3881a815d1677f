"""Where a statement ends, as far as a prompt needs to know; the planner does the real splitting."""

from __future__ import annotations

import re

__all__ = ["ends_statement", "is_blank"]

_TOKENS = re.compile(
    r"""
      --[^\n]*(?:\n|\Z)          # a comment to the end of the line
    | /\*.*?(?:\*/|\Z)           # a comment in brackets
    | '(?:[^']|'')*(?:'|\Z)      # a string
    | `(?:[^`]|``)*(?:`|\Z)      # a name in backticks
    | "(?:[^"]|"")*(?:"|\Z)      # a name in double quotes
    | [^\s]
    | \s+
    """,
    re.VERBOSE | re.DOTALL,
)


def ends_statement(text: str) -> bool:
    """Tells whether the last thing in a text, comments and space aside, is a semicolon that ends a statement.

    Example:
        >>> ends_statement("SELECT 1;"), ends_statement("SELECT ';"), ends_statement("SELECT 1; -- done")
        (True, False, True)
    """
    return _last_token(text) == ";"


def is_blank(text: str) -> bool:
    """Tells whether a text holds nothing but space, comments and semicolons.

    Example:
        >>> is_blank(" -- nothing\\n ;"), is_blank("SELECT")
        (True, False)
    """
    return all(token == ";" for token in _significant(text))


def _significant(text: str) -> list[str]:
    tokens = (match[0] for match in _TOKENS.finditer(text))
    return [token for token in tokens if not token.isspace() and not token.startswith(("--", "/*"))]


def _last_token(text: str) -> str:
    tokens = _significant(text)
    return tokens[-1] if tokens else ""
