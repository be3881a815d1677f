"""Literals: their text becomes a value and a type.

Source: Calcite's rules for numbers (digits written, a leading zero included, are a decimal's precision) and
https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/types/ for the rest.
"""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan import types
from yeoul.plan.expressions import Cast, Expression, Literal
from yeoul.plan.types import DataType

if TYPE_CHECKING:
    from yeoul.planner.binding.expressions.binder import ExpressionBinder

__all__ = ["boolean", "interval", "interval_value", "literal", "null", "number_value", "typed_literal", "typed_value"]

_INT_LIMIT = 1 << 31
_BIGINT_LIMIT = 1 << 63
_MAX_DIGITS = 38
_SECONDS = {"WEEK": 604_800, "DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}
_SEPARATORS = {"DAY": " ", "HOUR": ":", "MINUTE": ":"}
_TIMESTAMP = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})(?:[ T](\d{1,2}:\d{2}(?::\d{2}(?:\.(\d{1,9}))?)?))?")
_FINE_TIMESTAMP = re.compile(r"(?:1[7-9]|2[01])\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.(\d{7,9})")
"""One with nanoseconds, in the years that 64 bits of them reach."""
_TIME = re.compile(r"\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.(\d{1,9}))?)?")


def literal(_: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    if node.is_string:
        return Literal(node.this, types.STRING.not_null(), span)
    value, type = number_value(node.this)
    return Literal(value, type, span)


def typed_literal(_: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    fine = _FINE_TIMESTAMP.fullmatch(node.this.strip()) if node.args["kind"] == "TIMESTAMP" else None
    if fine is not None:  # more digits than a datetime holds
        text = Literal(node.this.strip(), types.STRING.not_null(), span)
        return Cast(text, types.timestamp(len(fine[1])).not_null(), span=span)
    value, type = typed_value(node.args["kind"], node.this)
    return Literal(value, type, span)


def interval(_: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    unit = node.args["unit"]
    if isinstance(unit, exp.IntervalSpan):
        value, type = interval_value(node.this.name, unit.this.name, unit.args["expression"].name)
    else:
        value, type = interval_value(node.this.name, unit.name)
    return Literal(value, type, span)


def boolean(_: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return Literal(bool(node.this), types.BOOLEAN.not_null(), span)


def null(_: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return Literal(None, types.NULL, span)


def number_value(text: str) -> tuple[int | float | Decimal, DataType]:
    """Returns the value and type of a number as written.

    Raises:
        UserError: More digits than a DECIMAL holds.

    Example:
        >>> [str(number_value(text)[1]) for text in ("7", "3000000000", "0.05", "1e3")]
        ['INT NOT NULL', 'BIGINT NOT NULL', 'DECIMAL(3, 2) NOT NULL', 'DOUBLE NOT NULL']
    """
    if "e" in text.lower():
        return float(text), types.DOUBLE.not_null()
    whole, _, fraction = text.partition(".")
    if not fraction:
        value = int(whole or "0") if len(whole) <= _MAX_DIGITS else None
        if value is not None and value < _BIGINT_LIMIT:
            return value, (types.INT if value < _INT_LIMIT else types.BIGINT).not_null()
    digits = len(whole) + len(fraction)
    if digits > _MAX_DIGITS:
        raise UserError(
            f"The number has {digits} digits, a DECIMAL has at most {_MAX_DIGITS}",
            hint="Write it with an exponent (1e40) for a DOUBLE",
        )
    return Decimal(text), types.decimal(digits, len(fraction)).not_null()


def typed_value(kind: str, text: str) -> tuple[bytes | datetime.date | datetime.time | datetime.datetime, DataType]:
    """Returns the value and type of `DATE '...'`, `TIME '...'`, `TIMESTAMP '...'` or `X'...'`.

    Raises:
        UserError: The text is none such.

    Example:
        >>> value, type = typed_value("TIMESTAMP", "2026-01-31 10:00:00.123")
        >>> value.microsecond, str(type)
        (123000, 'TIMESTAMP(3) NOT NULL')
    """
    try:
        match kind:
            case "X":
                return bytes.fromhex(text), types.BYTES.not_null()
            case "DATE":
                return _date(text.strip()), types.DATE.not_null()
            case "TIME":
                return _time(text.strip())
            case _:
                return _timestamp(text.strip())
    except ValueError:
        shape = {"DATE": "yyyy-MM-dd", "TIME": "HH:mm:ss[.f]"}.get(kind, "yyyy-MM-dd HH:mm:ss[.f]")
        raise UserError(f"Expected {kind} '{shape}', got {text!r}") from None


def _date(text: str) -> datetime.date:
    year, month, day = text.split("-")
    return datetime.date(int(year), int(month), int(day))


def _time(text: str) -> tuple[datetime.time, DataType]:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return _clock(text), types.time(_digits(match[1])).not_null()


def _timestamp(text: str) -> tuple[datetime.datetime, DataType]:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    value = datetime.datetime.combine(_date(match[1]), _clock(match[2] or "0:00"))
    return value, types.timestamp(_digits(match[3])).not_null()


def _clock(text: str) -> datetime.time:
    parts = text.split(":")
    seconds, _, fraction = (parts[2] if len(parts) > 2 else "0").partition(".")
    return datetime.time(int(parts[0]), int(parts[1]), int(seconds), int(fraction.ljust(6, "0")[:6] or "0"))


def _digits(fraction: str | None) -> int:
    digits = len(fraction or "")
    if digits > 6 and fraction is not None and fraction[6:].strip("0"):
        raise UserError("Only a TIMESTAMP of the years 1700 to 2199 holds more than 6 digits of a second")
    return min(digits, 6)


def interval_value(text: str, first: str, last: str | None = None) -> tuple[int | datetime.timedelta, DataType]:
    """Returns the value and type of an interval: months, or a timedelta.

    Args:
        text: What stands in quotes, a sign included.
        first: The unit, or the first of `DAY TO SECOND`; singular, upper case.
        last: The last unit of a span.

    Raises:
        UserError: The text does not fit the units.

    Example:
        >>> interval_value("1:30", "MINUTE", "SECOND")[0].total_seconds(), interval_value("2", "YEAR")[0]
        (90.0, 24)
    """
    body = text.strip()
    negative = body.startswith("-")
    body = body.lstrip("+-").strip()
    if first in _MONTHS:
        months = _months(body, first, last, text)
        return -months if negative else months, types.INTERVAL_YEAR_MONTH.not_null()
    seconds = _seconds(body, first, last, text)
    duration = datetime.timedelta(microseconds=int(seconds * 1_000_000))
    return -duration if negative else duration, types.INTERVAL_DAY_TIME.not_null()


def _months(body: str, first: str, last: str | None, text: str) -> int:
    if last is None and body.isdigit() and len(body) < 8:
        return int(body) * _MONTHS[first]
    match = re.fullmatch(r"(\d{1,7})-(\d{1,2})", body)
    if (first, last) == ("YEAR", "MONTH") and match:
        return int(match[1]) * 12 + int(match[2])
    raise _misfit(text, first, last, "'3'" if last is None else "'1-6'")


def _seconds(body: str, first: str, last: str | None, text: str) -> Decimal:
    units = list(_SECONDS)
    if last is not None and (last not in _SECONDS or first == "WEEK" or units.index(last) <= units.index(first)):
        raise UserError(f"Expected units from large to small, as in DAY TO SECOND, got {first} TO {last}")
    spanned = units[units.index(first) : units.index(last or first) + 1]
    pattern = "".join(rf"(\d{{1,9}}){_SEPARATORS[unit]}" for unit in spanned[:-1]) + (
        r"(\d{1,12}(?:\.\d{1,9})?)" if spanned[-1] == "SECOND" else r"(\d{1,9})"
    )
    match = re.fullmatch(pattern, body)
    if match is None:
        example = "".join("1" + _SEPARATORS[unit] for unit in spanned[:-1]) + "30"
        raise _misfit(text, first, last, f"'{example}'")
    return sum((Decimal(part) * _SECONDS[unit] for part, unit in zip(match.groups(), spanned, strict=True)), Decimal(0))


def _misfit(text: str, first: str, last: str | None, example: str) -> UserError:
    unit = first if last is None else f"{first} TO {last}"
    return UserError(f"Expected an interval such as {example} {unit}, got {text!r}")
