"""Filters of JSON paths, `[?(@.price > 10 && @.tag)]`, as Jayway's JsonPath, which Flink has, judges them.

A filter compares (`==`, `!=`, `<`, `<=`, `>`, `>=`), matches a whole string (`=~ /regex/i`) or asks whether something
is there, and joins that by `&&`, `||`, `!` and parentheses. What is compared is a path from the element (`@`) or from
the document (`$`), a number, a string, true, false or null. Where a number and a string meet, the left one's type
counts; others equal only their like.

Source: https://github.com/json-path/JsonPath#filter-operators
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

__all__ = ["UNDEFINED", "Filter", "FilterError", "Found", "filter_end", "parse_filter"]

Filter = Callable[[object, object], bool]
"""Judges an element of a document: (element, document)."""
Found = Callable[[object, object], object]
"""What is at a path: (element, document); `UNDEFINED` if nothing is."""


class FilterError(ValueError):
    """The text is no filter, or one with an operator that is not known."""


class _Undefined:
    pass


UNDEFINED = _Undefined()

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_TOKEN = re.compile(
    rf"\s*(?P<path>[@$](?:\.\.?[\w\-]+|\.?\[\s*(?:{_QUOTED}|-?\d+)\s*\])*(?![\w.\[]))"
    rf"|\s*(?P<string>{_QUOTED})"
    r"|\s*(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|\s*(?P<word>true|false|null)\b"
    r"|\s*(?P<matches>=~\s*/(?:[^/\\]|\\.)*/[a-z]*)"
    r"|\s*(?P<sign>&&|\|\||==|!=|<=|>=|<(?!>)|>|!(?!=)|\(|\))"
)
_WORDS = {"true": True, "false": False, "null": None}
_KNOWN = "known: == != < <= > >= =~ && || ! and parentheses"
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.NOFLAG, "d": re.NOFLAG}


def filter_end(path: str, start: int) -> int | None:
    """Returns where a filter that begins at a place, `[?(`, ends, past its `]`; None if none begins there.

    Raises:
        FilterError: It does not end.

    Example:
        >>> filter_end("$.a[?(@ == ')]')].b", 3)
        17
    """
    opening = re.compile(r"\.?\[\s*\?\s*\(").match(path, start)
    if opening is None:
        return None
    depth, at = 1, opening.end()
    while depth:
        part = re.compile(rf"{_QUOTED}|[()]|[^()'\"]+").match(path, at)
        if part is None:
            raise FilterError(f"the filter {path[start:]!r} does not end")
        depth += {"(": 1, ")": -1}.get(part[0], 0)
        at = part.end()
    closing = re.compile(r"\s*\]").match(path, at)
    if closing is None:
        raise FilterError(f"the filter {path[start:]!r} does not end with ')]'")
    return closing.end()


def parse_filter(text: str, path: Callable[[str], Found]) -> Filter:
    """Reads what stands in `[?(...)]`.

    Args:
        text: From `[` to `]`.
        path: Reads a path within it.

    Raises:
        FilterError: It is no filter, or has an operator that is not known.

    Example:
        >>> asked = parse_filter("[?(@ > 1 && !(@ == 3))]", lambda path: lambda element, document: element)
        >>> [asked(one, None) for one in (1, 2, 3)]
        [False, True, False]
    """
    inner = text[text.index("(") + 1 : text.rindex(")")]
    reader = _Reader(inner, path)
    found = reader.either()
    if reader.kind:
        raise FilterError(f"{reader.shown!r} does not belong into the filter {inner!r}; {_KNOWN}")
    return found


class _Reader:
    """The tokens of a filter, one ahead."""

    def __init__(self, text: str, path: Callable[[str], Found]) -> None:
        self._text, self._path, self._at = text, path, 0
        self.kind = self.shown = ""
        self._step()

    def _step(self) -> None:
        rest = self._text[self._at :]
        found = _TOKEN.match(rest)
        if found is None and rest.strip():
            raise FilterError(f"{rest.strip()!r} is not known in a filter; {_KNOWN}")
        self.kind = (found.lastgroup or "") if found is not None else ""
        self.shown = found[self.kind] if found is not None else ""
        self._at += found.end() if found is not None else len(rest)

    def _take(self, sign: str) -> bool:
        seen = self.kind == "sign" and self.shown == sign
        if seen:
            self._step()
        return seen

    def either(self) -> Filter:
        some = [self._both()]
        while self._take("||"):
            some.append(self._both())
        return some[0] if len(some) == 1 else lambda element, document: any(one(element, document) for one in some)

    def _both(self) -> Filter:
        every = [self._one()]
        while self._take("&&"):
            every.append(self._one())
        return every[0] if len(every) == 1 else lambda element, document: all(one(element, document) for one in every)

    def _one(self) -> Filter:
        if self._take("!"):
            inner = self._one()
            return lambda element, document: not inner(element, document)
        if self._take("("):
            found = self.either()
            if not self._take(")"):
                raise FilterError(f"a ')' is missing in the filter {self._text!r}")
            return found
        is_path, left = self.kind == "path", self._operand()
        if self.kind == "matches":
            matches = _pattern(self.shown).fullmatch
            self._step()
            return lambda element, document: isinstance(text := left(element, document), str) and bool(matches(text))
        compare = _COMPARISONS.get(self.shown) if self.kind == "sign" else None
        if compare is None:
            if not is_path:
                raise FilterError(f"the filter {self._text!r} compares nothing; {_KNOWN}")
            return lambda element, document: left(element, document) is not UNDEFINED
        self._step()
        right = self._operand()
        return lambda element, document: compare(left(element, document), right(element, document))

    def _operand(self) -> Found:
        kind, shown = self.kind, self.shown
        self._step()
        if kind == "path":
            return self._path(shown)
        if kind == "string":
            value: object = re.sub(r"\\(.)", r"\1", shown[1:-1])
        elif kind == "number":
            value = Decimal(shown)
        elif kind == "word":
            value = _WORDS[shown]
        else:
            raise FilterError(f"the filter {self._text!r} lacks something to compare")
        return lambda element, document: value


def _pattern(shown: str) -> re.Pattern[str]:
    """Reads what stands in `=~ /.../flags`."""
    _, text, flags = re.split(r"(?<!\\)/", shown)
    try:
        return re.compile(text.replace("\\/", "/"), sum(_FLAGS[one] for one in flags))
    except (re.error, KeyError) as error:
        raise FilterError(f"{shown!r} is no pattern: {error}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _written(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _equal(left: object, right: object) -> bool:
    if left is UNDEFINED or right is UNDEFINED:
        return False
    if _is_number(left) and isinstance(right, str):
        try:
            return Decimal(right) == left
        except InvalidOperation:
            return False
    if isinstance(left, str) and _is_number(right):
        return left == _written(right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def judge(left: object, right: object) -> bool:
        alike = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return alike and compare(left, right)

    return judge


_COMPARISONS: Mapping[str, Callable[[object, object], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}
