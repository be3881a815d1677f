"""Flink SQL's tokens, each with its place; what is no token is an error that says where.

Words are not told apart here: whether `timestamp` is a type, a literal's prefix or a column is for the grammar.
The hint comment `/*+ ... */` yields its content as tokens between two HINT tokens.
"""

from __future__ import annotations

import re

from sqlglot.tokens import Token, Tokenizer, TokenType  # type: ignore[attr-defined]

from yeoul.errors import UserError
from yeoul.planner.positions import Positions

__all__ = ["MAX_TEXT_CHARS", "FlinkTokenizer", "Token", "TokenType", "tokenize"]

MAX_TEXT_CHARS = 4_000_000
"""A longer text is refused before it is read."""

_LEXEME = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<hint>/\*\+)
  | (?P<comment>/\*)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<binary>[xX]'(?:[^'])*')
  | (?P<unicode>[uU]&'(?:[^']|'')*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>`(?:[^`]|``)*`)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<operator>==|<>|!=|<=|>=|=>|\|\||:(?!:)|[()\[\],.;+\-*/%=<>])
    """,
    re.VERBOSE,
)
_OPERATORS = {
    "<>": TokenType.NEQ,
    "!=": TokenType.NEQ,
    "<=": TokenType.LTE,
    ">=": TokenType.GTE,
    "=>": TokenType.FARROW,
    "||": TokenType.DPIPE,
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
    "[": TokenType.L_BRACKET,
    "]": TokenType.R_BRACKET,
    ",": TokenType.COMMA,
    ":": TokenType.COLON,
    ".": TokenType.DOT,
    ";": TokenType.SEMICOLON,
    "+": TokenType.PLUS,
    "-": TokenType.DASH,
    "*": TokenType.STAR,
    "/": TokenType.SLASH,
    "%": TokenType.MOD,
    "=": TokenType.EQ,
    "<": TokenType.LT,
    ">": TokenType.GT,
}
_UNCLOSED = {
    "'": ("a string", "Close it with ' (a quote inside a string is written twice: 'it''s')"),
    "`": ("a quoted name", "Close it with `"),
    "/*": ("a comment", "Close it with */"),
    "/*+": ("a hint", "Close it with */"),
}
_FOREIGN = {
    '"': "Write strings in single quotes ('text') and names in backticks (`name`)",
    **dict.fromkeys("\u2018\u2019\u201c\u201d", "Write strings in straight single quotes: 'text'"),
    ":": "CAST(x AS type) converts; parameters are not part of Flink SQL",
    "{": "ARRAY[...], MAP[...] and ROW(...) make nested values",
    "?": "Parameters are not part of Flink SQL: put the value into the text",
    "@": "Variables are not part of Flink SQL",
    "&": "AND joins conditions",
    "|": "OR joins conditions, || joins strings",
    "!": "NOT negates, <> means not equal",
    "^": "POWER(x, y) raises",
    "\\": "Strings have no backslash escapes outside quotes",
}


class _Lexer:
    """One pass over a text; see `tokenize`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.positions = Positions(text)
        self.tokens: list[Token] = []
        self.hint_start: int | None = None

    def run(self) -> list[Token]:
        if len(self.text) > MAX_TEXT_CHARS:
            raise UserError(f"The SQL text has {len(self.text)} characters, at most {MAX_TEXT_CHARS} are read")
        offset = 0
        while offset < len(self.text):
            offset = self._next(offset)
        if self.hint_start is not None:
            raise self._unclosed("/*+", self.hint_start)
        return self.tokens

    def _next(self, offset: int) -> int:
        if self.hint_start is not None and self.text.startswith("*/", offset):
            self.hint_start = None
            self._add(TokenType.HINT, "*/", offset, offset + 2)
            return offset + 2
        match = _LEXEME.match(self.text, offset)
        if match is None:
            raise self._no_token(offset)
        end = match.end()
        match match.lastgroup:
            case "comment":
                return self._comment_end(offset)
            case "hint":
                self.hint_start = offset
                self._add(TokenType.HINT, "/*+", offset, end)
            case "number":
                self._number(offset, end)
            case "word":
                self._add(TokenType.VAR, match[0], offset, end)
            case "string":
                self._add(TokenType.STRING, match[0][1:-1].replace("''", "'"), offset, end)
            case "unicode":
                self._unicode(match[0][3:-1].replace("''", "'"), offset, end)
            case "binary":
                self._binary(match[0][2:-1], offset, end)
            case "quoted":
                self._quoted_name(match[0][1:-1].replace("``", "`"), offset, end)
            case "operator" if match[0] == "==":
                raise UserError("Unexpected '=='", hint="Equality is one =", span=self.positions.span(offset))
            case "operator":
                self._add(_OPERATORS[match[0]], match[0], offset, end)
        return end

    def _add(self, kind: TokenType, text: str, start: int, end: int) -> None:
        span = self.positions.span(start)
        self.tokens.append(Token(kind, text, span.line, span.column, start, end - 1))

    def _number(self, start: int, end: int) -> None:
        after = self.text[end : end + 1]
        if after.isalpha() or after == "_":
            word = re.compile(r"[\w$.]+").match(self.text, start)
            raise UserError(
                f"{word[0] if word else after!r} is neither a number nor a name",
                hint="A name that begins with a digit stands in backticks",
                span=self.positions.span(start),
            )
        self._add(TokenType.NUMBER, self.text[start:end], start, end)

    def _binary(self, digits: str, start: int, end: int) -> None:
        if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", digits):
            raise UserError(
                f"Expected an even number of hexadecimal digits in a binary literal, got {digits!r}",
                span=self.positions.span(start),
            )
        self._add(TokenType.HEX_STRING, digits, start, end)

    def _unicode(self, text: str, start: int, end: int) -> None:
        escapes = re.compile(r"\\\\|\\[0-9a-fA-F]{4}|\\")
        found = escapes.sub(lambda one: self._character(one[0], start), text)
        self._add(TokenType.STRING, found.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), start, end)

    def _character(self, escape: str, start: int) -> str:
        if escape == "\\\\":
            return "\\"
        if len(escape) == 1:
            raise UserError(
                "Expected four hexadecimal digits after each backslash of U&'...'",
                hint="U&'\\2603' is a snowman; a backslash itself is written twice",
                span=self.positions.span(start),
            )
        return chr(int(escape[1:], 16))

    def _quoted_name(self, name: str, start: int, end: int) -> None:
        if not name:
            raise UserError("A quoted name is empty", span=self.positions.span(start))
        self._add(TokenType.IDENTIFIER, name, start, end)

    def _comment_end(self, start: int) -> int:
        end = self.text.find("*/", start + 2)
        if end < 0:
            raise self._unclosed("/*", start)
        return end + 2

    def _no_token(self, offset: int) -> UserError:
        char = self.text[offset]
        if char in ("'", "`"):
            return self._unclosed(char, offset)
        return UserError(
            f"Unexpected character {char!r}", hint=_FOREIGN.get(char, ""), span=self.positions.span(offset)
        )

    def _unclosed(self, opening: str, offset: int) -> UserError:
        what, hint = _UNCLOSED[opening]
        return UserError(f"The text ends inside {what} that begins here", hint=hint, span=self.positions.span(offset))


def tokenize(text: str) -> list[Token]:
    """Returns the tokens of a text, semicolons included.

    Raises:
        UserError: An unclosed string, name or comment, or a character that no token begins with.

    Example:
        >>> [token.text for token in tokenize("SELECT a$late -- why\\nFROM `t`")]
        ['SELECT', 'a$late', 'FROM', 't']
    """
    return _Lexer(text).run()


class FlinkTokenizer(Tokenizer):
    """The lexer, where sqlglot looks for one."""

    def tokenize(self, sql: str) -> list[Token]:
        return tokenize(sql)
