"""What the grammar asks of chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

__all__ = ["Drawing"]

T = TypeVar("T")


class Drawing:
    """Draws, and gives names that nobody has.

    Args:
        draw: Hypothesis' own.
    """

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw, self._names = draw, 0

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[0] if len(choices) == 1 else choices[self._draw(st.integers(0, len(choices) - 1))]

    def some_of(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """Returns different choices, so many at most as there are, in their order."""
        most = min(most, len(choices))
        count = self.number(min(least, most), most)
        left = list(range(len(choices)))
        taken = sorted(left.pop(self.number(0, len(left) - 1)) for _ in range(count))
        return [choices[place] for place in taken]

    def number(self, least: int, most: int) -> int:
        return least if least >= most else self._draw(st.integers(least, most))

    def chance(self, one_in: int) -> bool:
        return self._draw(st.integers(0, one_in - 1)) == one_in - 1

    def name(self, prefix: str = "c") -> str:
        self._names += 1
        return f"{prefix}{self._names}"
