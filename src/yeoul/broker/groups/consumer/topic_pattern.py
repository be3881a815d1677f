"""Regular expressions over topic names, in RE2's language, matched in time linear in the name.

A member may subscribe with an expression, and the broker evaluates it for each topic: one that backtracks would let a
client stop the broker with a few characters. So expressions are compiled to a bounded automaton, as RE2 does:
`pattern_parser` reads them, `pattern_program` is what they become. Matches are of whole names.

Source: https://github.com/google/re2/wiki/Syntax, KIP-848.
"""

from __future__ import annotations

from collections.abc import Iterable

from yeoul.broker.groups.consumer.pattern_parser import WORD, Parser
from yeoul.broker.groups.consumer.pattern_program import PatternRefused, Program

__all__ = ["PatternRefused", "TopicPattern"]

_MAX_PATTERN_CHARS = 1_000
_MAX_CACHED_STEPS = 20_000


class TopicPattern:
    """An expression, ready to be held against names.

    Example:
        >>> pattern = TopicPattern.parse("(orders|payments)[.][a-z]+")
        >>> pattern.matches("orders.eu"), pattern.matches("old.orders.eu")
        (True, False)
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._accept = program.end
        self._steps: dict[tuple[frozenset[int], str, str], frozenset[int]] = {}

    @classmethod
    def parse(cls, text: str) -> TopicPattern:
        """Raises:
        PatternRefused: It is no expression of RE2's language, or too large.
        """
        if len(text) > _MAX_PATTERN_CHARS:
            raise PatternRefused(f"Expected at most {_MAX_PATTERN_CHARS} characters of topic pattern, got {len(text)}")
        program = Program()
        Parser(text).whole().emit(program)
        return cls(program)

    def matches(self, name: str) -> bool:
        """Returns whether the whole name is one that the expression means."""
        states = frozenset((0,))
        before = ""
        for sign in name:
            states = self._step(states, before, sign)
            if not states:
                return False
            before = sign
        return self._accept in self._closure(states, before, "")

    def _step(self, states: frozenset[int], before: str, sign: str) -> frozenset[int]:
        kind = before if not before else ("a" if before in WORD else ".")
        key = (states, kind, sign)
        found = self._steps.get(key)
        if found is None:
            characters = self._program.characters
            found = frozenset(
                at + 1
                for at in self._closure(states, before, sign)
                if at != self._accept and (allowed := characters[at]) is not None and sign in allowed
            )
            if len(self._steps) < _MAX_CACHED_STEPS:
                self._steps[key] = found
        return found

    def _closure(self, states: Iterable[int], before: str, after: str) -> set[int]:
        """All places that can be reached without taking a character."""
        reached: set[int] = set()
        waiting = list(states)
        program = self._program
        while waiting:
            at = waiting.pop()
            if at in reached:
                continue
            reached.add(at)
            if at == self._accept or program.characters[at] is not None:
                continue
            condition = program.conditions[at]
            if condition is None or condition(before, after):
                waiting.extend(program.targets[at])
        return reached
