"""Where a syntax node stands in the user's text, as line and column."""

from __future__ import annotations

import bisect

from sqlglot import exp

from yeoul.errors import Span

__all__ = ["Positions", "offset_of"]


class Positions:
    """Turns offsets into a text to lines and columns, both counted from 1.

    Example:
        >>> str(Positions("SELECT\\n  a").span(9))
        'line 2, column 3'
    """

    def __init__(self, text: str) -> None:
        self._line_starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]

    def span(self, offset: int) -> Span:
        """Returns the place of one character."""
        line = bisect.bisect_right(self._line_starts, offset)
        return Span(line, offset - self._line_starts[line - 1] + 1)

    def of(self, node: exp.Expr | None) -> Span | None:
        """Returns where a node begins; None if nothing in it has a position."""
        offset = None if node is None else offset_of(node)
        return None if offset is None else self.span(offset)


def offset_of(node: exp.Expr) -> int | None:
    """Returns the offset at which a node, or else the first of its parts that has a position, begins."""
    start = node.meta.get("start")
    if isinstance(start, int):
        return start
    return next((found for part in node.iter_expressions() if (found := offset_of(part)) is not None), None)
