"""PRINTF: Java's format strings.

A format of nothing but %s, %d and %% over plain values is one concatenation; any other one is carried out in Python,
once per different set of arguments of a batch.

Source: https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Formatter.html
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import polars as pl

from yeoul.engine.compile.casts import lower_cast
from yeoul.engine.compile.faults import checked
from yeoul.engine.compile.json_search import java_double
from yeoul.engine.compile.lowering import Site
from yeoul.plan.types import STRING

__all__ = ["formatted", "printf"]

_DIRECTIVE = re.compile(r"%(?:(\d+)\$)?([-#+ 0,(]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")


class _BadFormat(ValueError):
    pass


def printf(site: Site) -> pl.Expr:
    """Lowers PRINTF(format, ...); NULL where the format does not fit the arguments."""
    simple = _concatenated(site)
    if simple is not None:
        return simple
    columns = [each.alias(f"c{index}") for index, each in enumerate(site.args)]

    def compute(*series: pl.Series) -> pl.Series:
        length = max(map(len, series)) if min(map(len, series)) else 0
        fitted = [one if len(one) == length else one.new_from_index(0, length) for one in series]
        rows = pl.DataFrame([one.alias(f"c{index}") for index, one in enumerate(fitted)]).rows()
        known: dict[tuple[object, ...], str | None] = {}
        for row in rows:
            key = (*row, *map(type, row))
            if key not in known:
                known[key] = _row(row)
        return pl.Series("p", [known[(*row, *map(type, row))] for row in rows], dtype=pl.String)

    return checked(columns, compute, pl.String())


def _concatenated(site: Site) -> pl.Expr | None:
    """The format as one concatenation, if it asks for no more."""
    text = site.constant(0)
    if not isinstance(text, str):
        return None
    parts: list[pl.Expr] = []
    at = used = 0
    for found in _DIRECTIVE.finditer(text):
        parts.append(pl.lit(text[at : found.start()]))
        at = found.end()
        if found[0] == "%%":
            parts.append(pl.lit("%"))
            continue
        if found[0] not in ("%s", "%d") or used >= len(site.args) - 1:
            return None
        used += 1
        type = site.types[used]
        plain = type.is_integer or (found[0] == "%s" and type.kind is STRING.kind)
        if not plain:
            return None
        written = lower_cast(site.args[used], type, STRING, null_on_error=True, text="", zone="UTC")
        parts.append(written.fill_null("null"))
    parts.append(pl.lit(text[at:]))
    return None if "%" in text[at:] else pl.concat_str(parts)


def _row(row: Sequence[object]) -> str | None:
    if row[0] is None:
        return None
    try:
        return formatted(str(row[0]), row[1:])
    except (_BadFormat, ValueError, OverflowError):
        return None


def formatted(text: str, values: Sequence[object]) -> str:
    """Returns the format with the values put in.

    Raises:
        ValueError: The format is none, or does not fit the values.

    Example:
        >>> formatted("%05d|%-4s|%,d", [42, "ab", 1234567])
        '00042|ab  |1,234,567'
    """
    parts: list[str] = []
    at = used = 0
    for found in _DIRECTIVE.finditer(text):
        between = text[at : found.start()]
        parts.append(between)
        at = found.end()
        if "%" in between:
            raise _BadFormat(text)
        letter = found[5]
        if letter in "%n":
            parts.append("%" if letter == "%" else "\n")
            continue
        if found[1]:
            place = int(found[1]) - 1
        else:
            place, used = used, used + 1
        if not 0 <= place < len(values):
            raise _BadFormat(text)
        parts.append(_directive(letter, found[2], int(found[3] or 0), found[4], values[place]))
    if "%" in text[at:]:
        raise _BadFormat(text)
    return "".join([*parts, text[at:]])


def _directive(letter: str, flags: str, width: int, precision: str | None, value: object) -> str:
    low = letter.lower()
    if low == "b":
        body = "true" if value is True or (value is not None and value is not False) else "false"
    elif value is None:
        body = "null"
    elif low == "s":
        body = _plain(value)
    elif low == "c":
        body = chr(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
        if len(body) != 1:
            raise _BadFormat(letter)
    elif low in "dxo":
        return _integer(low, letter, flags, width, value)
    elif low in "fe":
        return _fraction(low, letter, flags, width, precision, value)
    else:
        raise _BadFormat(letter)
    if precision is not None:
        body = body[: int(precision)]
    return _padded(body.upper() if letter.isupper() else body, flags, width)


def _plain(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return java_double(value)
        case datetime.datetime():
            return value.isoformat()
        case _:
            return str(value)


def _integer(low: str, letter: str, flags: str, width: int, value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _BadFormat(letter)
    if low == "d":
        digits = f"{abs(value):,}" if "," in flags else str(abs(value))
        return _signed(digits, value < 0, flags, width)
    masked = value & ((1 << (32 if -(1 << 31) <= value < 1 << 31 else 64)) - 1)
    digits = format(masked, low)
    if "#" in flags:
        digits = ("0x" if low == "x" else "0") + digits
    digits = digits.rjust(width, "0") if "0" in flags else digits
    return _padded(digits.upper() if letter.isupper() else digits, flags, width)


def _fraction(low: str, letter: str, flags: str, width: int, precision: str | None, value: object) -> str:
    if not isinstance(value, float | Decimal):
        raise _BadFormat(letter)
    places = 6 if precision is None else int(precision)
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        return _padded(java_double(float(exact)), flags, width)
    if low == "f":
        rounded = abs(exact).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        digits = f"{rounded:,f}" if "," in flags else f"{rounded:f}"
    else:
        digits = f"{abs(exact):.{places}e}"
        mantissa, _, power = digits.partition("e")
        digits = f"{mantissa}e{int(power):+03d}"
    return _signed(digits.upper() if letter.isupper() else digits, exact < 0, flags, width)


def _signed(digits: str, negative: bool, flags: str, width: int) -> str:
    opening = ("(" if "(" in flags else "-") if negative else "+" if "+" in flags else " " if " " in flags else ""
    closing = ")" if opening == "(" else ""
    if "0" in flags and "-" not in flags:
        digits = digits.rjust(width - len(opening) - len(closing), "0")
    return _padded(opening + digits + closing, flags, width)


def _padded(body: str, flags: str, width: int) -> str:
    return body.ljust(width) if "-" in flags else body.rjust(width)
