"""The grammar of intervals and of units of time: `INTERVAL '5' SECOND`, the unit of EXTRACT and TIMESTAMPADD."""

from __future__ import annotations

from sqlglot import exp

from yeoul.plan.types import INTERVAL_DAY_TIME, INTERVAL_YEAR_MONTH
from yeoul.planner.dialects.flink.lexer import Token, TokenType
from yeoul.planner.dialects.flink.nodes import FunctionCall, TypeName
from yeoul.planner.dialects.flink.types import TypeGrammar

__all__ = ["TimeUnitGrammar"]

_INTERVAL_UNITS = frozenset(
    {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"}
    | {"YEARS", "QUARTERS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES", "SECONDS"}
)
_DIFFERENCES = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"})
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


class TimeUnitGrammar(TypeGrammar):
    """Reads intervals, their types, and units."""

    def interval(self, token: Token) -> exp.Expr:
        """Reads `INTERVAL '1-2' YEAR TO MONTH`; the word comes next."""
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
        if not self.sees_any_word(_INTERVAL_UNITS):
            self.fail(
                "a unit: YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND", keywords=sorted(_INTERVAL_UNITS)
            )
        token = self._curr
        self._advance()
        if self.sees(TokenType.L_PAREN):
            self._parameters(("precision", "fraction"))
        return self.at(exp.Var(this=token.text.upper().removesuffix("S")), token)

    def interval_type(self) -> exp.Expr:
        """Reads `INTERVAL DAY TO SECOND` as the type of a CAST; the word comes next."""
        token = self._curr
        self._advance()
        unit = self._interval_unit()
        if self.take_word("TO"):
            self._interval_unit()
        type = INTERVAL_YEAR_MONTH if unit.name in ("YEAR", "QUARTER", "MONTH") else INTERVAL_DAY_TIME
        return self.at(TypeName(this=type, unit=unit.name), token)

    def as_interval(self, difference: exp.Sub) -> exp.Expr:
        """Reads the unit behind `(a - b)` that makes an interval of it, if one is there: `(a - b) DAY TO SECOND`."""
        if not self.sees_any_word(_DIFFERENCES):
            return difference
        unit = self._interval_unit()
        if self.take_word("TO"):
            self._interval_unit()
        arguments = [exp.Literal.string(unit.name), difference.this, difference.expression]
        return FunctionCall(this="interval_between", expressions=arguments)

    def time_unit(self) -> exp.Expr:
        """Reads a unit that is an argument of a call."""
        if not self.sees_any_word(_TIME_UNITS):
            self.fail("a unit such as DAY, HOUR, MINUTE or SECOND", keywords=sorted(_TIME_UNITS))
        token = self._curr
        self._advance()
        return self.at(exp.Literal.string(token.text.upper().removeprefix("SQL_TSI_")), token)
