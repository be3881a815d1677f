"""The token cursor under the grammar: take, expect, or say what was expected where.

Words are taken by their text, so a keyword is one only where the grammar looks for it; `RESERVED` holds those that
can never be a name without backticks because a clause begins with them.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Sequence
from typing import NoReturn, TypeVar

from sqlglot import exp
from sqlglot.parser import Parser

from yeoul.errors import Span, UserError
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.positions import Positions

__all__ = ["MAX_DEPTH", "MAX_HEIGHT", "RESERVED", "STATEMENTS", "TokenCursor"]

MAX_DEPTH = 80
"""How deep parentheses, calls and subqueries may nest."""
MAX_HEIGHT = 120
"""How high an expression's tree may grow, `a + b + c + ...` included (AND and OR do not count: they are balanced)."""

RESERVED = frozenset(
    [
        "ALL",
        "AND",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CREATE",
        "CROSS",
        "DESCRIPTOR",
        "DISTINCT",
        "DROP",
        "ELSE",
        "END",
        "EXCEPT",
        "EXISTS",
        "EXPLAIN",
        "FALSE",
        "FETCH",
        "FOR",
        "FROM",
        "FULL",
        "GROUP",
        "HAVING",
        "IN",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "LATERAL",
        "LEFT",
        "LIKE",
        "LIMIT",
        "MINUS",
        "NATURAL",
        "NOT",
        "NULL",
        "ON",
        "OR",
        "ORDER",
        "OVER",
        "PARTITION",
        "RIGHT",
        "SELECT",
        "TABLE",
        "THEN",
        "TRUE",
        "UNION",
        "UNKNOWN",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "WINDOW",
        "WITH",
    ]
)

STATEMENTS = (
    "SELECT",
    "INSERT",
    "CREATE",
    "DROP",
    "EXPLAIN",
    "SET",
    "RESET",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "WITH",
    "VALUES",
)
"""The words that statements begin with."""

_N = TypeVar("_N", bound=exp.Expr)


