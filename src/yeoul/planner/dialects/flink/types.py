"""The grammar of types: `BIGINT NOT NULL`, `TIMESTAMP(3) WITH LOCAL TIME ZONE`, `ROW<a INT, b ARRAY<STRING>>`.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/types/
"""

from __future__ import annotations

from collections.abc import Callable

from yeoul.errors import UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.types import DataType, Kind, RowField
from yeoul.planner.dialects.flink.cursor import TokenCursor
from yeoul.planner.dialects.flink.lexer import TokenType
from yeoul.planner.dialects.flink.nodes import TypeName

__all__ = ["TypeGrammar"]

_PLAIN = {
    "BOOLEAN": types.BOOLEAN,
    "TINYINT": types.TINYINT,
    "SMALLINT": types.SMALLINT,
    "INT": types.INT,
    "INTEGER": types.INT,
    "BIGINT": types.BIGINT,
    "FLOAT": types.FLOAT,
    "REAL": types.FLOAT,
    "STRING": types.STRING,
    "BYTES": types.BYTES,
    "BITMAP": types.BITMAP,
    "VARIANT": types.VARIANT,
    "DATE": types.DATE,
}
_FOREIGN = {
    "TEXT": "STRING",
    "LONG": "BIGINT",
    "SHORT": "SMALLINT",
    "BYTE": "TINYINT",
    "BOOL": "BOOLEAN",
    "DATETIME": "TIMESTAMP(3)",
    "TIMESTAMPTZ": "TIMESTAMP_LTZ(3)",
    "FLOAT64": "DOUBLE",
    "FLOAT32": "FLOAT",
    "INT64": "BIGINT",
    "INT32": "INT",
    "INT8": "TINYINT",
    "INT16": "SMALLINT",
    "BLOB": "BYTES",
    "JSON": "STRING",
    "STRUCT": "ROW<name type, ...>",
    "LIST": "ARRAY<type>",
    "NUMBER": "DECIMAL(p, s)",
}
_ABSENT = {
    "MULTISET": "COLLECT gives a MAP<type, INT> of values to how often each occurs",
    "RAW": "BYTES holds what is opaque",
    "STRUCTURED": "ROW<name type, ...>",
    "NULL": "A column that is always NULL has any type",
    "INTERVAL": "It is a type of expressions; a column of milliseconds or months is a BIGINT",
}
MAX_DECIMAL_DIGITS = 38
MAX_LENGTH = 2**31 - 1
"""VARCHAR of this length, or of none, is STRING."""
MAX_FRACTION_DIGITS = 9


