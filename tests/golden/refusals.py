"""The places that refuse what a user's SQL asks for, and which of them a golden error is of.

A place is where an error is made: a `raise` of one, or what makes one for others to raise. It is known by its file and
its message, of which whatever is filled in is a `{}`. Found in the text of the modules; which of them are gone through
is noted by the errors themselves.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import yeoul
from yeoul.errors import YeoulError

__all__ = ["Place", "places", "reached"]

ROOT = Path(yeoul.__file__).parent
ROOMS = (
    "planner",
    "plan",
    "catalog",
    "connectors",
    "engine/compile",
    "formats",
    "functions/known.py",
    "jobs/flink_options.py",
    "jobs/functions.py",
    "jobs/inventory.py",
    "jobs/launch.py",
    "jobs/options.py",
    "jobs/session.py",
    "units.py",
)
"""Where statements are judged when they are submitted, and what they read, compute and write as they run."""
_ERRORS = {"UserError", "PeerError", "EnvironmentFailure", "EvaluationError"}
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an error is made: its file below the package, its message, its first and last line."""

    file: str
    message: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


def places() -> list[Place]:
    """Returns every place in the rooms."""
    found = []
    for room in ROOMS:
        path = ROOT / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found += _places_of(file)
    return found


def _places_of(file: Path) -> Iterator[Place]:
    tree = ast.parse(file.read_text())
    name = file.relative_to(ROOT).as_posix()
    raised: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            raised |= set(ast.walk(node))
            if _name(node.exc.func) in _ERRORS or _name(node.exc.func).endswith("error"):
                yield Place(name, _message(node.exc), node.lineno, node.end_lineno or node.lineno)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node not in raised and _name(node.func) in _ERRORS | {"fail", "refuse"}:
            yield Place(name, _message(node), node.lineno, node.end_lineno or node.lineno)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _message(call: ast.Call) -> str:
    """Returns the text of a call's first argument, with `{}` for what is filled in."""
    given = call.args[0] if call.args else ast.Constant("")
    parts = given.values if isinstance(given, ast.JoinedStr) else [given]
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in parts)


@contextmanager
def reached() -> Iterator[set[tuple[str, int]]]:
    """Notes file and line of each call that leads to an error while it is open."""
    seen: set[tuple[str, int]] = set()
    plain = YeoulError.__init__

    def noting(self: YeoulError, *given: object, **named: object) -> None:
        frame: FrameType | None = sys._getframe(1)
        for _ in range(_DEEPEST):
            if frame is not None:
                seen.add((frame.f_code.co_filename, frame.f_lineno))
                frame = frame.f_back
        plain(self, *given, **named)  # type: ignore[arg-type]

    YeoulError.__init__ = noting  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        YeoulError.__init__ = plain  # type: ignore[method-assign]
