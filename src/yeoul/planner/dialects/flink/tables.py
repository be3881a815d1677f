"""The grammar of CREATE TABLE: columns, watermark, key, options, LIKE, AS SELECT."""

from __future__ import annotations

from sqlglot import exp

from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import (
    ColumnElement,
    CreateTableSyntax,
    PrimaryKeyElement,
    WatermarkElement,
)
from yeoul.planner.dialects.flink.queries import QueryGrammar

__all__ = ["TableGrammar"]

_LIKE_RULES = ("INCLUDING", "EXCLUDING", "OVERWRITING")
_LIKE_PARTS = ("ALL", "CONSTRAINTS", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS", "DISTRIBUTION")


class TableGrammar(QueryGrammar):
    """Reads what declares a table."""

    def _if_not_exists(self) -> bool:
        return self.take_word("IF", "NOT", "EXISTS")

    def _create_table(self) -> exp.Expr:
        if_not_exists = self._if_not_exists()
        created = CreateTableSyntax(this=self._own_name("the name of the table"), if_not_exists=if_not_exists)
        names_at: Token | None = None
        if self.sees(TokenType.L_PAREN):
            if self.sees(TokenType.R_PAREN, ahead=1):
                self._advance(2)
            elif self._sees_names_alone():
                names_at = self._curr
                created.set("names", self._column_names())
            else:
                created.set("expressions", self._table_elements())
        if self.take_word("COMMENT"):
            created.set("comment", self.string("a string after COMMENT"))
        if self.sees_word("DISTRIBUTED"):
            self.refuse("DISTRIBUTED BY", "Partitions of a topic are set when the topic is created")
        if self.sees_word("PARTITIONED"):
            self.refuse("PARTITIONED BY", "Leave it out: each row is written whole, its partition's columns included")
        if self.take_word("WITH"):
            created.set("options", [self.option_pair() for _ in self.between_parens()])
        if self.take_word("LIKE"):
            created.set("like", self.table("the name of a table after LIKE"))
            created.set("like_rules", self._like_rules())
        elif self.take_word("AS"):
            query, text = self._query_as_written()
            created.set("query", query)
            created.set("text", text)
        if names_at is not None and not created.args.get("query"):
            self._advance(self._tokens.index(names_at) + 2 - self._index)
            self.fail("a type")
        if not self.at_end:
            self.fail(
                "COMMENT, WITH or the end of the statement",
                keywords=("COMMENT", "WITH", "LIKE"),
                hint=self._with_hint(),
            )
        return created

    def _sees_names_alone(self) -> bool:
        """Tells whether a list of names follows, as CREATE TABLE ... AS SELECT has it: `(a, b)`."""
        names = (TokenType.VAR, TokenType.IDENTIFIER)
        at = 1
        while any(self.sees(kind, at) for kind in names) and self.sees(TokenType.COMMA, at + 1):
            at += 2
        return any(self.sees(kind, at) for kind in names) and self.sees(TokenType.R_PAREN, at + 1)

    def _like_rules(self) -> dict[str, str]:
        """Reads `(INCLUDING OPTIONS EXCLUDING WATERMARKS ...)`, the rule for each part of the other table."""
        rules: dict[str, str] = {}
        if not self.take(TokenType.L_PAREN):
            return rules
        while not self.take(TokenType.R_PAREN):
            token = self._curr
            rule = next((word for word in _LIKE_RULES if self.take_word(word)), None)
            if rule is None:
                self.fail("INCLUDING, EXCLUDING or OVERWRITING, or ')'", keywords=_LIKE_RULES)
            part = next((word for word in _LIKE_PARTS if self.take_word(word)), None)
            if part is None:
                self.fail(f"a part of a table after {rule}", keywords=_LIKE_PARTS)
            if rule == "OVERWRITING" and part in ("ALL", "CONSTRAINTS"):
                self._advance(self._tokens.index(token) - self._index)
                self.fail(f"INCLUDING or EXCLUDING for {part}")
            rules[part] = rule
        return rules

    def _with_hint(self) -> str:
        return "Options stand in WITH ('connector' = '...', ...)" if self.sees(TokenType.L_PAREN) else ""

    def _own_name(self, what: str) -> exp.Table:
        """Takes the name of what a statement makes or drops, its database included where it is written."""
        table = self.table(what)
        if table.args.get("hints"):
            self.fail("a name without a hint")
        return table

    def _table_elements(self) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        for _ in self.between_parens():
            if self.sees(TokenType.R_PAREN):
                self.fail("a column", hint="Is there one comma too many?")
            found.append(self._table_element())
        return found

    def _table_element(self) -> exp.Expr:
        token = self._curr
        if self.take_word("WATERMARK", "FOR"):
            column = self.name("the row-time column after WATERMARK FOR")
            self.expect_word("AS")
            expression, text = self._expression_as_written()
            return self.at(WatermarkElement(this=column, expression=expression, text=text), token)
        if self.take_word("CONSTRAINT"):
            self.name("the name of the constraint")
            if not self.sees_word("PRIMARY"):
                self.fail("PRIMARY KEY", keywords=("PRIMARY",))
        if self.take_word("PRIMARY", "KEY"):
            columns = [self.name("the name of a column") for _ in self.between_parens()]
            self._not_enforced()
            return self.at(PrimaryKeyElement(expressions=columns), token)
        return self._column()

    def _not_enforced(self) -> None:
        if not self.take_word("NOT", "ENFORCED"):
            self.fail("NOT ENFORCED", hint="A stream cannot check a key: PRIMARY KEY (...) NOT ENFORCED")

    def _column(self) -> exp.Expr:
        token = self._curr
        column = ColumnElement(this=self.name("the name of a column"), kind="physical")
        if self.take_word("AS"):
            column.set("kind", "computed")
            expression, text = self._expression_as_written()
            column.set("expression", expression)
            column.set("text", text)
        else:
            column.set("type", self.type_name())
            if self.take_word("METADATA"):
                column.set("kind", "metadata")
                if self.take_word("FROM"):
                    column.set("key", self.string("the metadata's key in quotes"))
                column.set("virtual", self.take_word("VIRTUAL"))
            elif self._takes_inline_key():
                self._not_enforced()
                column.set("primary_key", True)
        if self.take_word("COMMENT"):
            column.set("comment", self.string("a string after COMMENT"))
        return self.at(column, token)

    def _takes_inline_key(self) -> bool:
        """Takes [CONSTRAINT name] PRIMARY KEY behind a column's type."""
        if self.take_word("CONSTRAINT"):
            self.name("the name of the constraint")
            self.expect_word("PRIMARY", "KEY")
            return True
        return self.take_word("PRIMARY", "KEY")

    def _expression_as_written(self) -> tuple[exp.Expr, str]:
        start = self._curr
        expression = self.expression_()
        return expression, self.sql[start.start : self._prev.end + 1]

    def _query_as_written(self) -> tuple[exp.Expr, str]:
        start = self._curr
        query = self.query()
        return query, self.sql[start.start : self._prev.end + 1] if start else ""
