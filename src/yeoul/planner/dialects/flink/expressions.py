"""The grammar of expressions: one loop over binding powers, one reader for each thing that an operand begins with.

Source: the operators' precedence is Calcite's, https://calcite.apache.org/docs/reference.html#operator-precedence
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.plan.types import INTERVAL_DAY_TIME, INTERVAL_YEAR_MONTH
from yeoul.planner.dialects.flink.cursor import RESERVED
from yeoul.planner.dialects.flink.json_calls import JsonGrammar
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import FunctionCall, Quantified, TypedLiteral, TypeName
from yeoul.planner.dialects.flink.over import OverGrammar

__all__ = ["INTERVAL_UNITS", "ExpressionGrammar"]

_OR, _AND, _NOT, _IS, _COMPARE, _RANGE, _ADD, _MULTIPLY, _UNARY = 22, 24, 26, 28, 30, 32, 40, 60, 80

_BINARY: dict[TokenType, tuple[int, type[exp.Binary]]] = {
    TokenType.EQ: (_COMPARE, exp.EQ),
    TokenType.NEQ: (_COMPARE, exp.NEQ),
    TokenType.LT: (_COMPARE, exp.LT),
    TokenType.LTE: (_COMPARE, exp.LTE),
    TokenType.GT: (_COMPARE, exp.GT),
    TokenType.GTE: (_COMPARE, exp.GTE),
    TokenType.PLUS: (_ADD, exp.Add),
    TokenType.DASH: (_ADD, exp.Sub),
    TokenType.STAR: (_MULTIPLY, exp.Mul),
    TokenType.SLASH: (_MULTIPLY, exp.Div),
    TokenType.MOD: (_MULTIPLY, exp.Mod),
    TokenType.DPIPE: (_MULTIPLY, exp.DPipe),
}
_QUANTIFIERS = frozenset({"ANY", "SOME", "ALL"})
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_EACH_OF_THEM = "Behind =, <>, <, <=, > and >= stands a query: x > ALL (SELECT ...); = ANY and <> ALL take values, too"
_QUERY_WORDS = ("SELECT", "WITH", "VALUES")
_RANGE_WORDS = frozenset({"IN", "BETWEEN", "LIKE", "SIMILAR"})
INTERVAL_UNITS = frozenset(
    {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"}
    | {"YEARS", "QUARTERS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES", "SECONDS"}
)
_TIME_UNITS = frozenset(
    [
        "MILLENNIUM",
        "CENTURY",
        "DECADE",
        "YEAR",
        "ISOYEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "DOW",
        "ISODOW",
        "DOY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECOND",
        "MICROSECOND",
        "NANOSECOND",
        "EPOCH",
        "FRAC_SECOND",
        "SQL_TSI_YEAR",
        "SQL_TSI_QUARTER",
        "SQL_TSI_MONTH",
        "SQL_TSI_WEEK",
        "SQL_TSI_DAY",
        "SQL_TSI_HOUR",
        "SQL_TSI_MINUTE",
        "SQL_TSI_SECOND",
    ]
)
_WITHOUT_PARENS = frozenset(
    {"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIMESTAMP", "LOCALTIME", "CURRENT_ROW_TIMESTAMP"}
)
_TYPED_LITERALS = frozenset({"DATE", "TIME", "TIMESTAMP"})


class ExpressionGrammar(JsonGrammar, OverGrammar):
    """Reads expressions. `subquery` is filled in by the grammar of queries above it."""

    def subquery(self) -> exp.Expr:
        raise NotImplementedError

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
        if token.token_type in _BINARY:
            strength, node = _BINARY[token.token_type]
            if strength <= power:
                return None
            self._advance()
            if self.sees_any_word(_QUANTIFIERS) and self.sees(TokenType.L_PAREN, ahead=1):
                return self._quantified(left, node, token)
            return self.at(node(this=left, expression=self.expression_(strength)), token)
        if not self.sees(TokenType.VAR):
            return None
        word = token.text.upper()
        if word == "AND" and power < _AND:
            return self._balanced(exp.And, "AND", _AND, left, token)
        if word == "OR" and power < _OR:
            return self._balanced(exp.Or, "OR", _OR, left, token)
        if word == "IS" and power < _IS:
            return self._is(left, token)
        if word == "OVERLAPS" and power < _COMPARE:
            return self._overlaps(left, token)
        negated = word == "NOT" and any(self.sees_word(one, ahead=1) for one in _RANGE_WORDS)
        if (negated or word in _RANGE_WORDS) and power < _RANGE:
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
            return self.at(kind(this=left, expression=self.expression_(_RANGE)), token)
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
        right = self.expression_(_COMPARE)
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
            low = self.expression_(_RANGE)
            self.expect_word("AND")
            high = self.expression_(_RANGE)
            found: exp.Expr = exp.Between(this=left, low=low, high=high, symmetric=symmetric)
        elif self.take_word("IN"):
            found = self._in(left)
        else:
            kind: type[exp.Binary] = exp.Like if self.take_word("LIKE") else exp.SimilarTo
            if kind is exp.SimilarTo:
                self.expect_word("SIMILAR", "TO")
            found = self.at(kind(this=left, expression=self.expression_(_RANGE)), token)
            if self.take_word("ESCAPE"):
                found = exp.Escape(this=found, expression=self.expression_(_RANGE))
        return self._negated(self.at(found, token), negated, token)

    def _in(self, left: exp.Expr) -> exp.Expr:
        token = self._curr
        if self.sees(TokenType.L_PAREN) and any(self.sees_word(word, ahead=1) for word in _QUERY_WORDS):
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
            return self.at(exp.Not(this=self.expression_(_NOT)), token)
        if self.take(TokenType.DASH):
            return self.at(exp.Neg(this=self.expression_(_UNARY)), token)
        if self.take(TokenType.PLUS):
            return self.expression_(_UNARY)
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
        if any(self.sees_word(word) for word in _QUERY_WORDS):
            found: exp.Expr = self.at(exp.Subquery(this=self.subquery()), token)
        else:
            found = self.expression_()
            if self.sees(TokenType.COMMA):
                items = [found]
                while self.take(TokenType.COMMA):
                    items.append(self.expression_())
                found = self.at(exp.Tuple(expressions=items), token)
        self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
        return found

    def _word(self, token: Token) -> exp.Expr:
        word = token.text.upper()
        if word in _CONSTANTS:
            self._advance()
            return self.at(_CONSTANTS[word](), token)
        if word in _TYPED_LITERALS and self.sees(TokenType.STRING, ahead=1):
            self._advance(2)
            return self.at(TypedLiteral(this=self._prev.text, kind=word), token)
        if word == "INTERVAL" and not self.sees(TokenType.DOT, ahead=1):
            return self._interval(token)
        if word == "CASE":
            return self._case(token)
        if word in ("ARRAY", "MAP") and self.sees(TokenType.L_BRACKET, ahead=1):
            return self._constructor(token)
        if word in _WITHOUT_PARENS and not self.sees(TokenType.L_PAREN, ahead=1):
            self._advance()
            return self.at(FunctionCall(this=token.text), token)
        if self.sees(TokenType.L_PAREN, ahead=1):
            reader = self._special_calls().get(word)
            if reader is not None:
                self._advance(2)
                found = self.at(reader(), token)
                self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
                return found
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

    def _interval(self, token: Token) -> exp.Expr:
        self._advance()
        sign = self._sign()
        if self.sees(TokenType.NUMBER):
            self.fail(
                "a string after INTERVAL",
                hint=f"Flink SQL writes the number in quotes: INTERVAL '{self._curr.text}' SECOND",
            )
        text = sign + self.string("a string after INTERVAL, as in INTERVAL '5' SECOND")
        unit = self._interval_unit()
        last = self._interval_unit() if self.take_word("TO") else None
        span = exp.IntervalSpan(this=unit, expression=last) if last else unit
        return self.at(exp.Interval(this=exp.Literal.string(text), unit=span), token)

    def _sign(self) -> str:
        if self.take(TokenType.DASH):
            return "-"
        self.take(TokenType.PLUS)
        return ""

    def _interval_unit(self) -> exp.Var:
        if not self.sees_any_word(INTERVAL_UNITS):
            self.fail(
                "a unit: YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND", keywords=sorted(INTERVAL_UNITS)
            )
        token = self._curr
        self._advance()
        if self.sees(TokenType.L_PAREN):
            self._parameters(("precision", "fraction"))
        return self.at(exp.Var(this=token.text.upper().removesuffix("S")), token)

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

    def _special_calls(self) -> dict[str, Callable[[], exp.Expr]]:
        return {
            "CAST": lambda: self._cast(exp.Cast),
            "TRY_CAST": lambda: self._cast(exp.TryCast),
            "EXTRACT": self._extract,
            "FLOOR": lambda: self._rounded("floor"),
            "CEIL": lambda: self._rounded("ceil"),
            "CEILING": lambda: self._rounded("ceil"),
            "TRIM": self._trim,
            "TIMESTAMPDIFF": lambda: self._unit_call("TIMESTAMPDIFF"),
            "TIMESTAMPADD": lambda: self._unit_call("TIMESTAMPADD"),
            "SUBSTRING": self._substring,
            "POSITION": self._position,
            "OVERLAY": self._overlay,
            "EXISTS": self._exists,
            "JSON_VALUE": self.json_value,
            "JSON_QUERY": self.json_query,
            "JSON_EXISTS": self.json_exists,
            "JSON_OBJECT": self.json_object,
            "JSON_OBJECTAGG": self.json_objectagg,
            "JSON_ARRAY": self.json_array,
            "JSON_ARRAYAGG": self.json_arrayagg,
        }

    def _cast(self, kind: type[exp.Expr]) -> exp.Expr:
        value = self.expression_()
        if not self.take_word("AS"):
            self.fail("AS and a type in CAST", hint="CAST(x AS type)")
        return kind(this=value, to=self._interval_type() if self.sees_word("INTERVAL") else self.type_name())

    def _interval_type(self) -> exp.Expr:
        token = self._curr
        self._advance()
        unit = self._interval_unit()
        if self.take_word("TO"):
            self._interval_unit()
        type = INTERVAL_YEAR_MONTH if unit.name in ("YEAR", "QUARTER", "MONTH") else INTERVAL_DAY_TIME
        return self.at(TypeName(this=type, unit=unit.name), token)

    def _extract(self) -> exp.Expr:
        unit = self._unit()
        self.expect_word("FROM")
        return FunctionCall(this="EXTRACT", expressions=[unit, self.expression_()])

    def _rounded(self, name: str) -> exp.Expr:
        value = self.expression_()
        if self.take_word("TO"):
            return FunctionCall(this=f"{name}_to", expressions=[value, self._unit()])
        return FunctionCall(this=name.upper(), expressions=[value])

    def _trim(self) -> exp.Expr:
        sides = frozenset({"BOTH", "LEADING", "TRAILING"})
        side = exp.Literal.string("BOTH")
        named = self.sees_any_word(sides)
        if named:
            side = exp.Literal.string(self._curr.text.upper())
            self._advance()
        what: exp.Expr = exp.Literal.string(" ")
        if not (named and self.take_word("FROM")):
            value = self.expression_()
            if not self.take_word("FROM"):
                return FunctionCall(this="TRIM", expressions=[side, what, value])
            what = value
        return FunctionCall(this="TRIM", expressions=[side, what, self.expression_()])

    def _unit_call(self, name: str) -> exp.Expr:
        arguments: list[exp.Expr] = [self._unit()]
        for _ in range(2):
            self.expect(TokenType.COMMA, f"',' in {name}(unit, a, b)")
            arguments.append(self.expression_())
        return FunctionCall(this=name, expressions=arguments)

    def _substring(self) -> exp.Expr:
        arguments = [self.expression_()]
        if self.take_word("FROM"):
            arguments.append(self.expression_())
            if self.take_word("FOR"):
                arguments.append(self.expression_())
        while self.take(TokenType.COMMA):
            arguments.append(self.expression_())
        return FunctionCall(this="SUBSTRING", expressions=arguments)

    def _position(self) -> exp.Expr:
        what = self.expression_(_RANGE)
        self.expect_word("IN")
        return FunctionCall(this="POSITION", expressions=[what, self.expression_()])

    def _overlay(self) -> exp.Expr:
        arguments = [self.expression_()]
        if self.take_word("PLACING"):
            arguments.append(self.expression_())
            self.expect_word("FROM")
            arguments.append(self.expression_())
            if self.take_word("FOR"):
                arguments.append(self.expression_())
        while self.take(TokenType.COMMA):
            arguments.append(self.expression_())
        return FunctionCall(this="OVERLAY", expressions=arguments)

    def _exists(self) -> exp.Expr:
        return exp.Exists(this=self.subquery())

    def _unit(self) -> exp.Expr:
        if not self.sees_any_word(_TIME_UNITS):
            self.fail("a unit such as DAY, HOUR, MINUTE or SECOND", keywords=sorted(_TIME_UNITS))
        token = self._curr
        self._advance()
        return self.at(exp.Literal.string(token.text.upper().removeprefix("SQL_TSI_")), token)


_CONSTANTS: dict[str, Callable[[], exp.Expr]] = {
    "TRUE": lambda: exp.Boolean(this=True),
    "FALSE": lambda: exp.Boolean(this=False),
    "NULL": exp.Null,
    "UNKNOWN": exp.Null,
}
