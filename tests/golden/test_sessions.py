"""Golden sessions: statements one after another and what each has to say, three ways.

In one session; in one session over a catalog in a file; and over that file with a new session before each statement,
so that whatever a later statement needs has survived a restart. A case that says `session: one` is about what ends with
its session (SET, temporary tables) and is run in one only. `YEOUL_GOLDEN=update` writes what is said now.

A line with `> ` is an answer, any other belongs to a statement, which ends with a semicolon. `{folder}` is a directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.golden.cases import grid_of

from yeoul.errors import YeoulError
from yeoul.jobs.job import Job
from yeoul.jobs.result import Result
from yeoul.jobs.session import Done, Explained, Outcome, Session

FOLDER = Path(__file__).parent / "sessions"
WAYS = ("one session", "over a file", "restarted before each statement")
UPDATES = os.environ.get("YEOUL_GOLDEN") == "update"


def read(path: Path) -> Iterator[tuple[str, bool, list[tuple[str, list[str]]]]]:
    """Yields each case: its title, whether it is one session's only, its statements with their answers."""
    for chunk in path.read_text().split("=== ")[1:]:
        title, *lines = chunk.strip("\n").splitlines()
        is_one = lines[:1] == ["session: one"]
        steps: list[tuple[str, list[str]]] = [("", [])]
        for line in lines[is_one:]:
            if line.startswith(">"):
                steps[-1][1].append(line[2:])
            elif steps[-1][0].endswith(";"):
                steps.append((line, []))
            else:
                steps[-1] = (f"{steps[-1][0]}\n{line}".strip("\n"), [])
        yield title, is_one, steps


CASES = [(path.stem, *case) for path in sorted(FOLDER.glob("*.txt")) for case in read(path)]


def said(outcome: Outcome) -> list[str]:
    match outcome:
        case Done(text) | Explained(text):
            return text.splitlines()
        case Job() if not outcome.is_bounded:
            return ["it runs"]
        case Job():
            assert outcome.wait(60)
            return [f"rows written: {outcome.progress().rows_out}"]
        case Result():
            frame = outcome.pl()
            in_order = frame if outcome.job is None else frame.sort(pl.all())
            return [one for text in str(grid_of(in_order)).splitlines() for one in (text.split("\\n"))]


def answers(statements: list[str], way: str, folder: Path) -> Iterator[list[str]]:
    catalog = folder / "catalog.db" if way != WAYS[0] else None
    session = Session(catalog=catalog)
    try:
        for statement in statements:
            if way == WAYS[2]:
                session.close()
                session = Session(catalog=catalog)
            try:
                found = [
                    line for one in session.execute(statement.replace("{folder}", str(folder))) for line in said(one)
                ]
            except YeoulError as error:
                found = f"error: {error.message}".splitlines() + ([f"hint: {error.hint}"] if error.hint else [])
            yield [line.replace(str(folder), "{folder}").rstrip() for line in found]
    finally:
        session.close()


@pytest.mark.parametrize(
    ("steps", "way"),
    [
        pytest.param(steps, way, id=f"{file}: {title}, {way}")
        for file, title, is_one, steps in CASES
        for way in (WAYS[:1] if is_one else WAYS)
    ],
)
@pytest.mark.skipif(UPDATES, reason="the files are written")
def test_each_statement_says_this(steps, way, tmp_path):
    statements = [statement for statement, _ in steps]
    for (statement, right), given in zip(steps, answers(statements, way, tmp_path), strict=True):
        assert given == (right if right != [""] else []), f"{way}: {statement}"


@pytest.mark.skipif(not UPDATES, reason="only on request")
def test_write_the_files(tmp_path):
    for path in FOLDER.glob("*.txt"):
        parts = []
        for number, (title, is_one, steps) in enumerate(read(path)):
            folder = tmp_path / f"{path.stem}{number}"
            folder.mkdir()
            given = answers([statement for statement, _ in steps], WAYS[0], folder)
            lines = [
                f"{statement}\n" + "\n".join(f"> {one}".rstrip() for one in found or [""])
                for (statement, _), found in zip(steps, given, strict=True)
            ]
            parts.append(f"=== {title}\n" + ("session: one\n" if is_one else "") + "\n".join(lines) + "\n")
        path.write_text("\n".join(parts))
