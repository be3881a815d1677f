"""What a topic pattern is made of, and the instructions that each part of it becomes: a bounded automaton.

Callers: `pattern_parser` makes the parts, `topic_pattern` runs the program.
"""

from __future__ import annotations

from collections.abc import Callable

from yeoul.errors import UserError

__all__ = ["Anchor", "Characters", "Choice", "Condition", "Node", "PatternRefused", "Program", "Repeat", "Sequence"]

_MAX_INSTRUCTIONS = 2_000

Condition = Callable[[str, str], bool]
"""Whether a place between two characters, empty at an end, is one that an anchor means."""


class PatternRefused(UserError):
    """The expression is none that RE2 would take, or too large."""


class Node:
    """One part of an expression."""

    __slots__ = ()

    def emit(self, program: Program) -> None:
        """Appends the instructions that match it."""
        raise NotImplementedError


class Program:
    """Instructions by number: take one of some characters, or go on to the targets, always or on a condition."""

    def __init__(self) -> None:
        self.characters: list[frozenset[str] | None] = []
        self.targets: list[tuple[int, ...]] = []
        self.conditions: list[Condition | None] = []

    def add(
        self,
        characters: frozenset[str] | None = None,
        targets: tuple[int, ...] = (),
        condition: Condition | None = None,
    ) -> int:
        if len(self.targets) >= _MAX_INSTRUCTIONS:
            raise PatternRefused(f"A topic pattern compiles to more than {_MAX_INSTRUCTIONS} instructions")
        self.characters.append(characters)
        self.targets.append(targets)
        self.conditions.append(condition)
        return len(self.targets) - 1

    @property
    def end(self) -> int:
        return len(self.targets)


class Characters(Node):
    __slots__ = ("members",)

    def __init__(self, members: frozenset[str]) -> None:
        self.members = members

    def emit(self, program: Program) -> None:
        program.add(characters=self.members, targets=(program.end + 1,))


class Anchor(Node):
    __slots__ = ("condition",)

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def emit(self, program: Program) -> None:
        program.add(condition=self.condition, targets=(program.end + 1,))


class Sequence(Node):
    __slots__ = ("parts",)

    def __init__(self, parts: list[Node]) -> None:
        self.parts = parts

    def emit(self, program: Program) -> None:
        for part in self.parts:
            part.emit(program)


class Choice(Node):
    __slots__ = ("branches",)

    def __init__(self, branches: list[Node]) -> None:
        self.branches = branches

    def emit(self, program: Program) -> None:
        jumps = []
        for branch in self.branches[:-1]:
            split = program.add()
            branch.emit(program)
            jumps.append(program.add())
            program.targets[split] = (split + 1, program.end)
        self.branches[-1].emit(program)
        for jump in jumps:
            program.targets[jump] = (program.end,)


class Repeat(Node):
    __slots__ = ("least", "most", "part")

    def __init__(self, part: Node, least: int, most: int | None) -> None:
        self.part, self.least, self.most = part, least, most

    def emit(self, program: Program) -> None:
        for _ in range(self.least):
            self.part.emit(program)
        if self.most is None:
            split = program.add()
            self.part.emit(program)
            program.add(targets=(split,))
            program.targets[split] = (split + 1, program.end)
            return
        splits = []
        for _ in range(self.most - self.least):
            splits.append(program.add())
            self.part.emit(program)
        for split in splits:
            program.targets[split] = (split + 1, program.end)
