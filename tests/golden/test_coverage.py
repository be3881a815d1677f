"""Which golden case pins which feature.

The table of `sql/README.md` names cases and files that are there; and whatever a plan can be made of (its nodes, kinds
of joins, windows and types, the functions over several rows) is in a case that gives rows.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_args

from tests.golden.cases import FOLDER, read_all
from tests.golden.test_sql import bound

from yeoul.plan.encoding import Conflict, Encoding
from yeoul.plan.functions import AGGREGATES, GROUPINGS, RANKINGS
from yeoul.plan.nodes import JoinKind, Node, SetKind, WindowKind
from yeoul.plan.ordering import FrameUnit, OverTime, Ranking
from yeoul.plan.tables import ColumnKind
from yeoul.plan.types import Kind

ANSWERED = [case for case in read_all() if "error" not in case.sections]
KINDS = (JoinKind, WindowKind, SetKind, FrameUnit, OverTime, Ranking, ColumnKind, Encoding, Conflict, Kind)
UNWRITTEN = {"sum0"}
"""Flink's planner makes use of it; in SQL nobody writes it."""


def test_each_name_in_the_table_of_features_is_a_case_or_a_file():
    table = (FOLDER / "README.md").read_text().partition("## Which case pins which feature")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    named = [name for line in lines for name in re.findall("`(.+?)`", line.split(" | ")[-1])]
    cases = [str(case) for case in read_all()]
    missing = [
        name for name in named if not (FOLDER / name).exists() and not any(case.startswith(name) for case in cases)
    ]
    assert not missing
    assert all("`" in line.split(" | ")[-1] for line in lines)


def _parts(value: object, seen: set[int]) -> Iterator[object]:
    if isinstance(value, enum.Enum):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _parts(one, seen)
    elif isinstance(value, dict):
        yield from _parts(list(value.values()), seen)
    elif is_dataclass(value) and id(value) not in seen:
        seen.add(id(value))
        yield type(value)
        yield from _parts([getattr(value, one.name) for one in fields(value)], seen)


def test_each_node_of_a_plan_and_each_kind_of_it_is_in_a_case():
    found = {part for case in ANSWERED for part in _parts(bound(case, case.modes[-1])[0], set())}
    assert [one.__name__ for one in get_args(Node) if one not in found] == []
    assert [one for kinds in KINDS for one in kinds if one not in found and one is not Kind.NULL] == []


def test_each_function_over_several_rows_is_in_a_case():
    queries = "\n".join(case.sections["query"] for case in ANSWERED)
    called = {name.upper() for name in re.findall(r"(\w+)\s*\(", queries)}
    ended = re.compile("( IGNORE NULLS|_NULL_ON_NULL|_ABSENT_ON_NULL)$")
    functions = {one.id: {ended.sub("", name) for name in one.names} for one in (*AGGREGATES, *RANKINGS, *GROUPINGS)}
    assert [id for id, names in functions.items() if names and not names & called and id not in UNWRITTEN] == []
