"""A catalog for tests, and golden files: cases of `=== title`, a text, and named answers after `--- name` lines.

`YEOUL_GOLDEN=update pytest tests/unit/planner` writes the answers as they are now:
read the difference before keeping it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from yeoul.connectors.registry import ConnectorContext, open_source
from yeoul.engine.contract import CHANGE
from yeoul.engine.runtime.execution import Execution, Settings
from yeoul.plan.nodes import Node
from yeoul.plan.statements import CreateTable, CreateView, SetOption, Statement
from yeoul.plan.tables import TableDefinition, ViewDefinition
from yeoul.planner.sql import bind, parse

GOLDEN = Path(__file__).parents[2] / "golden"


@dataclass
class Catalog:
    """Tables by name, and the settings that statements are bound with."""

    found: dict[str, TableDefinition | ViewDefinition] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> TableDefinition | ViewDefinition | None:
        return self.found.get(name)

    def names(self) -> Iterable[str]:
        return self.found

    def databases(self) -> Iterable[str]:
        return ("default_database",)

    def run(self, text: str) -> list[Statement]:
        """Binds every statement; what they declare is there for the next."""
        statements = []
        for parsed in parse(text):
            statement = bind(parsed, self, self.settings)
            if isinstance(statement, CreateTable | CreateView):
                self.found[statement.definition.name] = statement.definition
            if isinstance(statement, SetOption):
                self.settings[statement.key] = statement.value
            statements.append(statement)
        return statements

    def copy(self) -> Catalog:
        return Catalog(dict(self.found), dict(self.settings))

    def one(self, text: str) -> Statement:
        (statement,) = self.run(text)
        return statement


@pytest.fixture
def empty() -> Catalog:
    return Catalog()


@pytest.fixture
def catalog() -> Catalog:
    made = Catalog()
    made.run((GOLDEN / "plans" / "tables.sql").read_text())
    return made


@pytest.fixture
def answer() -> Callable[..., list[tuple[object, ...]]]:
    """Runs a plan over frames and returns the rows that are left in the end, in an order of their own."""
    return _answer


def _answer(plan: Node, frames: Mapping[str, pl.DataFrame], shares_scans: bool = True) -> list[tuple[object, ...]]:
    batches: list[pl.DataFrame] = []
    context = ConnectorContext(frames=dict(frames))
    settings = Settings(shares_scans=shares_scans)
    Execution(plan, lambda scan: open_source(scan, context), settings=settings, on_batch=batches.append).run()
    left = Counter[tuple[object, ...]]()
    for batch in batches:
        kinds = batch[CHANGE] if CHANGE in batch.columns else [0] * batch.height
        for kind, row in zip(kinds, batch.select(pl.exclude(CHANGE)).iter_rows(), strict=True):
            left[row] += -1 if kind in (1, 3) else 1
    return sorted(left.elements(), key=repr)


@dataclass(frozen=True)
class Case:
    title: str
    text: str
    answers: Mapping[str, str]


def read_cases(path: Path) -> list[Case]:
    cases = []
    for chunk in path.read_text().split("=== ")[1:]:
        title, _, body = chunk.partition("\n")
        text, *answers = body.split("\n--- ")
        named = (answer.partition("\n")[::2] for answer in answers)
        cases.append(Case(title, text.strip("\n"), {name: answer.strip("\n") for name, answer in named}))
    return cases


def write_cases(path: Path, cases: list[Case]) -> None:
    parts = []
    for case in cases:
        answers = "".join(f"--- {name}\n{answer}\n" for name, answer in case.answers.items())
        parts.append(f"=== {case.title}\n{case.text}\n{answers}")
    path.write_text("\n".join(parts))


@pytest.fixture
def check_golden() -> Callable[[Path, Callable[[str], Mapping[str, str]]], None]:
    """Compares each case of a file with what a function answers to its text."""

    def check(path: Path, answer: Callable[[str], Mapping[str, str]]) -> None:
        cases = read_cases(path)
        assert cases, f"{path} has no cases"
        now = [Case(case.title, case.text, answer(case.text)) for case in cases]
        if os.environ.get("YEOUL_GOLDEN") == "update":
            write_cases(path, now)
        for case, got in zip(cases, now, strict=True):
            if os.environ.get("YEOUL_GOLDEN") != "update":
                assert got.answers == case.answers, f"{path.name}: {case.title}"

    return check
