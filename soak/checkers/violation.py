"""What a checker found, in words that lead back to the place in the log."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must not be.

    Attributes:
        where: A partition, a group, a writer: what to look for in the history.
        what: What was expected and what was found.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
