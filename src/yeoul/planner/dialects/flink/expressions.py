"""The grammar of expressions: one loop over binding powers, one reader for each thing that an operand begins with.

How tightly operators bind says `precedence`; what stands in the parentheses of CAST and its like reads `special_calls`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.planner.dialects.flink.cursor import RESERVED
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import FunctionCall, Quantified, TypedLiteral
from yeoul.planner.dialects.flink.over import OverGrammar
from yeoul.planner.dialects.flink.precedence import AND, BINARY_OPERATORS, COMPARE, IS, NOT, OR, RANGE, UNARY
from yeoul.planner.dialects.flink.special_calls import SpecialCallGrammar

__all__ = ["QUERY_WORDS", "ExpressionGrammar"]

_QUANTIFIERS = frozenset({"ANY", "SOME", "ALL"})
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_EACH_OF_THEM = "Behind =, <>, <, <=, > and >= stands a query: x > ALL (SELECT ...); = ANY and <> ALL take values, too"
QUERY_WORDS = ("SELECT", "WITH", "VALUES", "TABLE")
_RANGE_WORDS = frozenset({"IN", "BETWEEN", "LIKE", "SIMILAR"})
_WITHOUT_PARENS = frozenset(
    {"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP", "LOCALTIME", "CURRENT_ROW_TIMESTAMP"}
)
_TYPED_LITERALS = frozenset({"DATE", "TIME", "TIMESTAMP"})


class ExpressionGrammar(SpecialCallGrammar, OverGrammar):
    """Reads expressions."""

    def expression_(self, power: int = 0) -> exp.Expr:
        """Reads an expression whose operators bind tighter than `power`."""
        with self.nested():
            left = self._operand()
            while (longer := self._continued(left, power)) is not None:
                left = longer
            return left

    # --- what follows an operand

    def _continued(self, left: exp.Expr, power: int) -> exp.Expr | None:
        token = self._curr
        if self.at_end:
            return None
        if token.token_type in BINARY_OPERATORS:
            strength, node = BINARY_OPERATORS[token.token_type]
            if strength <= power:
                return None
            self._advance()
            if self.sees_any_word(_QUANTIFIERS) and self.sees(TokenType.L_PAREN, ahead=1):
                return self._quantified(left, node, token)
            return self.at(node(this=left, expression=self.expression_(strength)), token)
        if not self.sees(TokenType.VAR):
            return None
        word = token.text.upper()
        if word == "AND" and power < AND:
            return self._balanced(exp.And, "AND", AND, left, token)
        if word == "OR" and power < OR:
            return self._balanced(exp.Or, "OR", OR, left, token)
        if word == "IS" and power < IS:
            return self._is(left, token)
        if word == "OVERLAPS" and power < COMPARE:
            return self._overlaps(left, token)
        negated = word == "NOT" and any(self.sees_word(one, ahead=1) for one in _RANGE_WORDS)
        if (negated or word in _RANGE_WORDS) and power < RANGE:
            return self._range(left, token, negated)
        return None

    def _quantified(self, left: exp.Expr, node: type[exp.Binary], token: Token) -> exp.Expr:
        """Reads ANY, SOME or ALL behind a comparison: `= ANY` is IN, `<> ALL` is NOT IN."""
        is_all, word, here = self.sees_word("ALL"), self._curr.text.upper(), self.here()
        self._advance()
        found = self.at(self._in(left), token)
        if node is (exp.NEQ if is_all else exp.EQ):
            return self._negated(found, is_all, token)
        query = found.args.get("query")
        if query is None or node not in _COMPARISONS:
            raise UserError(f"{word} cannot stand here", hint=_EACH_OF_THEM, span=here)
        return self.at(Quantified(this=left, query=query, comparison=node, all=is_all), token)

    def _balanced(self, node: type[exp.Connector], word: str, strength: int, left: exp.Expr, token: Token) -> exp.Expr:
        """Reads a chain of one connector into a tree of logarithmic height."""
        operands = [left]
        while self.take_word(word):
            operands.append(self.expression_(strength))
        while len(operands) > 1:
            pairs = [operands[index : index + 2] for index in range(0, len(operands), 2)]
            operands = [
                self.at(node(this=pair[0], expression=pair[1]), token) if len(pair) == 2 else pair[0] for pair in pairs
            ]
        return operands[0]

    def _is(self, left: exp.Expr, token: Token) -> exp.Expr:
        self._advance()
        negated = self.take_word("NOT")
        if self.take_word("DISTINCT", "FROM"):
            kind = exp.NullSafeEQ if negated else exp.NullSafeNEQ
            return self.at(kind(this=left, expression=self.expression_(RANGE)), token)
        if self.take_word("JSON"):
            return self._negated(self.is_json(left, token), negated, token)
        for word, value in (("NULL", exp.Null()), ("UNKNOWN", exp.Null())):
            if self.take_word(word):
                return self._negated(self.at(exp.Is(this=left, expression=value), token), negated, token)
        for word, truth in (("TRUE", True), ("FALSE", False)):
            if self.take_word(word):
                node = exp.Is(this=left, expression=exp.Boolean(this=truth))
                return self._negated(self.at(node, token), negated, token)
        self.fail("NULL, TRUE, FALSE, UNKNOWN, JSON or DISTINCT FROM after IS")

    def _overlaps(self, left: exp.Expr, token: Token) -> exp.Expr:
        self._advance()
        right = self.expression_(COMPARE)
        for side in (left, right):
            if not (isinstance(side, exp.Tuple) and len(side.expressions) == 2):
                self.fail("two points of time in parentheses: (a, b) OVERLAPS (c, d)")
        call = FunctionCall(this="OVERLAPS", expressions=[*left.expressions, *right.expressions])
        return self.at(call, token)

    def _range(self, left: exp.Expr, token: Token, negated: bool) -> exp.Expr:
        self.take_word("NOT")
        if self.take_word("BETWEEN"):
            self.take_word("ASYMMETRIC")
            symmetric = self.take_word("SYMMETRIC")
            low = self.expression_(RANGE)
            self.expect_word("AND")
            high = self.expression_(RANGE)
            found: exp.Expr = exp.Between(this=left, low=low, high=high, symmetric=symmetric)
        elif self.take_word("IN"):
            found = self._in(left)
        else:
            kind: type[exp.Binary] = exp.Like if self.take_word("LIKE") else exp.SimilarTo
            if kind is exp.SimilarTo:
                self.expect_word("SIMILAR", "TO")
            found = self.at(kind(this=left, expression=self.expression_(RANGE)), token)
            if self.take_word("ESCAPE"):
                found = exp.Escape(this=found, expression=self.expression_(RANGE))
        return self._negated(self.at(found, token), negated, token)

    def _in(self, left: exp.Expr) -> exp.Expr:
        token = self._curr
        if self.sees(TokenType.L_PAREN) and any(self.sees_word(word, ahead=1) for word in QUERY_WORDS):
            self._advance()
            query = self.at(exp.Subquery(this=self.subquery()), token)
            self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
            return exp.In(this=left, query=query)
        return exp.In(this=left, expressions=[self.expression_() for _ in self.between_parens()])

    def _negated(self, node: exp.Expr, negated: bool, token: Token) -> exp.Expr:
        return self.at(exp.Not(this=node), token) if negated else node

    # --- operands

    def _operand(self) -> exp.Expr:
        token = self._curr
        if self.take_word("NOT"):
            return self.at(exp.Not(this=self.expression_(NOT)), token)
        if self.take(TokenType.DASH):
            return self.at(exp.Neg(this=self.expression_(UNARY)), token)
        if self.take(TokenType.PLUS):
            return self.expression_(UNARY)
        found = self._primary()
        while True:
            token = self._curr
            if self.take(TokenType.DOT):
                found = self.at(exp.Dot(this=found, expression=self._field()), token)
            elif self.take(TokenType.L_BRACKET):
                index = self.expression_()
                self.expect(TokenType.R_BRACKET, "']'")
                found = self.at(exp.Bracket(this=found, expressions=[index]), token)
            else:
                return found

    def _field(self) -> exp.Expr:
        token = self._curr
        if self.take(TokenType.STAR):
            return self.at(exp.Star(), token)
        return self.name("the name of a field")

    def _primary(self) -> exp.Expr:
        token = self._curr
        if self.take(TokenType.NUMBER):
            return self.at(exp.Literal.number(token.text), token)
        if self.take(TokenType.STRING):
            return self.at(exp.Literal.string(token.text), token)
        if self.take(TokenType.HEX_STRING):
            return self.at(TypedLiteral(this=token.text, kind="X"), token)
        if self.take(TokenType.L_PAREN):
            return self._parenthesised(token)
        if self.sees(TokenType.IDENTIFIER):
            return self._name_or_call(token)
        if self.sees(TokenType.VAR):
            return self._word(token)
        self.fail("an expression", hint="Is there one comma too many?" if self._prev.text == "," else "")

    def _parenthesised(self, token: Token) -> exp.Expr:
        if any(self.sees_word(word) for word in QUERY_WORDS):
            found: exp.Expr = self.at(exp.Subquery(this=self.subquery()), token)
        else:
            found = self.expression_()
            if self.sees(TokenType.COMMA):
                items = [found]
                while self.take(TokenType.COMMA):
                    items.append(self.expression_())
                found = self.at(exp.Tuple(expressions=items), token)
        self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
        return self.at(self.as_interval(found), token) if isinstance(found, exp.Sub) else found

    def _word(self, token: Token) -> exp.Expr:
        word = token.text.upper()
        if word in _CONSTANTS:
            self._advance()
            return self.at(_CONSTANTS[word](), token)
        if word in _TYPED_LITERALS and self.sees(TokenType.STRING, ahead=1):
            self._advance(2)
            return self.at(TypedLiteral(this=self._prev.text, kind=word), token)
        if word == "INTERVAL" and not self.sees(TokenType.DOT, ahead=1):
            return self.interval(token)
        if word == "CASE":
            return self._case(token)
        if word in ("ARRAY", "MAP") and self.sees(TokenType.L_BRACKET, ahead=1):
            return self._constructor(token)
        if word in _WITHOUT_PARENS and not self.sees(TokenType.L_PAREN, ahead=1):
            self._advance()
            return self.at(FunctionCall(this=token.text), token)
        if self.sees(TokenType.L_PAREN, ahead=1):
            reader = self.special_calls().get(word)
            if reader is not None:
                self._advance(2)
                return self.at(self.arguments_of(word, reader), token)
        return self._name_or_call(token)

    def _name_or_call(self, token: Token) -> exp.Expr:
        is_call = self.sees(TokenType.L_PAREN, ahead=1)
        if (is_call and self.sees(TokenType.VAR) and token.text.upper() in ("LEFT", "RIGHT")) or (
            is_call and self.sees(TokenType.VAR) and token.text.upper() not in RESERVED
        ):
            self._advance()
        else:
            column = self.name("an expression")
            if self._sees_call_behind_dots():
                while self.take(TokenType.DOT):
                    token = self._curr
                    self._advance()
            elif not self.sees(TokenType.L_PAREN):
                return self.at(exp.Column(this=column), token)
        return self._call(token)

    def _refuse_ignored_nulls(self) -> None:
        if self.sees_word("IGNORE", "NULLS"):
            self.refuse("IGNORE NULLS in ARRAY_AGG", "ARRAY_AGG(x) FILTER (WHERE x IS NOT NULL)")

    def _sees_call_behind_dots(self) -> bool:
        """Tells whether the rest of `database.function(` follows: the functions are those of every database."""
        names, at = (TokenType.VAR, TokenType.IDENTIFIER), 0
        while self.sees(TokenType.DOT, at) and any(self.sees(kind, at + 1) for kind in names):
            at += 2
        return at > 0 and self.sees(TokenType.L_PAREN, at)

    def _call(self, token: Token) -> exp.Expr:
        call = FunctionCall(this=token.text)
        self._advance()
        if self.take(TokenType.STAR):
            call.set("star", True)
        elif not self.sees(TokenType.R_PAREN):
            call.set("distinct", self.take_word("DISTINCT"))
            self.take_word("ALL")
            arguments = [self.expression_()]
            while self.take(TokenType.COMMA):
                arguments.append(self.expression_())
            call.set("expressions", arguments)
            if self.sees_word("ORDER", "BY"):
                self.refuse("ORDER BY within a call", "Values come in the order of arrival")
            if token.text.upper() == "ARRAY_AGG" and not self.take_word("RESPECT", "NULLS"):
                self._refuse_ignored_nulls()
        self.expect(TokenType.R_PAREN, "',' or ')'", hint=self.comma_hint())
        if self.sees_word("FILTER") and self.sees(TokenType.L_PAREN, ahead=1):
            self._advance(2)
            self.expect_word("WHERE")
            call.set("filter", self.expression_())
            self.expect(TokenType.R_PAREN, "')'")
        if self.sees_word("WITHIN", "GROUP"):
            self.refuse("WITHIN GROUP (...)")
        return self.over(self.at(call, token), token)

    # --- literals and forms of their own

    def _case(self, token: Token) -> exp.Expr:
        self._advance()
        operand = None if self.sees_word("WHEN") else self.expression_()
        branches = []
        while self.sees_word("WHEN"):
            when = self._curr
            self._advance()
            matched = [self.expression_()]
            while operand is not None and self.take(TokenType.COMMA):
                matched.append(self.expression_())
            self.expect_word("THEN")
            given = self.expression_()
            branches += [self.at(exp.If(this=one, true=given.copy()), when) for one in matched]
        if not branches:
            self.fail("WHEN after CASE")
        default = self.expression_() if self.take_word("ELSE") else None
        if not self.take_word("END"):
            self.fail("WHEN, ELSE or END in CASE", keywords=("WHEN", "ELSE", "END"))
        return self.at(exp.Case(this=operand, ifs=branches, default=default), token)

    def _constructor(self, token: Token) -> exp.Expr:
        self._advance(2)
        items = [] if self.sees(TokenType.R_BRACKET) else [self.expression_()]
        while self.take(TokenType.COMMA):
            items.append(self.expression_())
        self.expect(TokenType.R_BRACKET, "',' or ']'")
        return self.at(FunctionCall(this=token.text, expressions=items), token)


_CONSTANTS: dict[str, Callable[[], exp.Expr]] = {
    "TRUE": lambda: exp.Boolean(this=True),
    "FALSE": lambda: exp.Boolean(this=False),
    "NULL": exp.Null,
    "UNKNOWN": exp.Null,
}
