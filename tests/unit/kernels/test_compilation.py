"""The cache of compiled code: what its name depends on, and that processes share the work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yeoul.kernels import compilation

SOURCES = Path(compilation.__file__).parents[2]
PROGRAM = """
import sys
import numpy as np
from yeoul.kernels import lines
print(lines.split_lines(np.frombuffer(b"a\\nb", np.uint8))[1].tolist())
"""


def start(directory: Path, sources: Path = SOURCES) -> subprocess.Popen[str]:
    environment = os.environ | {"YEOUL_CACHE_DIR": str(directory), "PYTHONPATH": str(sources)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_processes_that_start_together_compile_once_and_later_ones_only_load(tmp_path: Path) -> None:
    together = [start(tmp_path) for _ in range(3)]
    for process in together:
        out, err = process.communicate(timeout=100)
        assert (process.returncode, out) == (0, "[1, 1]\n"), err
    assert len(list(tmp_path.rglob("*.nbc"))) == 1
    out, err = start(tmp_path).communicate(timeout=100)
    assert (out, err) == ("[1, 1]\n", "")


def test_what_one_installation_compiled_another_one_only_loads(tmp_path: Path) -> None:
    elsewhere, cache = tmp_path / "elsewhere", tmp_path / "cache"
    shutil.copytree(SOURCES / "yeoul", elsewhere / "yeoul", ignore=shutil.ignore_patterns("__pycache__"))
    for sources in (SOURCES, elsewhere):
        process = start(cache, sources)
        out, err = process.communicate(timeout=100)
        assert (process.returncode, out) == (0, "[1, 1]\n"), err
    assert err == ""
    assert len(list(cache.rglob("*.nbc"))) == 1


def test_the_directory_is_named_after_sources_and_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    monkeypatch.setattr(compilation, "_SOURCES", tmp_path)
    first = compilation._fingerprint()
    (tmp_path / "a.py").write_text("x = 2")
    second = compilation._fingerprint()
    monkeypatch.setattr(compilation.llvm, "get_host_cpu_name", lambda: "another")
    assert len({first, second, compilation._fingerprint()}) == 3


def test_an_unwritable_cache_falls_back_to_a_temporary_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for name in ("YEOUL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(blocked))
    monkeypatch.setattr(compilation.Path, "home", lambda: blocked)
    monkeypatch.setattr(compilation.tempfile, "mkdtemp", lambda prefix: str(tmp_path / prefix))
    compilation.cache_directory.cache_clear()
    try:
        assert compilation.cache_directory() == tmp_path / "yeoul-kernels-"
    finally:
        compilation.cache_directory.cache_clear()
