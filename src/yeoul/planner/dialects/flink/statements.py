"""The grammar of statements: DDL, INSERT, EXPLAIN, SET, SHOW, DESCRIBE.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql/create/
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.planner.dialects.flink.expressions import QUERY_WORDS
from yeoul.planner.dialects.flink.inventory import InventoryGrammar
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import (
    CreateDatabaseSyntax,
    CreateFunctionSyntax,
    CreateViewSyntax,
    DropDatabaseSyntax,
    DropSyntax,
    ExplainSyntax,
    InsertSyntax,
    ResetSyntax,
    SetSyntax,
    StatementSetSyntax,
    StopJobSyntax,
    UseSyntax,
)
from yeoul.planner.dialects.flink.queries import NO_MODELS

__all__ = ["StatementGrammar"]

_ROW_BY_ROW = "INSERT INTO a table with a PRIMARY KEY changes the row of its key"
_NO_JVM = "Functions of the JVM's languages, Flink's default, cannot run here: LANGUAGE PYTHON"
_NO_JAR = "Code of the JVM cannot run here: CREATE FUNCTION ... LANGUAGE PYTHON"
_NO_MODULES = "All functions are there from the beginning; CREATE FUNCTION adds one"
_CLIENT = "It is a command of Flink's SQL client, not a statement"
_NOT_YET = {
    "DELETE": _ROW_BY_ROW,
    "UPDATE": _ROW_BY_ROW,
    "MERGE": _ROW_BY_ROW,
    "TRUNCATE": "DROP TABLE forgets a table, not what it holds",
    "ANALYZE": "Plans do not depend on statistics",
    "LOAD": _NO_MODULES,
    "UNLOAD": _NO_MODULES,
    "COMPILE": "EXPLAIN shows the plan; submit the statement itself",
    "CALL": "There are no procedures",
    "ADD": _NO_JAR,
    "REMOVE": _NO_JAR,
    "QUIT": _CLIENT,
    "EXIT": _CLIENT,
    "CLEAR": _CLIENT,
    "HELP": _CLIENT,
    "SOURCE": _CLIENT,
}

_REFUSED_KINDS = {
    "CATALOG": "There is one catalog, default_catalog; CREATE DATABASE keeps names apart",
    "MODEL": NO_MODELS,
    "MATERIALIZED TABLE": "CREATE TABLE, and INSERT INTO it keeps it up to date",
    "CONNECTION": "The options of a table say how to reach what serves it",
}
_FLINK_DETAILS = frozenset({"ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"})


class StatementGrammar(InventoryGrammar):
    """Reads one statement, to its end."""

    def statement(self) -> exp.Expr:
        """Reads the statement that the cursor stands on.

        Raises:
            UserError: It is no statement, or something follows it.
        """
        token = self._curr
        found = self.at(self._statement(), token)
        if not self.at_end:
            self._unexpected_end()
        return found

    def _statement(self) -> exp.Expr:
        readers = self._readers_of_statements()
        word = self._curr.text.upper() if self.sees(TokenType.VAR) else ""
        if word in readers:
            self._advance()
            return readers[word]()
        if word in QUERY_WORDS or self.sees(TokenType.L_PAREN):
            return self.query()
        if word in _NOT_YET:
            self.refuse(word, _NOT_YET[word])
        self.fail("a statement", keywords=[*readers, *QUERY_WORDS])

    def _readers_of_statements(self) -> dict[str, Callable[[], exp.Expr]]:
        return {
            "CREATE": self._create,
            "REPLACE": self._replace,
            "DROP": self._drop,
            "INSERT": self._insert,
            "EXECUTE": self._execute,
            "BEGIN": self._begin,
            "EXPLAIN": self._explain,
            "SET": self._set,
            "RESET": self._reset,
            "SHOW": self._show,
            "ALTER": self._alter,
            "USE": self._use,
            "STOP": self._stop,
            "DESCRIBE": self._describe,
            "DESC": self._describe,
        }

    def _unexpected_end(self) -> None:
        clauses = ("WHERE", "GROUP", "HAVING", "LIMIT", "UNION", "FROM")
        hint = "" if self._misspelt(clauses) else self._missing_semicolon()
        self.fail("the end of the statement", hint=hint, keywords=clauses)

    def _missing_semicolon(self) -> str:
        starts = {*self._readers_of_statements(), "SELECT", "WITH"}
        is_start = self.sees(TokenType.VAR) and self._curr.text.upper() in starts
        return "Is a semicolon missing before it?" if is_start else self.comma_hint()

    # --- CREATE

    def _create(self) -> exp.Expr:
        replace = self.take_word("OR", "REPLACE")
        temporary = self.take_word("TEMPORARY")
        self.take_word("SYSTEM")
        if self.take_word("FUNCTION"):
            return self._create_function(replace, temporary)
        if self.take_word("DATABASE"):
            return self._create_database()
        self._refuse_kinds("CREATE")
        if self.take_word("TABLE"):
            created = self._create_table()
            created.set("or_replace", replace)
        elif self.take_word("VIEW"):
            created = self._create_view(replace)
        else:
            self.fail("TABLE, VIEW or FUNCTION after CREATE", keywords=("TABLE", "VIEW", "FUNCTION", "TEMPORARY"))
        created.set("temporary", temporary)
        return created

    def _replace(self) -> exp.Expr:
        """Reads REPLACE TABLE ... AS, which asks for a table to be there."""
        self.expect_word("TABLE")
        created = self._create_table()
        created.set("or_replace", True)
        created.set("must_be_there", True)
        return created

    def _create_database(self) -> exp.Expr:
        if_not_exists = self._if_not_exists()
        token = self._curr
        created = self.at(CreateDatabaseSyntax(this=self._database(), if_not_exists=if_not_exists), token)
        if self.take_word("COMMENT"):
            created.set("comment", self.string("a string after COMMENT"))
        if self.sees_word("WITH"):
            self.refuse("WITH of a database", "A database has a name and a comment")
        return created

    def _drop_database(self) -> exp.Expr:
        if_exists = self.take_word("IF", "EXISTS")
        token = self._curr
        dropped = self.at(DropDatabaseSyntax(this=self._database(), if_exists=if_exists), token)
        if not self.take_word("RESTRICT"):
            dropped.set("cascade", self.take_word("CASCADE"))
        return dropped

    def _database(self) -> str:
        """Takes the name of a database, or of a catalog and a database."""
        token = self._curr
        place = self._place()
        if place.count(".") > 1 or "." in token.text:
            raise UserError(
                f"Expected the name of a database, got {place!r}",
                hint="There is no dot in it",
                span=self.text_positions.span(token.start),
            )
        return place

    def _create_function(self, replace: bool, temporary: bool) -> exp.Expr:
        if_not_exists = self._if_not_exists()
        name = self._own_name("the name of the function").this
        self.expect_word("AS")
        path = self.string("'module.function' in quotes after AS")
        if not self.take_word("LANGUAGE", "PYTHON"):
            self.refuse("CREATE FUNCTION without LANGUAGE PYTHON", _NO_JVM)
        if self.sees_word("USING"):
            self.refuse("USING", "The function is imported from sys.path: 'module.function'")
        return CreateFunctionSyntax(
            this=name, path=path, if_not_exists=if_not_exists, or_replace=replace, temporary=temporary
        )

    def _create_view(self, replace: bool) -> exp.Expr:
        if_not_exists = self._if_not_exists()
        name = self._own_name("the name of the view")
        columns = self._column_names()
        comment = self.string("a string after COMMENT") if self.take_word("COMMENT") else ""
        self.expect_word("AS")
        query, text = self._query_as_written()
        return CreateViewSyntax(
            this=name,
            expressions=columns,
            expression=query,
            text=text,
            comment=comment,
            if_not_exists=if_not_exists,
            or_replace=replace,
        )

    # --- the others

    def _drop(self) -> exp.Expr:
        temporary = self.take_word("TEMPORARY")
        self.take_word("SYSTEM")
        if self.take_word("FUNCTION"):
            if_exists = self.take_word("IF", "EXISTS")
            return DropSyntax(
                this=self._own_name("the name of the function").this, kind="function", if_exists=if_exists
            )
        if self.take_word("DATABASE"):
            return self._drop_database()
        for word in ("TABLE", "VIEW"):
            if self.take_word(word):
                if_exists = self.take_word("IF", "EXISTS")
                name = self._own_name(f"the name of the {word.lower()}")
                return DropSyntax(this=name, kind=word.lower(), if_exists=if_exists, temporary=temporary)
        self._refuse_kinds("DROP")
        self.fail("TABLE, VIEW or FUNCTION after DROP", keywords=("TABLE", "VIEW", "FUNCTION"))

    def _refuse_kinds(self, verb: str) -> None:
        for kind, hint in _REFUSED_KINDS.items():
            if self.sees_word(*kind.split()):
                self.refuse(f"{verb} {kind}", hint)

    def _use(self) -> exp.Expr:
        kind = "catalog" if self.take_word("CATALOG") else "database"
        if self.sees_word("MODULES"):
            self.refuse("USE MODULES", _NO_MODULES)
        return UseSyntax(this=self._place(f"the name of a {kind}"), kind=kind)

    def _stop(self) -> exp.Expr:
        self.expect_word("JOB")
        stopped = StopJobSyntax(this=self.string("the name of a job in quotes, as SHOW JOBS lists it"))
        if self.sees_word("WITH"):
            self.refuse("STOP JOB ... WITH", "There are no checkpoints yet: STOP JOB 'name' cancels a job")
        return stopped

    def _insert(self) -> exp.Expr:
        if self.sees_word("OVERWRITE"):
            self.refuse("INSERT OVERWRITE", "INSERT INTO appends")
        self.expect_word("INTO")
        table = self.table("the name of a table after INSERT INTO")
        if self.sees_word("PARTITION"):
            self.refuse("PARTITION (...) in INSERT", "Name the columns: INSERT INTO t (a, b) SELECT ...")
        has_columns = self.sees(TokenType.L_PAREN) and not self.sees_word("SELECT", ahead=1)
        columns = self._column_names() if has_columns else None
        return InsertSyntax(this=table, expressions=columns, expression=self.query(), conflict=self._conflict())

    def _conflict(self) -> str | None:
        """Takes ON CONFLICT DO ..., and returns what to do."""
        if not self.take_word("ON"):
            return None
        self.expect_word("CONFLICT", "DO")
        for word in ("DEDUPLICATE", "NOTHING", "ERROR"):
            if self.take_word(word):
                return word
        if self.sees_word("UPDATE"):
            self.refuse("ON CONFLICT DO UPDATE", "DO DEDUPLICATE keeps the latest row of a key")
        words = ("DEDUPLICATE", "NOTHING", "ERROR")
        self.fail("DEDUPLICATE, NOTHING or ERROR after ON CONFLICT DO", keywords=words)

    def _execute(self) -> exp.Expr:
        if self.sees_word("PLAN"):
            self.refuse("EXECUTE PLAN", "Submit the statement itself")
        if not self.sees_word("STATEMENT"):
            return self._insert() if self.take_word("INSERT") else self.query()
        self.expect_word("STATEMENT", "SET", "BEGIN")
        return self._statement_set()

    def _begin(self) -> exp.Expr:
        self.expect_word("STATEMENT", "SET")
        self.expect(TokenType.SEMICOLON, "';' after BEGIN STATEMENT SET")
        return self._statement_set()

    def _statement_set(self) -> exp.Expr:
        inserts: list[exp.Expr] = []
        while not self.take_word("END"):
            token = self._curr
            if not self.take_word("INSERT"):
                what = "INSERT INTO or END" if inserts else "INSERT INTO"
                self.fail(f"{what} in a statement set", keywords=("INSERT", "END"))
            inserts.append(self.at(self._insert(), token))
            self.expect(TokenType.SEMICOLON, "';' after each INSERT of a statement set", hint=self.comma_hint())
        if not inserts:
            self.fail("INSERT INTO in a statement set")
        return StatementSetSyntax(expressions=inserts)

    def _explain(self) -> exp.Expr:
        detail = self._explain_detail()
        self.take_word("PLAN", "FOR")
        token = self._curr
        if self.take_word("INSERT"):
            return ExplainSyntax(this=self.at(self._insert(), token), detail=detail)
        if self.sees_word("CREATE") or self.sees_word("REPLACE"):
            created = self.at(self._statement(), token)
            if not created.args.get("query"):
                self.refuse("EXPLAIN of a statement that computes nothing", "EXPLAIN CREATE TABLE ... AS SELECT ...")
            return ExplainSyntax(this=created.args["query"], detail=detail)
        if self.take_word("STATEMENT", "SET"):
            self.expect_word("BEGIN")
            return ExplainSyntax(this=self.at(self._statement_set(), token), detail=detail)
        return ExplainSyntax(this=self.query(), detail=detail)

    def _explain_detail(self) -> str:
        """Takes CHANGELOG, STATE or WATERMARK, or Flink's list of details, and returns which is asked for."""
        for word in ("CHANGELOG", "STATE", "WATERMARK"):
            if self.take_word(word):
                return word
        found = ""
        while self.sees_any_word(_FLINK_DETAILS):
            if not self.take_word("CHANGELOG_MODE"):
                self.refuse(f"EXPLAIN {self._curr.text.upper()}", "EXPLAIN alone shows the plan")
            found = "CHANGELOG"
            if not self.take(TokenType.COMMA):
                break
        return found

    def _set(self) -> exp.Expr:
        if self.at_end:
            return SetSyntax(this="", expression="")
        token = self._curr
        key = self._setting_name()
        self.expect(TokenType.EQ, "'=' after the setting's name")
        quoted = self.sees(TokenType.STRING)
        value = self.string("a value") if quoted else self._bare_value()
        if not key:
            raise UserError("SET needs the name of a setting", span=self.text_positions.span(token.start))
        return SetSyntax(this=key, expression=value)

    def _setting_name(self) -> str:
        if self.sees(TokenType.STRING):
            return self.string("a setting")
        start = self._curr
        while not self.at_end and not self.sees(TokenType.EQ):
            self._advance()
        return self.sql[start.start : self._prev.end + 1] if self._prev else ""

    def _bare_value(self) -> str:
        start = self._curr
        if self.at_end:
            self.fail("a value")
        self._advance(self._tokens_size - self._index)
        return self.sql[start.start : self._prev.end + 1]

    def _reset(self) -> exp.Expr:
        return ResetSyntax(this="" if self.at_end else self._setting_name())


def split(tokens: list[Token]) -> list[list[Token]]:
    """Returns the tokens of each statement; empty statements are left out.

    Example:
        >>> from yeoul.planner.dialects.flink.lexer import tokenize
        >>> [len(statement) for statement in split(tokenize("SELECT 1;; SELECT 'a;b';"))]
        [2, 2]
    """
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON and not _is_open_set(found[-1]):
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


def _is_open_set(tokens: list[Token]) -> bool:
    """Whether these begin a statement set and do not end it: semicolons belong to it."""
    words = [token.text.upper() for token in tokens[:12]]
    if words[:1] == ["EXPLAIN"] and "STATEMENT" in words:
        words = ["EXECUTE", *words[words.index("STATEMENT") :]]
    words = words[:4]
    if words != ["EXECUTE", "STATEMENT", "SET", "BEGIN"] and words[:3] != ["BEGIN", "STATEMENT", "SET"]:
        return False
    ends = tokens[-1].token_type == TokenType.VAR and tokens[-1].text.upper() == "END"
    return not (ends and tokens[-2].token_type == TokenType.SEMICOLON)
