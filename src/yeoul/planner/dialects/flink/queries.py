"""The grammar of queries: SELECT, VALUES, WITH, set operations, and what may stand in FROM."""

from __future__ import annotations

from sqlglot import exp

from yeoul.planner.dialects.flink.cursor import RESERVED, STATEMENTS
from yeoul.planner.dialects.flink.expressions import QUERY_WORDS, ExpressionGrammar
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import (
    GroupingSets,
    HintSyntax,
    JoinedTables,
    LateralQuery,
    NamedArgument,
    OptionPair,
    SetOperation,
    TableFunction,
    UnionAll,
    UnnestedRows,
)

__all__ = ["NO_MODELS", "QueryGrammar"]

_JOINS = frozenset({"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"})
NO_MODELS = "A Python function calls a model: CREATE FUNCTION ... LANGUAGE PYTHON"
_NO_PATTERNS = "LAG, LEAD and other calls with OVER compare a row with those around it; an interval join finds pairs"
_CLAUSES = ("FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "UNION")
_SAME_SLOT = ("INTERSECT", "EXCEPT", "MINUS")
_UNITING = frozenset({"UNION", "EXCEPT", "MINUS"})


class QueryGrammar(ExpressionGrammar):
    """Reads queries into exp.Select, exp.Values, UnionAll, SetOperation and exp.Subquery."""

    def subquery(self) -> exp.Expr:
        return self.query()

    def query(self) -> exp.Expr:
        """Reads a query with its WITH, ORDER BY and LIMIT."""
        with self.nested():
            tables = self._with()
            body = self._query_body()
            self._tail(body)
            if tables:
                body.set("with_", exp.With(expressions=tables))
            return body

    def _with(self) -> list[exp.Expr]:
        if not self.take_word("WITH"):
            return []
        if self.sees_word("RECURSIVE"):
            self.refuse("WITH RECURSIVE")
        tables = [self._common_table()]
        while self.take(TokenType.COMMA):
            tables.append(self._common_table())
        return tables

    def _common_table(self) -> exp.Expr:
        token = self._curr
        alias = exp.TableAlias(this=self.name("a name after WITH"), columns=self._column_names())
        self.expect_word("AS")
        self.expect(TokenType.L_PAREN, "'(' and a query")
        query = self.query()
        self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
        return self.at(exp.CTE(this=query, alias=alias), token)

    def _query_body(self) -> exp.Expr:
        """Reads queries joined by UNION and EXCEPT, from left to right; runs of UNION ALL side by side."""
        token = self._curr
        found = self._intersected()
        while self.sees_any_word(_UNITING):
            kind, keeps_all = self._set_operator()
            term = self._intersected()
            if kind == "UNION" and keeps_all:
                is_run = isinstance(found, UnionAll) and found.meta["start"] == token.start
                found = self.at(UnionAll(expressions=[*(found.expressions if is_run else [found]), term]), token)
            else:
                found = self.at(SetOperation(this=found, expression=term, kind=kind, all=keeps_all), token)
        return found

    def _intersected(self) -> exp.Expr:
        """Reads queries joined by INTERSECT, which binds tighter than the others."""
        token = self._curr
        found = self._query_term()
        while self.sees_word("INTERSECT"):
            kind, keeps_all = self._set_operator()
            found = self.at(SetOperation(this=found, expression=self._query_term(), kind=kind, all=keeps_all), token)
        return found

    def _set_operator(self) -> tuple[str, bool]:
        """Takes the word that joins two queries; returns it, and whether ALL follows."""
        word = self._curr.text.upper()
        self._advance()
        keeps_all = self.take_word("ALL")
        if not keeps_all:
            self.take_word("DISTINCT")
        return ("EXCEPT" if word == "MINUS" else word), keeps_all

    def _query_term(self) -> exp.Expr:
        token = self._curr
        if self.take(TokenType.L_PAREN):
            query = self.query()
            self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
            return self.at(exp.Subquery(this=query), token)
        if self.take_word("SELECT"):
            return self._select(token)
        if self.take_word("VALUES"):
            return self._values(token)
        if self.take_word("TABLE"):
            return self._whole_table(token)
        self.fail("a query: SELECT, VALUES or WITH", keywords=QUERY_WORDS)

    def _whole_table(self, token: Token) -> exp.Expr:
        """`TABLE t`: every row and column of a table."""
        select = exp.Select(expressions=[self.at(exp.Star(), token)])
        select.set("from_", exp.From(this=self.table("the name of a table after TABLE")))
        return self.at(select, token)

    def _tail(self, body: exp.Expr) -> None:
        if self.sees_word("ORDER"):
            token = self._curr
            body.set("order", self.at(exp.Order(expressions=self.order_items()), token))
        if self.take_word("LIMIT") and not self.take_word("ALL"):
            self._set_limit(body, "a whole number after LIMIT")
        if self.take_word("OFFSET"):
            token = self._curr
            number = self.expect(TokenType.NUMBER, "a whole number after OFFSET").text
            body.set("offset", self.at(exp.Offset(expression=exp.Literal.number(number)), token))
            if not self.take_word("ROWS"):
                self.take_word("ROW")
        if self.take_word("FETCH"):
            self._fetch(body)

    def _set_limit(self, body: exp.Expr, what: str) -> None:
        token = self._curr
        number = self.expect(TokenType.NUMBER, what).text
        body.set("limit", self.at(exp.Limit(expression=exp.Literal.number(number)), token))

    def _fetch(self, body: exp.Expr) -> None:
        """Reads `FIRST [n] ROWS ONLY`, which is LIMIT n, or LIMIT 1."""
        if not (self.take_word("FIRST") or self.take_word("NEXT")):
            self.fail("FIRST or NEXT after FETCH", keywords=("FIRST", "NEXT"))
        token = self._curr
        if self.sees_word("ROW") or self.sees_word("ROWS"):
            body.set("limit", self.at(exp.Limit(expression=exp.Literal.number("1")), token))
        else:
            self._set_limit(body, "a whole number after FETCH FIRST")
        if not self.take_word("ROWS"):
            self.expect_word("ROW")
        self.expect_word("ONLY")

    # --- SELECT

    def _select(self, token: Token) -> exp.Expr:
        quantifier = self._curr
        is_distinct = self.take_word("DISTINCT")
        if not is_distinct:
            self.take_word("ALL")
        hints = self._select_hints() if self.sees(TokenType.HINT) else []
        select = exp.Select(expressions=self._projections())
        if hints:
            select.set("own_hints", hints)
        if is_distinct:
            select.set("distinct", self.at(exp.Distinct(), quantifier))
        if self.take_word("FROM"):
            select.set("from_", exp.From(this=self._from()))
        elif not self.at_end and not self._ends_select():
            hint = "" if self._misspelt(_CLAUSES) else self._between_hint()
            self.fail("',' or FROM", hint=hint, keywords=_CLAUSES)
        for key, words in (("where", ("WHERE",)), ("having", ("HAVING",))):
            if key == "having":
                self._group(select)
            token_of_clause = self._curr
            if self.take_word(*words):
                node = exp.Where if key == "where" else exp.Having
                select.set(key, self.at(node(this=self.expression_()), token_of_clause))
        if self.take_word("WINDOW"):
            select.set("windows", self._named_windows())
        token_of_clause = self._curr
        if self.take_word("QUALIFY"):
            select.set("qualify", self.at(exp.Qualify(this=self.expression_()), token_of_clause))
        return self.at(select, token)

    def _named_windows(self) -> list[exp.Expr]:
        found: list[exp.Expr] = []
        while True:
            name = self.name("a window's name after WINDOW")
            self.expect_word("AS")
            spec = self.window_spec()
            spec.set("this", name)
            found.append(spec)
            if not self.take(TokenType.COMMA):
                return found

    def _between_hint(self) -> str:
        if any(self.sees_word(word) for word in STATEMENTS):
            return "Is a semicolon missing before it?"
        return self.comma_hint()

    def _ends_select(self) -> bool:
        ends = (*_CLAUSES, *_SAME_SLOT, "OFFSET", "FETCH")
        return (
            self.sees(TokenType.R_PAREN) or self.sees(TokenType.SEMICOLON) or any(self.sees_word(word) for word in ends)
        )

    def _projections(self) -> list[exp.Expr]:
        found = [self._projection()]
        while self.take(TokenType.COMMA):
            found.append(self._projection())
        return found

    def _projection(self) -> exp.Expr:
        token = self._curr
        if self.take(TokenType.STAR):
            return self.at(exp.Star(), token)
        if any(self.sees_word(word) for word in ("FROM", "WHERE")):
            self.fail("an expression", hint="Is there one comma too many?" if self._prev.text == "," else "")
        value = self.expression_()
        if self.take_word("AS"):
            return self.at(exp.Alias(this=value, alias=self.name("a name after AS")), token)
        if self._sees_name():
            return self.at(exp.Alias(this=value, alias=self.name("a name")), token)
        return value

    def _sees_name(self) -> bool:
        """Tells whether an alias without AS comes next."""
        if self.sees(TokenType.IDENTIFIER):
            return True
        return self.sees(TokenType.VAR) and self._curr.text.upper() not in RESERVED and not self._sees_tail()

    def _sees_tail(self) -> bool:
        return any(self.sees_word(word) for word in ("OFFSET", "QUALIFY"))

    def _group(self, select: exp.Select) -> None:
        token = self._curr
        if not self.take_word("GROUP"):
            return
        self.expect_word("BY")
        keys = [self._grouping_element()]
        while self.take(TokenType.COMMA):
            keys.append(self._grouping_element())
        select.set("group", self.at(exp.Group(expressions=keys), token))

    def _grouping_element(self) -> exp.Expr:
        """Reads a key, or several sets of keys."""
        token = self._curr
        for kind, words in (("SETS", ("GROUPING", "SETS")), ("ROLLUP", ("ROLLUP",)), ("CUBE", ("CUBE",))):
            if self.take_word(*words):
                parts = [self._keys_of_set() for _ in self.between_parens()]
                return self.at(GroupingSets(expressions=parts, kind=kind), token)
        if self.sees(TokenType.L_PAREN) and self.sees(TokenType.R_PAREN, ahead=1):
            return self.at(GroupingSets(expressions=[self._keys_of_set()], kind="SETS"), token)
        return self.expression_()

    def _keys_of_set(self) -> exp.Expr:
        token = self._curr
        if self.sees(TokenType.L_PAREN) and self.sees(TokenType.R_PAREN, ahead=1):
            self._advance(2)
            return self.at(exp.Tuple(expressions=[]), token)
        return self._grouping_element()

    # --- FROM

    def _from(self) -> exp.Expr:
        found = self._joined()
        while True:
            token = self._curr
            if not self.take(TokenType.COMMA):
                return found
            found = self.at(JoinedTables(this=found, expression=self._joined(), kind="CROSS"), token)

    def _joined(self) -> exp.Expr:
        """Reads a table and what is joined to it by JOIN, from left to right."""
        found = self._relation()
        while self.sees_any_word(_JOINS):
            token = self._curr
            natural = self.take_word("NATURAL")
            kind = self._join_kind()
            right = self._relation()
            joined = JoinedTables(this=found, expression=right, kind=kind, natural=natural)
            if kind != "CROSS" and not natural:
                self._join_condition(joined, kind)
            found = self.at(joined, token)
        return found

    def _join_kind(self) -> str:
        for kind in ("LEFT", "RIGHT", "FULL"):
            if self.take_word(kind):
                for special in ("SEMI", "ANTI"):
                    if kind == "LEFT" and self.take_word(special):
                        kind = special
                self.take_word("OUTER")
                self.expect_word("JOIN")
                return kind
        kind = "CROSS" if self.take_word("CROSS") else "INNER"
        self.take_word("INNER")
        self.expect_word("JOIN")
        return kind

    def _join_condition(self, joined: JoinedTables, kind: str) -> None:
        if self.take_word("USING"):
            joined.set("using", [self.name("the name of a column") for _ in self.between_parens()])
        elif self.take_word("ON"):
            joined.set("on", self.expression_())
        else:
            self.fail(
                "ON and a condition, or USING (column)", hint="CROSS JOIN has no condition", keywords=("ON", "USING")
            )

    def _relation(self) -> exp.Expr:
        token = self._curr
        if self.sees_word("UNNEST") and self.sees(TokenType.L_PAREN, ahead=1):
            return self._unnested(token)
        if self.take_word("LATERAL"):
            if self.sees(TokenType.L_PAREN):
                return self._lateral_query(token)
            if not self.sees_word("TABLE"):
                self.fail("TABLE(a_function(...)) or a query in parentheses after LATERAL", keywords=("TABLE",))
            if self.sees_word("VECTOR_SEARCH", ahead=2):
                self.refuse("VECTOR_SEARCH", NO_MODELS)
            return self._unnested(token, lateral=True)
        if self.take(TokenType.L_PAREN):
            query = self.query()
            self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
            return self.at(exp.Subquery(this=query, alias=self._alias()), token)
        if self.sees_word("TABLE") and self.sees(TokenType.L_PAREN, ahead=1):
            self._advance(2)
            function = self._table_function()
            self.expect(TokenType.R_PAREN, "')' after the table function", hint=self.comma_hint())
            function.set("alias", self._alias())
            return function
        if self.sees(TokenType.VAR) and self.sees(TokenType.L_PAREN, ahead=1):
            function = self._table_function()
            function.set("alias", self._alias())
            return function
        table = self.table("the name of a table or view")
        if self.take_word("FOR"):
            for word in ("SYSTEM_TIME", "AS", "OF"):
                self.expect_word(word)
            table.set("when", self.expression_())
        table.set("alias", self._alias())
        return table

    def _lateral_query(self, token: Token) -> LateralQuery:
        self._advance()
        query = self.query()
        self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
        return self.at(LateralQuery(this=query, alias=self._alias()), token)

    def _unnested(self, token: Token, *, lateral: bool = False) -> UnnestedRows:
        self._advance(2)
        value = self.expression_()
        self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
        ordinality = self.take_word("WITH")
        if ordinality:
            self.expect_word("ORDINALITY")
        rows = UnnestedRows(this=value, ordinality=ordinality, lateral=lateral, alias=self._alias())
        return self.at(rows, token)

    def table(self, what: str) -> exp.Table:
        """Reads a table's name with its OPTIONS hint."""
        token = self._curr
        name = self.name(what)
        parts = [name]
        while self.take(TokenType.DOT):
            parts.append(self.name("a name after '.'"))
        table = exp.Table(this=parts[-1], db=".".join(part.name for part in parts[:-1]) or None)
        if self.take(TokenType.HINT):
            table.set("hints", self._options_hint())
        return self.at(table, token)

    def _options_hint(self) -> list[exp.Expr]:
        if not self.sees_word("OPTIONS"):
            self.fail("OPTIONS('key' = 'value', ...) in a table's hint", keywords=("OPTIONS",))
        self._advance()
        pairs = [self.option_pair() for _ in self.between_parens()]
        self.expect(TokenType.HINT, "'*/' at the end of the hint")
        return pairs

    def option_pair(self) -> exp.Expr:
        """Reads `'key' = 'value'`."""
        token = self._curr
        key = self.string("an option in quotes, as in 'connector' = 'kafka'")
        self.expect(TokenType.EQ, "'=' after the option's name")
        value = self.string(f"a string in quotes as value of {key!r}")
        return self.at(OptionPair(this=key, expression=value), token)

    def _select_hints(self) -> list[exp.Expr]:
        """Reads SELECT's own hints: `/*+ NAME('key' = 'value', ...), NAME(table, ...) */`."""
        self._advance()
        found: list[exp.Expr] = []
        while not self.take(TokenType.HINT):
            token = self._curr
            name = self.name("a hint: STATE_TTL, LOOKUP, ...").name.upper()
            options = [self._hint_option() for _ in self.between_parens()] if self.sees(TokenType.L_PAREN) else []
            found.append(self.at(HintSyntax(this=name, expressions=options), token))
            self.take(TokenType.COMMA)
        return found

    def _hint_option(self) -> exp.Expr:
        return self.option_pair() if self.sees(TokenType.STRING) else self.name("the name of a table")

    def _alias(self) -> exp.Expr | None:
        if self.sees_word("MATCH_RECOGNIZE"):
            self.refuse("MATCH_RECOGNIZE", _NO_PATTERNS)
        if self.sees_word("TABLESAMPLE"):
            self.refuse("TABLESAMPLE", "WHERE RAND() < 0.1 keeps a tenth of the rows")
        token = self._curr
        if not self.take_word("AS") and not (self._sees_name() and not self.sees_any_word(_JOINS)):
            return None
        alias = exp.TableAlias(this=self.name("an alias"), columns=self._column_names())
        return self.at(alias, token)

    def _column_names(self) -> list[exp.Expr] | None:
        if not self.sees(TokenType.L_PAREN):
            return None
        return [self.name("the name of a column") for _ in self.between_parens()]

    def _table_function(self) -> TableFunction:
        token = self._curr
        name = self.name("a table function: TUMBLE, HOP, CUMULATE or SESSION").name
        arguments = [self._table_argument() for _ in self.between_parens()]
        return self.at(TableFunction(this=name, expressions=arguments), token)

    def _table_argument(self) -> exp.Expr:
        token = self._curr
        if self.sees(TokenType.FARROW, ahead=1):
            name = token.text.upper()
            self._advance(2)
            return self.at(NamedArgument(this=name, expression=self._table_argument()), token)
        if self.take_word("TABLE"):
            return self._partitioned(self.table("the name of a table or view after TABLE"))
        if self.sees_word("MODEL") and not self.sees(TokenType.DOT, ahead=1) and self.sees(TokenType.VAR, ahead=1):
            self.refuse("MODEL in a table function", NO_MODELS)
        if self.take_word("DESCRIPTOR"):
            columns = [self.name("the name of the row-time column") for _ in self.between_parens()]
            return self.at(exp.Tuple(expressions=columns), token)
        if self.sees(TokenType.L_PAREN) and self.sees_word("SELECT", ahead=1):
            self._advance()
            query = self.query()
            self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
            return self._partitioned(self.at(exp.Subquery(this=query), token))
        return self.expression_()

    def _partitioned(self, data: exp.Expr) -> exp.Expr:
        """Reads `PARTITION BY column` or `PARTITION BY (column, ...)` behind a window function's data."""
        if not self.take_word("PARTITION"):
            return data
        self.expect_word("BY")
        what = "the name of a column after PARTITION BY"
        columns = (
            [self.name(what) for _ in self.between_parens()] if self.sees(TokenType.L_PAREN) else [self.name(what)]
        )
        data.set("partition", columns)
        return data

    # --- VALUES

    def _values(self, token: Token) -> exp.Expr:
        rows = [self._value_row()]
        while self.take(TokenType.COMMA):
            rows.append(self._value_row())
        return self.at(exp.Values(expressions=rows), token)

    def _value_row(self) -> exp.Expr:
        token = self._curr
        if self.sees_word("ROW") and self.sees(TokenType.L_PAREN, ahead=1):
            self._advance()
        if not self.sees(TokenType.L_PAREN):
            return self.at(exp.Tuple(expressions=[self.expression_()]), token)
        return self.at(exp.Tuple(expressions=[self.expression_() for _ in self.between_parens()]), token)
