"""The dialect as sqlglot sees it, and `read_script`, which the planner calls."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from yeoul.errors import UserError
from yeoul.plan.types import DataType
from yeoul.planner.dialects.flink.lexer import FlinkTokenizer, Token, tokenize
from yeoul.planner.dialects.flink.statements import StatementGrammar, split
from yeoul.planner.positions import Positions

__all__ = ["Flink", "read_script", "read_type_name"]


class Flink(Dialect):
    """Flink SQL; names keep their case, backticks quote them.

    Example:
        >>> import sqlglot
        >>> sqlglot.parse_one("SELECT a FROM t WHERE b > 1", dialect=Flink).sql()
        'SELECT a FROM t WHERE b > 1'
    """

    class Tokenizer(FlinkTokenizer):
        IDENTIFIERS = ["`"]  # noqa: RUF012

    class Parser(StatementGrammar):
        def parse(self, raw_tokens: list[Token], sql: str) -> list[exp.Expr | None]:
            positions = Positions(sql)
            found: list[exp.Expr | None] = []
            for tokens in split(raw_tokens):
                self.begin(tokens, sql, positions)
                found.append(self.statement())
            return found


def read_script(text: str) -> Iterator[tuple[exp.Expr, int, int]]:
    """Yields the tree of each statement with the offsets of its first and past its last character.

    Raises:
        UserError: What stands there is not Flink SQL; with its place and a hint.
    """
    parser = Flink.Parser(dialect=Flink())
    positions = Positions(text)
    for tokens in split(tokenize(text)):
        parser.begin(tokens, text, positions)
        yield parser.statement(), tokens[0].start, tokens[-1].end + 1


def read_type_name(text: str) -> DataType:
    """Reads a type that stands alone.

    Raises:
        UserError: It is none, or something follows it.
    """
    parser = Flink.Parser(dialect=Flink())
    tokens = tokenize(text)
    if not tokens:
        raise UserError("Expected a type, got nothing")
    parser.begin(tokens, text, Positions(text))
    found = parser.type()
    if not parser.at_end:
        parser.fail("the end of the type")
    return found
