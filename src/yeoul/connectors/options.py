"""Options of a WITH clause: typed, documented, checked.

Owns `Option` (one name, how to read it, what it means) and the parsers of values. Invariants: nothing heavy is imported
here, because options are checked when a table is declared; a value that does not parse is a `UserError` that names the
option. Callers: every connector's `spec`, and `registry`.

A name may hold one `*`, which stands for one or more characters: `properties.*`, `fields.*.kind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from yeoul.errors import UserError, did_you_mean
from yeoul.units import parse_duration_ms, parse_size_bytes

__all__ = [
    "Option",
    "choice",
    "flag",
    "parse_duration_ms",
    "parse_size_bytes",
    "semicolon_list",
    "text",
    "whole",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """One option of a connector.

    Attributes:
        name: As written in WITH; `*` stands for a variable part.
        parse: Reads the text; raises UserError saying what it expected.
        default: What holds when the option is absent.
        doc: One sentence for people.
        required: Whether a table cannot do without it.
        is_own: Whether Flink has no such option.

    Example:
        >>> rate = Option("rows-per-second", whole(1), 10_000, "Rows to make each second.")
        >>> rate.read({}), rate.read({"rows-per-second": "5"})
        (10000, 5)
        >>> rate.read({"rows-per-second": "many"})
        Traceback (most recent call last):
        ...
        yeoul.errors.UserError: Option 'rows-per-second': Expected a whole number of at least 1, got 'many'
    """

    name: str
    parse: Callable[[str], T]
    default: T
    doc: str
    required: bool = False
    is_own: bool = False

    def read(self, options: Mapping[str, str]) -> T:
        """Returns the option's value among `options`, else its default."""
        given = options.get(self.name)
        return self.default if given is None else self.read_text(self.name, given)

    def read_text(self, name: str, given: str) -> T:
        """Returns the value of `given`, which stands under `name`.

        Raises:
            UserError: It does not parse.
        """
        try:
            return self.parse(given)
        except UserError as error:
            raise UserError(f"Option {name!r}: {error.message}", hint=error.hint) from None

    def matches(self, name: str) -> bool:
        """Tells whether `name` is this option, `*` included."""
        if "*" not in self.name:
            return name == self.name
        before, _, after = self.name.partition("*")
        return len(name) > len(self.name) - 1 and name.startswith(before) and name.endswith(after)


def text(given: str) -> str:
    """Takes any text that is not blank."""
    if not given.strip():
        raise UserError(f"Expected a text, got {given!r}")
    return given


def flag(given: str) -> bool:
    """Reads `true` or `false`.

    Example:
        >>> flag("TRUE"), flag("false")
        (True, False)
    """
    known = {"true": True, "false": False}
    word = given.strip().lower()
    if word not in known:
        raise UserError(f"Expected 'true' or 'false', got {given!r}")
    return known[word]


def whole(smallest: int | None = None, largest: int | None = None) -> Callable[[str], int]:
    """Returns a parser of whole numbers within bounds."""

    def parse(given: str) -> int:
        fits = re.fullmatch(r"\s*[+-]?\d{1,19}\s*", given) is not None
        if (
            not fits
            or (smallest is not None and int(given) < smallest)
            or (largest is not None and int(given) > largest)
        ):
            bounds = [f"at least {smallest}"] if smallest is not None else []
            bounds += [f"at most {largest}"] if largest is not None else []
            of = f" of {' and '.join(bounds)}" if bounds else ""
            raise UserError(f"Expected a whole number{of}, got {given!r}")
        return int(given)

    return parse


def choice(known: Iterable[str]) -> Callable[[str], str]:
    """Returns a parser that takes one of `known`, in any case.

    Example:
        >>> choice(["all", "except_key"])("except-key")
        Traceback (most recent call last):
        ...
        yeoul.errors.UserError: Expected one of 'all', 'except_key', got 'except-key'. Did you mean 'except_key'?
    """
    words = tuple(known)

    def parse(given: str) -> str:
        word = given.strip().lower()
        if word not in words:
            expected = ", ".join(repr(one) for one in words)
            raise UserError(f"Expected one of {expected}, got {given!r}", hint=_nearest(word, words))
        return word

    return parse


def _nearest(word: str, words: Iterable[str]) -> str:
    hint = did_you_mean(word, words)
    return hint if hint.startswith("Did") else ""


def semicolon_list(given: str) -> tuple[str, ...]:
    """Reads `a;b;c`, as Flink writes lists.

    Example:
        >>> semicolon_list("clicks; orders")
        ('clicks', 'orders')
    """
    parts = tuple(part.strip() for part in given.split(";") if part.strip())
    if not parts:
        raise UserError(f"Expected names separated by ';', got {given!r}")
    return parts
