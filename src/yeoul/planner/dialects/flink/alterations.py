"""The grammar of ALTER TABLE and ALTER VIEW."""

from __future__ import annotations

from sqlglot import exp

from yeoul.planner.dialects.flink.lexer import TokenType
from yeoul.planner.dialects.flink.nodes import AlterSyntax, ColumnElement
from yeoul.planner.dialects.flink.queries import NO_MODELS
from yeoul.planner.dialects.flink.tables import TableGrammar

__all__ = ["AlterationGrammar"]

_INSTEAD = {
    "DATABASE": "A database has a name and nothing else",
    "CATALOG": "A catalog has a name and nothing else",
    "FUNCTION": "CREATE OR REPLACE FUNCTION ... AS 'module.function' LANGUAGE PYTHON",
    "MODEL": NO_MODELS,
}


class AlterationGrammar(TableGrammar):
    """Reads what changes a table or a view."""

    def _alter(self) -> exp.Expr:
        for word in ("TABLE", "VIEW"):
            if self.take_word(word):
                if_exists = self.take_word("IF", "EXISTS")
                altered = AlterSyntax(
                    this=self.table(f"the name of the {word.lower()}"), kind=word.lower(), if_exists=if_exists
                )
                self._alteration(altered, word)
                return altered
        if self.sees_any_word(frozenset({"DATABASE", "CATALOG", "FUNCTION", "MODEL"})):
            self.refuse(f"ALTER {self._curr.text.upper()}", _INSTEAD[self._curr.text.upper()])
        self.fail("TABLE or VIEW after ALTER", keywords=("TABLE", "VIEW"))

    def _alteration(self, altered: AlterSyntax, word: str) -> None:
        if self.take_word("RENAME", "TO"):
            altered.set("rename", self._own_name("the new name"))
        elif word == "TABLE" and self.take_word("RENAME"):
            old = self.name("the name of a column")
            self.expect_word("TO")
            altered.set("rename_column", [old, self.name("the new name of the column")])
        elif word == "VIEW":
            self.expect_word("AS")
            query, text = self._query_as_written()
            altered.set("expression", query)
            altered.set("text", text)
        elif self.take_word("SET"):
            altered.set("options", [self.option_pair() for _ in self.between_parens()])
        elif self.take_word("RESET"):
            altered.set("reset", [self.string("an option in quotes") for _ in self.between_parens()])
        elif any(self.sees_word("PARTITION", ahead=far) for far in (0, 1, 3, 4)):  # behind ADD, DROP, IF [NOT] EXISTS
            self.refuse("PARTITION in ALTER TABLE", "Tables have no partitions that are declared")
        elif self.take_word("ADD"):
            altered.set("add", self._altered_elements())
        elif self.take_word("MODIFY"):
            altered.set("modify", self._altered_elements())
        elif self.take_word("DROP"):
            altered.set("drop", self._dropped_elements())
        else:
            words = ("ADD", "MODIFY", "DROP", "RENAME", "SET", "RESET")
            self.fail("ADD, MODIFY, DROP, RENAME, SET or RESET", keywords=words)

    def _altered_elements(self) -> list[exp.Expr]:
        if self.sees(TokenType.L_PAREN):
            return [self._placed_element() for _ in self.between_parens()]
        return [self._placed_element()]

    def _placed_element(self) -> exp.Expr:
        """Reads an element of a table and where a column goes: FIRST, or AFTER another."""
        self.take_word("COLUMN")
        element = self._table_element()
        if isinstance(element, ColumnElement):
            if self.take_word("FIRST"):
                element.set("position", "FIRST")
            elif self.take_word("AFTER"):
                element.set("position", self.name("the name of a column after AFTER"))
        return element

    def _dropped_elements(self) -> list[exp.Expr]:
        for words, what in ((("PRIMARY", "KEY"), "PRIMARY KEY"), (("WATERMARK",), "WATERMARK")):
            token = self._curr
            if self.take_word(*words):
                return [self.at(exp.Literal.string(what), token)]
        if self.sees_word("CONSTRAINT"):
            token = self._curr
            self._advance()
            self.name("the name of the constraint")
            return [self.at(exp.Literal.string("PRIMARY KEY"), token)]
        self.take_word("COLUMN")
        if self.sees(TokenType.L_PAREN):
            return [self.name("the name of a column") for _ in self.between_parens()]
        return [self.name("the name of a column")]
