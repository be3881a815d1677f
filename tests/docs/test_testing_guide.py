"""The guide's examples are tests; they run as its reader would run them: pytest, in a project that has nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_testing_guide(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    blocks = _BLOCK.findall(_PAGE.read_text())
    for number, (_, text) in enumerate(block for block in blocks if block[0] == "python"):
        (pytester.path / f"test_example_{number}.py").write_text(text)
    (pytester.path / "pytest.ini").write_text(next(text for kind, text in blocks if kind == "ini"))
    result = pytester.runpytest_subprocess("-p", "yeoul.testing.plugin", "--strict-markers", "--strict-config")
    result.assert_outcomes(passed=3)
