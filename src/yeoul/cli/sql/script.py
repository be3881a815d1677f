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
    | \w+
    | [^\s]
    | \s+
    """,
    re.VERBOSE | re.DOTALL,
)


def ends_statement(text: str) -> bool:
    """Tells whether the last thing in a text, comments and space aside, is a semicolon that ends a statement.

    Those within a statement set do not: that ends with `END;`.

    Example:
        >>> ends_statement("SELECT 1;"), ends_statement("SELECT ';"), ends_statement("SELECT 1; -- done")
        (True, False, True)
        >>> ends_statement("BEGIN STATEMENT SET; INSERT INTO a SELECT 1;")
        False
    """
    statement: list[str] = []
    ended = False
    for token in _significant(text):
        statement.append(token.upper())
        ended = token == ";" and not _is_open_set(statement)
        if ended:
            statement.clear()
    return ended


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


def _is_open_set(statement: list[str]) -> bool:
    """Whether these tokens begin a statement set and do not end it."""
    words = statement[statement.index("STATEMENT") - 1 :] if "STATEMENT" in statement[:5] else statement
    begins = words[:4] == ["EXECUTE", "STATEMENT", "SET", "BEGIN"] or words[:3] == ["BEGIN", "STATEMENT", "SET"]
    explained = statement[:1] == ["EXPLAIN"] and words[1:4] == ["STATEMENT", "SET", "BEGIN"]
    return (begins or explained) and statement[-3:] != [";", "END", ";"]
