"""Where clients and programs are kept, and how they get there.

Owns one cache folder beside the source tree's reach (`$XDG_CACHE_HOME/yeoul-conformance`). Invariant: a folder in it is
made under another name and renamed when it is whole, so what exists is usable; its name carries a hash of what it was
made from. Callers: the test modules.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

__all__ = ["PROGRAMS", "build_folder", "java_classes", "need", "run"]

PROGRAMS = Path(__file__).parent / "programs"
_BUILD_TIMEOUT_S = 600


def cache() -> Path:
    """Returns the cache folder; made when it is missing."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "yeoul-conformance"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(*tools: str) -> None:
    """Skips what calls it when a program is not on the path."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found", allow_module_level=True)


def run(command: Sequence[str | Path], folder: Path, timeout_s: float = _BUILD_TIMEOUT_S) -> str:
    """Runs a build step and returns what it said.

    Raises:
        RuntimeError: It failed; the message ends with its last words.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"{words} in {folder} failed: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def build_folder(name: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Path:
    """Returns a folder that `build` has filled from these files; built again when one of them has changed.

    Args:
        name: What the folder holds.
        sources: The files that it is made from.
        build: Fills an empty folder.
    """
    digest = hashlib.sha256()
    for each in sources:
        digest.update(each.read_bytes())
    folder = cache() / f"{name}-{digest.hexdigest()[:12]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=cache()) as work:
            made = Path(work) / "made"
            made.mkdir()
            build(made)
            made.rename(folder)
    return folder


def java_classes(name: str, class_path: str, *sources: Path) -> Path:
    """Returns the folder of these sources, compiled against a class path."""

    def compile_into(folder: Path) -> None:
        run(["javac", "-nowarn", "-Xlint:none", "-d", folder, "-cp", class_path, *sources], folder)

    return build_folder(f"classes-{name}", sources, compile_into)
