"""The page that says which client does what against this broker: docs/conformance.md, made by a run.

Owns the rows: one for each test that names its client, one for each public suite. Pure but for `write`. Caller:
`conftest`, at the end of a run.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

__all__ = ["Report", "Row", "SuiteResult"]

Outcome = Literal["passed", "failed", "skipped"]

_HEAD = """# Conformance

Real clients, unmodified, against this broker. This page is written by `make conformance`; the last whole run was on
{day} ({machine}). A part whose tools a machine lacks (Java and Maven, Go, Node) is skipped there, and says so.
"""
_SUITES_HEAD = """
## Public test suites

What the authors of clients test their own work with, unmodified, as far as their packages contain it and it takes
one broker that is already running. Each failure is named with its reason: ours, a limit that `NOT_SUPPORTED.md` states
(replication, mostly), or the test's own assumption.

| suite | version | passed | failed | skipped |
|---|---|---:|---:|---:|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One check.

    Attributes:
        client: Whose.
        version: Of the client.
        what: The check, in words.
        outcome: How it went.
        why: Why it was skipped, else empty.
    """

    client: str
    version: str
    what: str
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """A public suite's run.

    Attributes:
        name: The suite.
        version: Of the package that contains it.
        passed: Tests that passed.
        failures: Tests that failed, each with its reason.
        skipped: Tests that the suite skipped.
        left_out: Tests that were not run, each with its reason.
    """

    name: str
    version: str
    passed: int
    failures: dict[str, str]
    skipped: int
    left_out: dict[str, str] = field(default_factory=dict)


class Report:
    """Gathers rows, and renders them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.suites: list[SuiteResult] = []

    def write(self, path: Path) -> None:
        path.write_text(self.render())

    def render(self) -> str:
        """Returns the page as Markdown."""
        machine = f"{platform.system()}, Python {platform.python_version()}"
        parts = [_HEAD.format(day=date.today().isoformat(), machine=machine), self._summary(), self._suites()]
        return "\n".join([*parts, self._details()])

    def _by_client(self) -> dict[tuple[str, str], list[Row]]:
        groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.rows:
            groups[row.client, row.version].append(row)
        return groups

    def _summary(self) -> str:
        lines = ["## Clients", "", "| client | version | passed | failed | skipped |", "|---|---|---:|---:|---:|"]
        for (client, version), rows in self._by_client().items():
            counts = (str(sum(row.outcome == each for row in rows)) for each in ("passed", "failed", "skipped"))
            lines.append(f"| {client} | {version} | {' | '.join(counts)} |")
        return "\n".join(lines)

    def _suites(self) -> str:
        if not self.suites:
            return ""
        lines = [_SUITES_HEAD.rstrip("\n")]
        for each in self.suites:
            lines.append(f"| {each.name} | {each.version} | {each.passed} | {len(each.failures)} | {each.skipped} |")
        for each in self.suites:
            for title, tests in (("Failures", each.failures), ("Left out", each.left_out)):
                if tests:
                    lines += ["", f"{title} of {each.name}:", ""]
                    lines += [f"- `{test}`: {reason}" for test, reason in sorted(tests.items())]
        return "\n".join(lines) + "\n"

    def _details(self) -> str:
        lines = ["## What each client did", ""]
        for (client, version), rows in self._by_client().items():
            lines += [f"### {client} {version}".rstrip(), ""]
            passed = [row.what for row in rows if row.outcome == "passed"]
            if passed:
                lines += [f"Passed: {'; '.join(passed)}.", ""]
            for outcome in ("failed", "skipped"):
                lines += [
                    f"- {outcome}: {row.what}" + f" ({row.why})" * bool(row.why)
                    for row in rows
                    if row.outcome == outcome
                ]
            if lines[-1]:
                lines.append("")
        return "\n".join(lines)
