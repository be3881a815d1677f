"""Which golden case pins which feature: the table of `sql/README.md` names cases and files that are there."""

from __future__ import annotations

import re

from tests.golden.cases import FOLDER, read_all


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
