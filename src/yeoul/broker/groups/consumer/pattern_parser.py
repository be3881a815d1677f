"""Reads a topic pattern in RE2's language into its parts.

Names of topics are of letters, digits and `._-`, hence a character class is a set of those, and everything else in it
matches nothing. What RE2 leaves out (back references, look-around, possessive and atomic groups) is refused.

Source: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import string

from yeoul.broker.groups.consumer.pattern_program import (
    Anchor,
    Characters,
    Choice,
    Condition,
    Node,
    PatternRefused,
    Repeat,
    Sequence,
)

__all__ = ["WORD", "Parser"]

_MAX_REPEAT = 1_000
_MAX_DEPTH = 100

_DIGITS = frozenset(string.digits)
_LOWER = frozenset(string.ascii_lowercase)
_UPPER = frozenset(string.ascii_uppercase)
_LETTERS = _LOWER | _UPPER
WORD = _LETTERS | _DIGITS | {"_"}
_ALL = WORD | {".", "-"}
_NOTHING: frozenset[str] = frozenset()
_CLASSES = {"d": _DIGITS, "w": WORD, "s": _NOTHING}
_UNICODE = {
    "L": _LETTERS,
    "Lu": _UPPER,
    "Ll": _LOWER,
    "N": _DIGITS,
    "Nd": _DIGITS,
    "P": frozenset("._-"),
    "Pc": frozenset("_"),
    "Pd": frozenset("-"),
    "Po": frozenset("."),
    "Latin": _LETTERS,
    "Greek": _NOTHING,
    "Cyrillic": _NOTHING,
    "Han": _NOTHING,
    "Hangul": _NOTHING,
}
_POSIX = {
    "alnum": _LETTERS | _DIGITS,
    "alpha": _LETTERS,
    "ascii": _ALL,
    "blank": _NOTHING,
    "cntrl": _NOTHING,
    "digit": _DIGITS,
    "graph": _ALL,
    "lower": _LOWER,
    "print": _ALL,
    "punct": frozenset("._-"),
    "space": _NOTHING,
    "upper": _UPPER,
    "word": WORD,
    "xdigit": _DIGITS | frozenset("abcdefABCDEF"),
}
_CONTROL = {"a", "f", "t", "n", "r", "v"}
_CONDITIONS: dict[str, Condition] = {
    "^": lambda before, after: not before,
    "A": lambda before, after: not before,
    "$": lambda before, after: not after,
    "z": lambda before, after: not after,
    "b": lambda before, after: (before in WORD) != (after in WORD),
    "B": lambda before, after: (before in WORD) == (after in WORD),
}


class Parser:
    """Reads one expression; each method takes what its name says from where the last one ended."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ignore_case = False
        self.depth = 0

    def refuse(self, reason: str) -> PatternRefused:
        return PatternRefused(f"Topic pattern {self.text!r} cannot be used: {reason} at character {self.at + 1}")

    def peek(self, ahead: str) -> bool:
        return self.text.startswith(ahead, self.at)

    def take(self) -> str:
        if self.at >= len(self.text):
            raise self.refuse("it ends early")
        self.at += 1
        return self.text[self.at - 1]

    def take_if(self, ahead: str) -> bool:
        if self.peek(ahead):
            self.at += len(ahead)
            return True
        return False

    def take_until(self, end: str) -> str:
        found = self.text.find(end, self.at)
        if found < 0:
            raise self.refuse(f"{end!r} is missing")
        taken, self.at = self.text[self.at : found], found + len(end)
        return taken

    def whole(self) -> Node:
        node = self.choice()
        if self.at < len(self.text):
            raise self.refuse("unexpected ')'")
        return node

    def choice(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.refuse(f"groups are nested deeper than {_MAX_DEPTH}")
        branches = [self.sequence()]
        while self.take_if("|"):
            branches.append(self.sequence())
        self.depth -= 1
        return branches[0] if len(branches) == 1 else Choice(branches)

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            node = self.atom()
            if node is not None:
                parts.append(self.repeated(node))
        return Sequence(parts)

    def repeated(self, node: Node) -> Node:
        bounds = self.bounds()
        if bounds is None:
            return node
        self.take_if("?")
        if self.peek("+") or self.peek("*") or self.peek("?") or self.bounds() is not None:
            raise self.refuse("a repetition of a repetition")
        return Repeat(node, *bounds)

    def bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take_if(sign):
                return bounds
        end = self.text.find("}", self.at)
        if not self.peek("{") or end < 0:
            return None
        least, comma, most = self.text[self.at + 1 : end].partition(",")
        if not (least.isascii() and least.isdigit() and (not most or (most.isascii() and most.isdigit()))):
            # As RE2: what is no repetition is an ordinary brace.
            return None
        low, high = int(least), (int(most) if most else None) if comma else int(least)
        if low > _MAX_REPEAT or (high is not None and not low <= high <= _MAX_REPEAT):
            raise self.refuse(f"a repetition out of 0 to {_MAX_REPEAT}")
        self.at = end + 1
        return low, high

    def atom(self) -> Node | None:
        sign = self.take()
        if sign == "(":
            return self.group()
        if sign == "[":
            return Characters(self.character_class())
        if sign == ".":
            return Characters(_ALL)
        if sign in "^$":
            return Anchor(_CONDITIONS[sign])
        if sign in "*+?":
            raise self.refuse("nothing to repeat before it")
        if sign == "\\":
            return self.escape()
        return self.literal(sign)

    def literal(self, sign: str) -> Characters:
        return Characters(self.folded(frozenset((sign,))) & _ALL)

    def folded(self, members: frozenset[str]) -> frozenset[str]:
        if not self.ignore_case:
            return members
        return members | {each.lower() for each in members} | {each.upper() for each in members}

    def group(self) -> Node | None:
        outside = self.ignore_case
        if self.take_if("?P<") or (self.peek("?<") and not self.peek("?<=") and not self.peek("?<!")):
            self.take_if("?<")
            name = self.take_until(">")
            if not name or not set(name) <= WORD:
                raise self.refuse(f"the group name {name!r}")
        elif self.take_if("?") and not self.flags():
            return None
        node = self.choice()
        if not self.take_if(")"):
            raise self.refuse("')' is missing")
        self.ignore_case = outside
        return node

    def flags(self) -> bool:
        """Returns whether a group follows; without one the flags are for the rest of the group around them."""
        on = True
        while True:
            sign = self.take()
            if sign in ":)":
                return sign == ":"
            if sign == "-":
                on = False
            elif sign == "i":
                self.ignore_case = on
            elif sign not in "msU":
                raise self.refuse(f"'(?{sign}' is not supported")

    def escape(self) -> Node:
        sign = self.take()
        if sign in _CONDITIONS and sign not in "^$":
            return Anchor(_CONDITIONS[sign])
        if sign == "Q":
            end = self.text.find("\\E", self.at)
            quoted = self.text[self.at :] if end < 0 else self.text[self.at : end]
            self.at = len(self.text) if end < 0 else end + 2
            return Sequence([self.literal(each) for each in quoted])
        return Characters(self.escaped_members(sign))

    def escaped_members(self, sign: str) -> frozenset[str]:
        if sign.lower() in _CLASSES:
            members = _CLASSES[sign.lower()]
            return _ALL - members if sign.isupper() else members
        if sign in "pP":
            name = self.take_until("}") if self.take_if("{") else self.take()
            negated = (sign == "P") != name.startswith("^")
            if name.lstrip("^") not in _UNICODE:
                raise self.refuse(f"the class {name!r} is not known")
            members = self.folded(_UNICODE[name.lstrip("^")])
            return _ALL - members if negated else members
        return self.folded(frozenset((self.escaped_character(sign),))) & _ALL

    def escaped_character(self, sign: str) -> str:
        if sign == "x":
            digits = self.take_until("}") if self.take_if("{") else self.take() + self.take()
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise self.refuse(f"the character code {digits!r}") from None
        if sign in _CONTROL:
            return "\n"
        if sign.isascii() and not sign.isalnum():
            return sign
        raise self.refuse(f"'\\{sign}' is not supported")

    def character_class(self) -> frozenset[str]:
        negated = self.take_if("^")
        members: frozenset[str] = _NOTHING
        first = True
        while first or not self.take_if("]"):
            first = False
            members |= self.class_item()
        members = self.folded(members) & _ALL
        return _ALL - members if negated else members

    def class_item(self) -> frozenset[str]:
        if self.take_if("[:"):
            name = self.take_until(":]")
            found = _POSIX.get(name.lstrip("^"))
            if found is None:
                raise self.refuse(f"the class {name!r} is not known")
            return _ALL - found if name.startswith("^") else found
        low = self.take()
        if low == "\\":
            sign = self.take()
            if sign.lower() in _CLASSES or sign in "pP":
                return self.escaped_members(sign)
            low = self.escaped_character(sign)
        if not self.peek("-") or self.peek("-]"):
            return frozenset((low,))
        self.at += 1
        high = self.take()
        if high == "\\":
            high = self.escaped_character(self.take())
        if high < low:
            raise self.refuse(f"the range {low}-{high} runs backwards")
        return frozenset(each for each in _ALL | {low} if low <= each <= high)