class TypeGrammar(TokenCursor):
    """Reads types."""

    def type_name(self) -> TypeName:
        """Reads a type with its nullability."""
        token = self._curr
        return self.at(TypeName(this=self.type()), token)

    def type(self) -> DataType:
        """Reads a type with its nullability.

        Raises:
            UserError: No type begins here, or its parameters are out of range.
        """
        with self.nested():
            found = self._bare_type()
            while self.take_word("ARRAY"):
                found = types.array_of(found)
            if self.sees_word("MULTISET"):
                raise self._unknown_type("MULTISET")
            if self.take_word("NOT", "NULL"):
                return found.not_null()
            self.take_word("NULL")
            return found

    def _bare_type(self) -> DataType:
        if not self.sees(TokenType.VAR):
            self.fail("a type")
        word = self._curr.text.upper()
        reader = self._readers().get(word)
        if reader is None and word not in _PLAIN:
            raise self._unknown_type(word)
        self._advance()
        return reader() if reader else _PLAIN[word]

    def _readers(self) -> dict[str, Callable[[], DataType]]:
        return {
            "DOUBLE": self._double,
            "DECIMAL": self._decimal,
            "DEC": self._decimal,
            "NUMERIC": self._decimal,
            "VARCHAR": self._varchar,
            "CHAR": self._varchar,
            "VARBINARY": self._binary,
            "BINARY": self._binary,
            "TIME": self._time,
            "TIMESTAMP": self._timestamp,
            "TIMESTAMP_LTZ": lambda: types.timestamp_ltz(self._fraction_digits(6)),
            "ARRAY": self._array,
            "MAP": self._map,
            "ROW": self._row,
        }

    def _double(self) -> DataType:
        self.take_word("PRECISION")
        return types.DOUBLE

    def _decimal(self) -> DataType:
        numbers = self._parameters(("precision", "scale"))
        precision = numbers[0] if numbers else 10
        scale = numbers[1] if len(numbers) > 1 else 0
        if not (1 <= precision <= MAX_DECIMAL_DIGITS and 0 <= scale <= precision):
            raise UserError(
                f"Expected DECIMAL(p, s) with p from 1 to {MAX_DECIMAL_DIGITS} and s from 0 to p,"
                f" got ({precision}, {scale})",
                span=self.text_positions.span(self._prev.start),
            )
        return types.decimal(precision, scale)

    def _varchar(self) -> DataType:
        is_char = self._prev.text.upper() == "CHAR"
        numbers = self._parameters(("length",))
        if numbers == [MAX_LENGTH] or not (numbers or is_char):
            return types.STRING
        return DataType(Kind.STRING, precision=numbers[0] if numbers else 1, fixed=is_char)

    def _binary(self) -> DataType:
        is_fixed = self._prev.text.upper() == "BINARY"
        numbers = self._parameters(("length",))
        if numbers == [MAX_LENGTH] or not (numbers or is_fixed):
            return types.BYTES
        return DataType(Kind.BYTES, precision=numbers[0] if numbers else 1, fixed=is_fixed)

    def _time(self) -> DataType:
        digits = self._fraction_digits(0)
        self.take_word("WITHOUT", "TIME", "ZONE")
        return types.time(digits)

    def _timestamp(self) -> DataType:
        digits = self._fraction_digits(6)
        if self.take_word("WITH", "LOCAL", "TIME", "ZONE"):
            return types.timestamp_ltz(digits)
        if self.sees_word("WITH"):
            self.fail(
                "WITH LOCAL TIME ZONE", hint="TIMESTAMP WITH TIME ZONE does not exist in Flink; use TIMESTAMP_LTZ"
            )
        self.take_word("WITHOUT", "TIME", "ZONE")
        return types.timestamp(digits)

    def _fraction_digits(self, default: int) -> int:
        numbers = self._parameters(("precision",))
        digits = numbers[0] if numbers else default
        if digits > MAX_FRACTION_DIGITS:
            raise UserError(
                f"Expected a precision from 0 to {MAX_FRACTION_DIGITS} digits of a second, got {digits}",
                span=self.text_positions.span(self._prev.start),
            )
        return digits

    def _array(self) -> DataType:
        self._open_angle("ARRAY<type>")
        element = self.type()
        self._close_angle()
        return types.array_of(element)

    def _map(self) -> DataType:
        self._open_angle("MAP<key, value>")
        key = self.type()
        self.expect(TokenType.COMMA, "',' and the type of the values")
        value = self.type()
        self._close_angle()
        return types.map_of(key, value)

    def _row(self) -> DataType:
        closing = TokenType.R_PAREN if self.take(TokenType.L_PAREN) else TokenType.GT
        if closing == TokenType.GT:
            self._open_angle("ROW<name type, ...>")
        fields = [self._row_field()]
        while self.take(TokenType.COMMA):
            fields.append(self._row_field())
        self.expect(closing, "',' or '>'" if closing == TokenType.GT else "',' or ')'")
        return types.row_of(*fields)

    def _row_field(self) -> RowField:
        name = str(self.name("the name of a field").this)
        found = RowField(name, self.type())
        if self.sees(TokenType.STRING):
            self._advance()
        return found

    def _open_angle(self, form: str) -> None:
        self.expect(TokenType.LT, f"'<', as in {form}")

    def _close_angle(self) -> None:
        # `ROW<>` cannot occur, so a NEQ here is never two brackets
        self.expect(TokenType.GT, "'>'")

    def _parameters(self, names: tuple[str, ...]) -> list[int]:
        """Reads `(n, ...)`, at most as many as named; nothing if no parenthesis follows."""
        if not self.sees(TokenType.L_PAREN):
            return []
        numbers: list[int] = []
        for _ in self.between_parens():
            if len(numbers) == len(names):
                self.fail("')'")
            text = self.expect(TokenType.NUMBER, f"a whole number as {names[len(numbers)]}").text
            if not text.isdigit() or len(text) > 10:
                raise UserError(
                    f"Expected a whole number as {names[len(numbers)]}, got {text!r}",
                    span=self.text_positions.span(self._prev.start),
                )
            numbers.append(int(text))
        return numbers

    def _unknown_type(self, word: str) -> UserError:
        if word in _ABSENT:
            return UserError(f"There are no columns of type {word}", hint=_ABSENT[word], span=self.here())
        known = [*_PLAIN, *self._readers()]
        hint = f"Flink SQL writes {_FOREIGN[word]}" if word in _FOREIGN else did_you_mean(word, known)
        return UserError(f"Unknown type {self._curr.text!r}", hint=hint, span=self.here())
