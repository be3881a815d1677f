"""The grammar of calls whose arguments have words between them: CAST(x AS type), TRIM(BOTH ' ' FROM x), EXTRACT(...).

The JSON functions have a grammar of their own below this one: `json_calls`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.plan.functions import usage_of
from yeoul.planner.dialects.flink.json_calls import JsonGrammar
from yeoul.planner.dialects.flink.lexer import TokenType
from yeoul.planner.dialects.flink.nodes import FunctionCall
from yeoul.planner.dialects.flink.precedence import RANGE
from yeoul.planner.dialects.flink.time_units import TimeUnitGrammar

__all__ = ["SpecialCallGrammar"]

_TWO_FORMS = {name: f"{name}(x), {name}(t TO unit)" for name in ("FLOOR", "CEIL", "CEILING")}


class SpecialCallGrammar(JsonGrammar, TimeUnitGrammar):
    """Reads arguments in forms of their own. `subquery` is filled in by the grammar of queries above it."""

    def subquery(self) -> exp.Expr:
        raise NotImplementedError

    def special_calls(self) -> dict[str, Callable[[], exp.Expr]]:
        """Returns by name who reads the arguments of a call, up to its closing parenthesis."""
        return {
            "CAST": lambda: self._cast(exp.Cast),
            "TRY_CAST": lambda: self._cast(exp.TryCast),
            "EXTRACT": self._extract,
            "FLOOR": lambda: self._rounded("FLOOR", "floor_to"),
            "CEIL": lambda: self._rounded("CEIL", "ceil_to"),
            "CEILING": lambda: self._rounded("CEILING", "ceil_to"),
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

    def arguments_of(self, name: str, reader: Callable[[], exp.Expr]) -> exp.Expr:
        """Reads what stands between a call's parentheses; an error says how the function is written."""
        try:
            found = reader()
            self.expect(TokenType.R_PAREN, "')'", hint=self.comma_hint())
        except UserError as error:
            error.hint = error.hint or _TWO_FORMS.get(name) or usage_of(name) or ""
            raise
        return found

    def _cast(self, kind: type[exp.Expr]) -> exp.Expr:
        value = self.expression_()
        if not self.take_word("AS"):
            self.fail("AS and a type in CAST", hint="CAST(x AS type)")
        return kind(this=value, to=self.interval_type() if self.sees_word("INTERVAL") else self.type_name())

    def _extract(self) -> exp.Expr:
        unit = self.time_unit()
        self.expect_word("FROM")
        return FunctionCall(this="EXTRACT", expressions=[unit, self.expression_()])

    def _rounded(self, name: str, to_unit: str) -> exp.Expr:
        value = self.expression_()
        if self.take_word("TO"):
            return FunctionCall(this=to_unit, expressions=[value, self.time_unit()])
        return FunctionCall(this=name, expressions=[value])

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
        arguments: list[exp.Expr] = [self.time_unit()]
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
        what = self.expression_(RANGE)
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
