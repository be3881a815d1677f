"""Each place that refuses a statement has a golden error, or a reason why it has none."""

from __future__ import annotations

from pathlib import Path

from tests.golden.refusals import ROOT, places, reached
from tests.golden.test_sessions import CASES, WAYS, answers
from tests.unit.planner.conftest import GOLDEN, Catalog, read_cases

from yeoul.errors import UserError

EXEMPT: dict[str, str] = {}
"""Places, as `file: message`, with the reason, or the test that is of it."""


def run_the_golden_errors() -> None:
    tables = Catalog()
    tables.run((GOLDEN / "plans" / "tables.sql").read_text())
    for path in sorted((GOLDEN / "errors").glob("*.txt")):
        for case in read_cases(path):
            try:
                tables.copy().run(case.text)
            except UserError:
                continue


def run_the_sessions(folder: Path) -> None:
    for number, (_, title, _, steps) in enumerate(CASES):
        statements = [statement for statement, _ in steps]
        if any("> error" in line for _, said in steps for line in (f"> {one}" for one in said)):
            own = folder / str(number)
            own.mkdir()
            list(answers(statements, WAYS[0], own))


def test_each_place_that_refuses_has_a_golden_error_or_a_reason(tmp_path):
    with reached() as seen:
        run_the_golden_errors()
        run_the_sessions(tmp_path)
    lines: dict[str, set[int]] = {}
    for file, line in seen:
        lines.setdefault(file, set()).add(line)
    missing = {
        str(place)
        for place in places()
        if not lines.get(str(ROOT / place.file), set()) & set(range(place.first, place.last + 1))
    }
    assert sorted(missing - EXEMPT.keys()) == [], "no golden error"
    assert sorted(EXEMPT.keys() - missing) == [], "these have a golden error, or are gone"
