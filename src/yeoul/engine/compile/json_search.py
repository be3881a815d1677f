"""One JSON document and one path: what is there, as Calcite's JSON functions see it. Plain Python values in and out.

A path has a mode. In strict mode, the default, a member or an element that is missing is an error; in lax mode it is
nothing. Wildcards, slices, unions, filters and `..` find a list of what there is.

Source: https://calcite.apache.org/docs/reference.html#json-functions and https://www.rfc-editor.org/rfc/rfc9535
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from yeoul.engine.compile.json_filters import UNDEFINED, Filter, FilterError, Found, filter_end, parse_filter

__all__ = ["MISSING", "JsonPath", "PathError", "java_double", "json_text", "parse_path"]

_TOKEN = re.compile(
    r"\.\.(?P<deep>[^.\[\]\s'\"*]+)"
    r"|\.(?P<name>[^.\[\]\s'\"*]+)"
    r"|\.?\[\s*'(?P<single>(?:[^'\\]|\\.)*)'\s*\]"
    r"|\.?\[\s*\"(?P<double>(?:[^\"\\]|\\.)*)\"\s*\]"
    r"|\.?\[\s*(?P<index>-?\d+)\s*\]"
    r"|\.?\[\s*(?P<slice>-?\d*\s*:\s*-?\d*)\s*\]"
    r"|\.?\[\s*(?P<union>-?\d+(?:\s*,\s*-?\d+)+)\s*\]"
    r"|(?P<every>\.\*|\.?\[\s*\*\s*\])"
)
_MODE = re.compile(r"\s*(lax|strict)\s+(.*)", re.IGNORECASE | re.DOTALL)


class _Missing:
    pass


MISSING = _Missing()
"""Nothing is there, and the path is lax."""


class PathError(ValueError):
    """The path is not one, or the document has nothing there and the path is strict, or it is not JSON."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step: a member, an index, a slice, several indexes, everything, what a filter lets through, or a member at
    any depth (without a name: whatever is there)."""

    member: str | None = None
    index: int | None = None
    slice: slice | None = None
    indexes: tuple[int, ...] = ()
    every: bool = False
    deep: bool = False
    filter: Filter | None = None

    @property
    def is_definite(self) -> bool:
        return (self.member is not None and not self.deep) or self.index is not None

    def found(self, value: object, document: object) -> Iterator[object]:
        if self.filter is not None:
            elements = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
            yield from (one for one in elements if self.filter(one, document))
        elif self.deep:
            yield from _descendants(value, self.member)
        elif isinstance(value, dict):
            if self.every:
                yield from value.values()
            elif self.member in value:
                yield value[self.member]
        elif isinstance(value, list):
            yield from self._elements(value)

    def _elements(self, value: list[object]) -> Iterator[object]:
        if self.every:
            yield from value
        elif self.slice is not None:
            yield from value[self.slice]
        for index in self.indexes if self.index is None else (self.index,):
            if -len(value) <= index < len(value):
                yield value[index]


def _descendants(value: object, member: str | None) -> Iterator[object]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if member is None and isinstance(value, dict | list):
        yield value
    if isinstance(value, dict) and member in value:
        yield value[member]
    for child in children:
        yield from _descendants(child, member)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path that was read."""

    steps: tuple[_Step, ...]
    lax: bool

    def of(self, document: str) -> object:
        """Returns what is at the path: a plain value, or `MISSING`.

        Raises:
            PathError: The document is not JSON, or it has nothing there and the path is strict.

        Example:
            >>> parse_path("$.a[1]").of('{"a": [1, 2]}'), parse_path("$.a[*]").of('{"a": [1, 2]}')
            (2, [1, 2])
        """
        try:
            value = json.loads(document, parse_float=Decimal)
        except ValueError:
            raise PathError("it is not JSON") from None
        found, is_one = [value], True
        for step in self.steps:
            found = [each for one in found for each in step.found(one, value)]
            is_one = is_one and step.is_definite
            if is_one and not found and not self.lax:
                raise PathError("there is nothing at the path")
        if not is_one:
            return found
        return found[0] if found else MISSING

    def within(self, element: object, document: object) -> object:
        """Returns what is at the path from an element of a document, or `UNDEFINED`."""
        found = [element]
        for step in self.steps:
            found = [each for one in found for each in step.found(one, document)]
        if all(step.is_definite for step in self.steps):
            return found[0] if found else UNDEFINED
        return found


def parse_path(text: str) -> JsonPath:
    """Reads a path with its mode.

    Raises:
        PathError: It is none, or has a function or a filter that is not known.

    Example:
        >>> parse_path("$.a[?(@.b > 1)].b").of('{"a": [{"b": 1}, {"b": 2}]}')
        [2]
    """
    mode = _MODE.fullmatch(text)
    body = (mode[2] if mode else text).strip()
    if not body.startswith("$"):
        raise PathError("a path begins with $")
    return JsonPath(_steps(body), bool(mode) and mode is not None and mode[1].lower() == "lax")


def _steps(body: str) -> tuple[_Step, ...]:
    """Reads the steps behind a path's `$` or `@`."""
    steps: list[_Step] = []
    at = 1
    while at < len(body):
        try:
            end = filter_end(body, at + (body.startswith("..[", at) and 2))
            if end is not None:
                steps += [_Step(deep=True)] if body.startswith("..", at) else []
                steps.append(_Step(filter=parse_filter(body[at:end], _path_within)))
                at = end
                continue
        except FilterError as error:
            raise PathError(str(error)) from None
        found = _TOKEN.match(body, at)
        if found is None:
            raise PathError(f"{body[at:]!r} is no step of a path")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _path_within(text: str) -> Found:
    """Reads a path within a filter: from the element if it begins with `@`, from the document with `$`."""
    path = JsonPath(_steps(text), lax=True)
    if text.startswith("$"):
        return lambda element, document: path.within(document, document)
    return path.within


def _step(found: re.Match[str]) -> _Step:
    if found["index"] is not None:
        return _Step(index=int(found["index"]))
    if found["slice"] is not None:
        start, _, stop = found["slice"].partition(":")
        return _Step(slice=slice(int(start) if start.strip() else None, int(stop) if stop.strip() else None))
    if found["union"] is not None:
        return _Step(indexes=tuple(int(one) for one in found["union"].split(",")))
    if found["every"] is not None:
        return _Step(every=True)
    if found["deep"] is not None:
        return _Step(member=found["deep"], deep=True)
    if found["name"] is not None:
        return _Step(member=found["name"])
    quoted = found["single"] if found["single"] is not None else found["double"]
    return _Step(member=re.sub(r"\\(.)", r"\1", quoted))


def java_double(value: float) -> str:
    """Returns a float as Java writes it.

    Example:
        >>> java_double(1000.0), java_double(1e7), java_double(0.0001)
        ('1000.0', '1.0E7', '1.0E-4')
    """
    if value != value or value in (float("inf"), float("-inf")):
        return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, "NaN")
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        return text if "e" not in text else f"{value:.17f}".rstrip("0")
    mantissa, _, exponent = f"{value:e}".partition("e")
    digits, power = repr(value).lower(), int(exponent)
    mantissa = digits.partition("e")[0].replace(".", "").replace("-", "").strip("0") or "0"
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa[0]}.{mantissa[1:] or '0'}E{power}"


def json_text(value: object) -> str:
    """Returns a value as JSON without blanks, numbers as Java writes them."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return java_double(value)
        case Decimal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json_text(str(key))}:{json_text(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(json_text, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)
