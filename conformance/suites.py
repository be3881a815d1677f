"""Public test suites of clients: how they are had and run, and what their results say.

A suite is a package's own tests, as far as the package contains them, unmodified; where one leaves out a helper module
that its tests import, a stand-in is written beside them. Callers: test_public_suites.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.places import build_folder, run

__all__ = ["GoSuite", "Outcomes", "python_suite", "run_pytest_suite"]

_GO_VERDICT = re.compile(r"^\s*--- (PASS|FAIL|SKIP): (\S+) ", re.MULTILINE)
_GO_END = re.compile(r"^(PASS|FAIL)$", re.MULTILINE)
_PYTEST_VERDICT = re.compile(r"^(\S+::\S+) (PASSED|FAILED|SKIPPED|ERROR)", re.MULTILINE)
_VERDICTS = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}

# What a suite said of each of its tests: passed, failed or skipped.
Outcomes = dict[str, str]


class GoSuite:
    """The tests of one package of a Go module.

    Args:
        module: The module and its version, as `path@version`.
        package: The package inside it.
        tidy: Whether the module's own go.mod is not enough to build its tests.
    """

    def __init__(self, module: str, package: str = ".", *, tidy: bool = False) -> None:
        self.module, self.package, self._tidy = module, package, tidy
        self.version = module.partition("@v")[2]

    def _folder(self) -> Path:
        """Returns a folder with the module in `source`, and its tests compiled, in `tests`."""

        def build(folder: Path) -> None:
            found = json.loads(run(["go", "mod", "download", "-json", self.module], folder))
            source = folder / "source"
            shutil.copytree(found["Dir"], source)
            for each in (source, *source.rglob("*")):
                each.chmod(0o755 if each.is_dir() else 0o644)
            if self._tidy:
                run(["go", "mod", "tidy"], source)
            run(["go", "test", "-c", "-o", folder / "tests", f"./{self.package}"], source)

        name = re.sub(r"\W+", "-", f"suite {self.module} {self.package}")
        return build_folder(name, [], build)

    def run(
        self, timeout_s: int, environment: Mapping[str, str], skip: Sequence[str] = (), *, attempts: int = 1
    ) -> Outcomes:
        """Runs the tests and returns what became of each, without those whose parts are told of one by one.

        Args:
            timeout_s: For one attempt.
            environment: What the tests read.
            skip: Names of tests that are left out.
            attempts: How often it may break off, by a panic of a test, before that is an error.
        """
        folder = self._folder()
        command = [str(folder / "tests"), "-test.v", f"-test.timeout={timeout_s}s"]
        if skip:
            command.append(f"-test.skip={'|'.join(f'^{each}$' for each in skip)}")
        said = ""
        for _ in range(attempts):
            said = _said(command, folder / "source" / self.package, timeout_s + 30, environment)
            if _GO_END.search(said):
                break
        outcomes = {name: _VERDICTS[verdict] for verdict, name in _GO_VERDICT.findall(said)}
        assert _GO_END.search(said), f"The suite broke off: {said[-3_000:]}"
        below = {name.rpartition("/")[0] for name, outcome in outcomes.items() if outcome == "failed"}
        return {name: outcome for name, outcome in outcomes.items() if outcome != "failed" or name not in below}


def python_suite(package: str, version: str, requirements: Sequence[str], stand_ins: Mapping[str, str]) -> Path:
    """Returns a folder with a source distribution, unpacked in `source`, and packages that its tests want, in `more`.

    Args:
        package: Its name on PyPI.
        version: Its version.
        requirements: Further packages.
        stand_ins: Files that the distribution leaves out, by their path in it.
    """

    def build(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip"]
        run(
            [*pip, "download", "-q", "--no-deps", "--no-binary", package, f"{package}=={version}", "-d", folder], folder
        )
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        (unpacked,) = (each for each in folder.iterdir() if each.is_dir())
        unpacked.rename(folder / "source")
        for path, text in stand_ins.items():
            (folder / "source" / path).write_text(text)
        run([*pip, "install", "-q", "--target", folder / "more", *requirements], folder)

    return build_folder(f"suite-{package}-{version}", [], build)


def run_pytest_suite(folder: Path, tests: str, timeout_s: int, environment: Mapping[str, str]) -> Outcomes:
    """Runs tests of an unpacked source distribution and returns what became of each."""
    source = folder / "source"
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={source}", "-p", "no:cacheprovider"]
    command += ["-p", "no:yeoul", "-p", "no:xdist", "-v", "--timeout=40", "--tb=short", tests]
    path = os.pathsep.join(map(str, (source, folder / "more")))
    said = _said(command, source, timeout_s, {**environment, "PYTHONPATH": path})
    outcomes: Outcomes = {}
    for name, verdict in _PYTEST_VERDICT.findall(said):
        outcomes[name] = "failed" if verdict == "ERROR" else verdict.lower()
    assert outcomes, f"No test ran: {said[-3_000:]}"
    return outcomes


def _said(command: Sequence[str], folder: Path, timeout_s: float, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        check=False,
    )
    return done.stdout.decode(errors="replace")
