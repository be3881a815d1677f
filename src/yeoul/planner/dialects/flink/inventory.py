"""The grammar of SHOW and DESCRIBE: what there is.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql/show/ and .../describe/
"""

from __future__ import annotations

from sqlglot import exp

from yeoul.planner.dialects.flink.alterations import AlterationGrammar
from yeoul.planner.dialects.flink.lexer import TokenType
from yeoul.planner.dialects.flink.nodes import DescribeNamedSyntax, DescribeSyntax, ShowSyntax

__all__ = ["InventoryGrammar"]

_SHOWN = (
    "TABLES",
    "VIEWS",
    "FUNCTIONS",
    "USER FUNCTIONS",
    "CATALOGS",
    "DATABASES",
    "MODULES",
    "FULL MODULES",
    "PROCEDURES",
    "MODELS",
    "MATERIALIZED TABLES",
    "JARS",
    "JOBS",
    "CURRENT CATALOG",
    "CURRENT DATABASE",
)
_REFUSED = {
    "PARTITIONS": "Tables have no partitions that are declared; SHOW COLUMNS lists a table's columns",
    "CREATE CATALOG": "DESCRIBE CATALOG tells what there is",
    "CREATE DATABASE": "DESCRIBE DATABASE tells what there is",
    "CREATE MODEL": "There are no models",
    "CREATE MATERIALIZED TABLE": "There are no materialized tables",
}


class InventoryGrammar(AlterationGrammar):
    """Reads SHOW and DESCRIBE."""

    def _show(self) -> exp.Expr:
        for words, hint in _REFUSED.items():
            if self.sees_word(*words.split()):
                self.refuse(f"SHOW {words}", hint)
        for words in _SHOWN:
            if self.take_word(*words.split()):
                place = self._place() if self.take_word("FROM") or self.take_word("IN") else ""
                return self._with_pattern(ShowSyntax(this=words.lower(), place=place))
        for words in ("CREATE TABLE", "CREATE VIEW"):
            if self.take_word(*words.split()):
                return ShowSyntax(this=words.lower(), expression=self.table("the name of a table or view"))
        if self.take_word("COLUMNS"):
            if not (self.take_word("FROM") or self.take_word("IN")):
                self.fail("FROM and the name of a table", keywords=("FROM",))
            table = self.table("the name of a table or view")
            return self._with_pattern(ShowSyntax(this="columns", expression=table))
        self.fail("TABLES, VIEWS, FUNCTIONS, COLUMNS FROM, CREATE TABLE, ... after SHOW", keywords=(*_SHOWN, "COLUMNS"))

    def _place(self, what: str = "the name of a database") -> str:
        """Takes a catalog, a database or both."""
        parts = [self.name(what).name]
        while self.take(TokenType.DOT):
            parts.append(self.name("a name after '.'").name)
        return ".".join(parts)

    def _with_pattern(self, shown: ShowSyntax) -> ShowSyntax:
        """Takes [NOT] LIKE or ILIKE, and the pattern."""
        negated = self.take_word("NOT")
        for word in ("LIKE", "ILIKE"):
            if self.take_word(word):
                shown.set("pattern", self.string(f"a pattern in quotes after {word}"))
                shown.set("ignores_case", word == "ILIKE")
                shown.set("negated", negated)
                return shown
        if negated:
            self.fail("LIKE after NOT", keywords=("LIKE", "ILIKE"))
        return shown

    def _describe(self) -> exp.Expr:
        for kind in ("FUNCTION", "CATALOG", "DATABASE", "JOB", "MODEL"):
            if self.sees_word(kind) and self._index + 1 < self._tokens_size and not self.sees(TokenType.DOT, ahead=1):
                if kind in ("JOB", "MODEL"):
                    self.refuse(f"DESCRIBE {kind}", "SHOW JOBS lists the session's jobs" if kind == "JOB" else "")
                self._advance()
                extended = self.take_word("EXTENDED")
                return DescribeNamedSyntax(this=self._place(), kind=kind.lower(), extended=extended)
        self.take_word("EXTENDED")
        return DescribeSyntax(this=self.table("the name of a table or view"))
