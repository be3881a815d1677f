"""What came of a run, as a progress line and as a table."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from soak.checkers import Violation
from soak.history import History, Outcome
from soak.run import Result
from soak.workloads import Scene

__all__ = ["ProgressLine", "print_result", "print_violations"]

_SHOWN_VIOLATIONS = 5
_STEP_S = 0.5
_PLAIN_STEP_S = 15.0


class ProgressLine:
    """One line on stderr, overwritten; a line now and then where stderr is no terminal."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._said_at_s = 0.0
        self._is_terminal = sys.stderr.isatty()

    def say(self, word: str, scene: Scene, faults: Counter[str]) -> None:
        """Shows how far the run is."""
        now_s = time.monotonic()
        if now_s - self._said_at_s < (_STEP_S if self._is_terminal else _PLAIN_STEP_S):
            return
        self._said_at_s = now_s
        history = scene.history
        text = (
            f"{scene.now_s():6.0f} of {self._duration_s:.0f} s  {sum(faults.values())} faults  "
            f"{len(history.writes):,} writes  {len(history.reads):,} reads  "
            f"{len(history.transactions):,} transactions  {len(history.commits):,} commits  {word}"
        )
        end = "\r" if self._is_terminal else "\n"
        print(f"{text:<110}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._is_terminal:
            print(file=sys.stderr)


def print_result(result: Result, console: Console) -> None:
    """Prints operations by outcome, faults by kind and what each checker found."""
    history = result.history
    table = Table("operation", "ok", "fail", "unknown", "all", title="What was asked")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, items in (
        ("writes", history.writes),
        ("transactions", history.transactions),
        ("commits of offsets", history.commits),
    ):
        outcomes = Counter(item.outcome for item in items)
        table.add_row(name, *(f"{outcomes[one]:,}" for one in Outcome), f"{len(items):,}")
    for name, count in (
        ("reads", len(history.reads)),
        ("reads of committed offsets", len(history.committed_reads)),
        ("watermarks", len(history.watermarks)),
        ("records in the log at the end", len(history.stored)),
    ):
        table.add_row(name, "", "", "", f"{count:,}")
    console.print(table)
    faults = ", ".join(f"{count} x {kind}" for kind, count in result.faults.most_common()) or "none"
    console.print(f"{result.seconds:.0f} s, {result.starts} starts of the broker; faults: {faults}")
    print_violations(result.violations, console)


def print_violations(violations: dict[str, list[Violation]], console: Console) -> None:
    """Prints each checker's verdict, and the first few violations of those that found some."""
    table = Table("checked", "violations", title="What was found")
    table.columns[1].justify = "right"
    for name, found in violations.items():
        table.add_row(name, f"[bold red]{len(found):,}[/]" if found else "0")
    console.print(table)
    for name, found in violations.items():
        for each in found[:_SHOWN_VIOLATIONS]:
            console.print(f"[red]{name}[/]: {each}", highlight=False, soft_wrap=True)


def how_to_look(directory: Path) -> str:
    """Says what was kept, and how to look at it."""
    return (
        f"Kept: {directory}\n"
        f"  the broker's data      yeoul doctor --data-dir {directory / 'data'}\n"
        f"  what was asked         {directory / 'history.ndjson'} (one JSON object a line)\n"
        f"  check it again         python -m soak --check {directory / 'history.ndjson'}\n"
        f"  the faults, in order   {directory / 'plan.json'}\n"
        f"  the broker's words     {directory / 'broker.log'}"
    )


def summary_of(history: History) -> str:
    """Returns one line about a history."""
    unknown = sum(write.outcome is Outcome.UNKNOWN for write in history.writes)
    return f"{len(history.writes):,} writes ({unknown:,} unknown), {len(history.reads):,} reads"
