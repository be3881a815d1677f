"""Functions of numbers."""

from __future__ import annotations

from yeoul.plan.expressions import LiteralValue
from yeoul.plan.functions.coercion import decimal_rounding
from yeoul.plan.functions.signatures import (
    ANY_INTEGER,
    ANY_NUMBER,
    APPROXIMATE,
    TEXT,
    Function,
    Typing,
    takes,
    whole,
)
from yeoul.plan.types import BIGINT, BYTES, DOUBLE, INT, STRING, DataType, Kind

__all__ = ["NUMERIC"]


def _same(given: tuple[DataType, ...]) -> DataType:
    return given[0]


def _rounded(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """ROUND and TRUNCATE: a decimal keeps as many digits as a literal second argument asks for."""
    typing = takes(ANY_NUMBER, ANY_INTEGER, returns=_same, optional=1)(args)
    if typing is None or typing[0][0].kind is not Kind.DECIMAL:
        return typing
    digits = literals[1] if len(literals) > 1 else (0 if len(args) == 1 else None)
    rounded = decimal_rounding(typing[0][0], digits if isinstance(digits, int) else None)
    return typing[0], rounded.or_null(typing[1].nullable)


def _rounding(name: str, summary: str) -> Function:
    rule = takes(ANY_NUMBER, ANY_INTEGER, returns=_same, optional=1)
    return Function(name.lower(), (name,), "arithmetic", f"{name}(x[, digits])", summary, rule, literal_rule=_rounded)


def _approximate(name: str, summary: str, *, arguments: int = 1) -> Function:
    places = ", ".join("xyz"[:arguments])
    rule = takes(*[APPROXIMATE] * arguments, returns=DOUBLE)
    return Function(name.lower(), (name,), "arithmetic", f"{name}({places})", summary, rule)


def _hex(args: tuple[DataType, ...]) -> Typing | None:
    return takes(TEXT if args and args[0].kind is Kind.STRING else ANY_INTEGER, returns=STRING)(args)


NUMERIC: tuple[Function, ...] = (
    Function("abs", ("ABS",), "arithmetic", "ABS(x)", "Absolute value.", takes(ANY_NUMBER, returns=_same)),
    Function("sign", ("SIGN",), "arithmetic", "SIGN(x)", "-1, 0 or 1, in x's type.", takes(ANY_NUMBER, returns=_same)),
    Function(
        "ceil",
        ("CEIL", "CEILING"),
        "arithmetic",
        "CEIL(x)",
        "The least whole number not below x.",
        takes(ANY_NUMBER, returns=lambda given: whole(given[0])),
    ),
    Function(
        "floor",
        ("FLOOR",),
        "arithmetic",
        "FLOOR(x)",
        "The greatest whole number not above x.",
        takes(ANY_NUMBER, returns=lambda given: whole(given[0])),
    ),
    _rounding("ROUND", "Rounded to digits after the point, halves away from zero."),
    _rounding("TRUNCATE", "Cut to digits after the point."),
    _approximate("POWER", "x to the power of y.", arguments=2),
    _approximate("SQRT", "Square root."),
    _approximate("EXP", "e to the power of x."),
    _approximate("LN", "Natural logarithm."),
    _approximate("LOG10", "Logarithm to the base 10."),
    _approximate("LOG2", "Logarithm to the base 2."),
    Function(
        "log",
        ("LOG",),
        "arithmetic",
        "LOG([base, ]x)",
        "Natural logarithm, or to the given base.",
        takes(APPROXIMATE, APPROXIMATE, returns=DOUBLE, optional=1),
    ),
    *(_approximate(name, "Trigonometry, in radians.") for name in ("SIN", "COS", "TAN", "COT", "ASIN", "ACOS", "ATAN")),
    _approximate("ATAN2", "The angle of the point (y, x).", arguments=2),
    *(_approximate(name, "Hyperbolic function.") for name in ("SINH", "COSH", "TANH")),
    _approximate("DEGREES", "Radians to degrees."),
    _approximate("RADIANS", "Degrees to radians."),
    Function("pi", ("PI",), "arithmetic", "PI()", "3.14159...", takes(returns=DOUBLE, nullable=False)),
    Function("e", ("E",), "arithmetic", "E()", "2.71828...", takes(returns=DOUBLE, nullable=False)),
    Function(
        "rand",
        ("RAND",),
        "arithmetic",
        "RAND([seed])",
        "A DOUBLE in [0, 1), new for each row; with a seed the same in each batch.",
        takes(ANY_INTEGER, returns=DOUBLE, optional=1, nullable=False),
    ),
    Function(
        "rand_integer",
        ("RAND_INTEGER",),
        "arithmetic",
        "RAND_INTEGER([seed, ]bound)",
        "An INT in [0, bound), new for each row.",
        takes(ANY_INTEGER, ANY_INTEGER, returns=INT, optional=1, nullable=False),
    ),
    Function("bin", ("BIN",), "arithmetic", "BIN(i)", "Binary digits.", takes(ANY_INTEGER, returns=STRING)),
    Function("hex", ("HEX",), "arithmetic", "HEX(x)", "Hexadecimal digits of an integer or of a string's bytes.", _hex),
    Function(
        "unhex",
        ("UNHEX",),
        "arithmetic",
        "UNHEX(s)",
        "The bytes that hexadecimal digits stand for; NULL if they do not.",
        takes(TEXT, returns=BYTES, nullable=True),
    ),
    Function(
        "inet_aton",
        ("INET_ATON",),
        "arithmetic",
        "INET_ATON(s)",
        "The number of an IPv4 address; NULL if it is none.",
        takes(TEXT, returns=BIGINT, nullable=True),
    ),
    Function(
        "inet_ntoa",
        ("INET_NTOA",),
        "arithmetic",
        "INET_NTOA(i)",
        "The IPv4 address of a number; NULL beyond 32 bits.",
        takes(ANY_INTEGER, returns=STRING, nullable=True),
    ),
    Function(
        "uuid", ("UUID",), "arithmetic", "UUID()", "A random UUID for each row.", takes(returns=STRING, nullable=False)
    ),
)
