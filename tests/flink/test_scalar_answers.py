"""Every expression of the table gives what Flink gives, but for those that docs/flink-differences.md states."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.flink.answers import REFUSED, TABLE, Answer, comparable_type, ours, rows

_PAGE = Path(__file__).parents[2] / "docs" / "flink-differences.md"


def _sections() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    section = ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.removeprefix("# ")
        elif line:
            found.setdefault(section, []).append(line.partition("\t")[0])
    return found


def _stated() -> dict[str, str]:
    """The expressions of the page, with what it says that yeoul answers."""
    lines = [line for line in _PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {each[0].strip("`"): each[2] for each in cells if len(each) == 4}  # the page's other table is of cases


_FLINK = dict(rows())
_STATED = _stated()


def _same(flink: Answer, mine: Answer) -> bool:
    if flink.value == REFUSED or mine.value == REFUSED:
        return flink.value == mine.value
    return flink.value == mine.value and comparable_type(flink.type) == comparable_type(mine.type)


@pytest.mark.parametrize("section", list(_sections()))
def test_answers_are_those_of_flink_but_for_what_the_page_states(section: str) -> None:
    expressions = _sections()[section]
    answers = {expression: ours(expression) for expression in expressions}
    differing = {one: mine for one, mine in answers.items() if not _same(_FLINK[one], mine)}
    assert {one: (mine, _FLINK[one]) for one, mine in differing.items() if one not in _STATED} == {}
    assert [one for one in expressions if one in _STATED and one not in differing] == [], "stated, but there is none"
    assert {one: mine for one, mine in differing.items() if not _STATED[one].startswith(mine.value)} == {}


def test_every_stated_expression_is_in_the_table() -> None:
    assert [one for one in _STATED if one not in _FLINK] == []