class TokenCursor(Parser):
    """sqlglot's parser with its own rules left aside: `_curr` and `_advance` are its, the rest is here."""

    text_positions: Positions
    _depth: int = 0

    def begin(self, tokens: Sequence[Token], text: str, positions: Positions) -> None:
        """Sets the cursor on the first token of one statement."""
        self.reset()
        self.sql = text
        self.text_positions = positions
        self._depth = 0
        self._tokens = list(tokens)
        self._tokens_size = len(self._tokens)
        self._index = -1
        self._advance()

    # --- looking

    @property
    def at_end(self) -> bool:
        return self._index >= self._tokens_size

    def sees(self, kind: TokenType, ahead: int = 0) -> bool:
        """Tells whether a token of a kind comes next, or so many tokens later."""
        index = self._index + ahead
        return index < self._tokens_size and self._tokens[index].token_type == kind

    def sees_word(self, *words: str, ahead: int = 0) -> bool:
        """Tells whether these words, in upper case, come next."""
        start = self._index + ahead
        window = self._tokens[start : start + len(words)]
        return len(window) == len(words) and all(
            token.token_type == TokenType.VAR and token.text.upper() == word
            for token, word in zip(window, words, strict=True)
        )

    def sees_any_word(self, words: frozenset[str]) -> bool:
        """Tells whether one of these words, in upper case, comes next."""
        return self.sees(TokenType.VAR) and self._curr.text.upper() in words

    # --- taking

    def take(self, kind: TokenType) -> bool:
        """Advances past a token of this kind, if it comes next."""
        found = self.sees(kind)
        if found:
            self._advance()
        return found

    def take_word(self, *words: str) -> bool:
        """Advances past these words, if they come next."""
        found = self.sees_word(*words)
        if found:
            self._advance(len(words))
        return found

    def expect(self, kind: TokenType, what: str, hint: str = "") -> Token:
        """Advances past a token of this kind, or fails saying what was expected."""
        token = self._curr
        if not self.take(kind):
            self.fail(what, hint=hint)
        return token

    def expect_word(self, *words: str) -> None:
        """Advances past these words, or fails."""
        for word in words:
            if not self.take_word(word):
                self.fail(word, keywords=(word,))

    def name(self, what: str) -> exp.Identifier:
        """Takes a name, in backticks or not; `what` says whose, for the error."""
        token = self._curr
        if self.sees(TokenType.IDENTIFIER):
            self._advance()
            return self.at(exp.Identifier(this=token.text, quoted=True), token)
        if not self.sees(TokenType.VAR):
            self.fail(what)
        if token.text.upper() in RESERVED:
            self.fail(what, hint=f"{token.text} is a reserved word: as a name it stands in backticks, `{token.text}`")
        self._advance()
        return self.at(exp.Identifier(this=token.text, quoted=False), token)

    def string(self, what: str) -> str:
        """Takes a string literal and returns its text."""
        return str(self.expect(TokenType.STRING, what).text)

    def between_parens(self) -> Iterator[None]:
        """Yields once for each item of `( item, item, ... )`."""
        self.expect(TokenType.L_PAREN, "'('")
        yield
        while self.take(TokenType.COMMA):
            yield
        self.expect(TokenType.R_PAREN, "',' or ')'", hint=self.comma_hint())

    # --- nodes

    def at(self, node: _N, token: Token) -> _N:
        """Marks a node with a token's place, and refuses trees that grow too high."""
        node.meta["start"] = token.start
        parts = [part.meta.get("height", 1) for part in node.iter_expressions()]
        height = 1 + max(parts, default=0)
        node.meta["height"] = height
        if height > MAX_HEIGHT:
            raise UserError(
                f"The expression is too deep: more than {MAX_HEIGHT} operations within each other",
                hint="Split it over several views",
                span=self.text_positions.span(token.start),
            )
        return node

    @contextlib.contextmanager
    def nested(self) -> Iterator[None]:
        """Counts one level of nesting, and refuses the level that is too many."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UserError(
                f"The statement is nested too deep: more than {MAX_DEPTH} levels",
                hint="Split it over several views",
                span=self.here(),
            )
        try:
            yield
        finally:
            self._depth -= 1

    # --- failing

    def here(self) -> Span:
        """Returns the place of the next token, or just after the last."""
        if not self.at_end:
            return self.text_positions.span(self._curr.start)
        return self.text_positions.span(self._tokens[-1].end + 1 if self._tokens else 0)

    def found(self) -> str:
        """Names the next token for a message."""
        if self.at_end:
            return "the end of the statement"
        return f"{self.sql[self._curr.start : self._curr.end + 1]!r}"

    def fail(self, expected: str, *, hint: str = "", keywords: Sequence[str] = ()) -> NoReturn:
        """Raises what was expected and what was got here; near misses of the keywords become the hint."""
        raise UserError(
            f"Expected {expected}, got {self.found()}", hint=hint or self._misspelt(keywords), span=self.here()
        )

    def refuse(self, what: str, hint: str = "") -> NoReturn:
        """Raises that something Flink has is not here (yet)."""
        raise UserError(f"{what} is not supported yet", hint=hint, span=self.here())

    def comma_hint(self) -> str:
        """Returns the hint for two things side by side where a comma belongs between."""
        starts = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER)
        if self.sees_any_word(RESERVED):
            return ""
        return "Is a comma missing before it?" if any(self.sees(kind) for kind in starts) else ""

    def _misspelt(self, keywords: Sequence[str]) -> str:
        for index in (self._index, self._index - 1):
            if 0 <= index < self._tokens_size and self._tokens[index].token_type == TokenType.VAR:
                word = self._tokens[index].text.upper()
                near = difflib.get_close_matches(word, keywords, n=1, cutoff=0.7)
                if near and near[0] != word:
                    return f"Did you mean {near[0]!r} instead of {self._tokens[index].text!r}?"
        return ""
