"""Every example of the guides runs: SQL blocks in order in one session, Python blocks each on its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from yeoul.jobs.job import Job
from yeoul.jobs.result import Result
from yeoul.jobs.session import Session

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(page: str, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall((ROOT / page).read_text()) if kind == language]


@pytest.fixture
def clicks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file that the examples read: one row is late, one line is no JSON."""
    rows = [
        {"user_id": f"u{n % 3}", "action": ("click", "view")[n % 2], "latency": 20.0 * (n % 9), "ts": 1_000 * n}
        for n in range(150)
    ]
    lines = [json.dumps(row) for row in rows]
    lines[90:90] = [json.dumps(rows[3]), "not json"]
    (tmp_path / "clicks.ndjson").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_sql_guide(clicks: Path) -> None:
    answers: list[list[tuple[object, ...]]] = []
    with Session() as session:
        for block in _blocks("docs/sql.md", "sql"):
            for outcome in session.execute(block):
                match outcome:
                    case Result():
                        answers.append(outcome.rows())
                    case Job():
                        outcome.wait(60)
    assert all(answers)
    windows, late, dead = answers[1], answers[5], answers[6]
    assert sum(int(str(row[3])) for row in windows) == 150
    assert {row[1] for row in late} == {"u0"}
    assert dead[-1][2] == "not json"
    slow = (clicks / "slow.ndjson").read_text().splitlines()
    assert len(slow) == int(str(answers[7][0][0])) > 0
    by_action, late_count, by_reason, actions = answers[8:12]
    # The late row counts here.
    assert sorted((row[0], row[1]) for row in by_action) == [("click", 75), ("view", 76)]
    assert late_count == [(len(late),)]
    # Four jobs more have read the file since `dead` was asked for, one of them for two INSERTs.
    assert sum(int(str(row[1])) for row in by_reason) == len(dead) + 4
    assert sorted(actions) == [("click",), ("view",)]


@pytest.mark.parametrize("page", ["README.md", "docs/log.md", "docs/python-functions.md"])
def test_the_python_examples(page: str, clicks: Path) -> None:
    blocks = _blocks(page, "python")
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})  # noqa: S102  our own pages


def test_the_guide_to_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answers: list[list[tuple[object, ...]]] = []
    with Session() as session:
        for block in _blocks("docs/changelogs.md", "sql"):
            for outcome in session.execute(block):
                answers += [outcome.rows()] if isinstance(outcome, Result) else []
    last_order, products = (rows for rows in answers if rows and rows[0] != ("OK",))
    assert last_order == [("pen", 2, 1)] or last_order == [("pen", 1, 2)]
    assert [(row[0], str(row[1])) for row in products] == [(2, "5.20")]
