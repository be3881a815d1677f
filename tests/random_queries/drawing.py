"""What the grammar asks of chance, and which features it drew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["Drawing"]

T = TypeVar("T")


class Drawing:
    """Draws, gives names that nobody has, and counts what was drawn.

    Args:
        integer: Returns an integer between two others, both possible; the lesser, the simpler.

    Attributes:
        features: How often each feature of the language was drawn.
    """

    def __init__(self, integer: Callable[[int, int], int]) -> None:
        self._integer, self._names = integer, 0
        self.features: Counter[str] = Counter()

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[0] if len(choices) == 1 else choices[self._integer(0, len(choices) - 1)]

    def some_of(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """Returns different choices, so many at most as there are, in their order."""
        most = min(most, len(choices))
        count = self.number(min(least, most), most)
        left = list(range(len(choices)))
        taken = sorted(left.pop(self.number(0, len(left) - 1)) for _ in range(count))
        return [choices[place] for place in taken]

    def number(self, least: int, most: int) -> int:
        return least if least >= most else self._integer(least, most)

    def chance(self, one_in: int) -> bool:
        return self._integer(0, one_in - 1) == one_in - 1

    def name(self, prefix: str = "c") -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def feature(self, name: str) -> None:
        self.features[name] += 1
