"""Ready files: how a server tells other programs, in a file, that it answers and where."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from yeoul.errors import EnvironmentFailure

__all__ = ["read_address", "write_ready_file"]


def write_ready_file(path: Path, addresses: Mapping[str, str]) -> None:
    """Writes addresses as JSON, whole or not at all.

    Raises:
        EnvironmentFailure: It cannot be written there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(dict(addresses)) + "\n")
        partial.replace(path)
    except OSError as error:
        raise EnvironmentFailure(f"Cannot write the ready file {str(path)!r}: {error.strerror}") from None


def read_address(path: Path, key: str) -> str:
    """Returns what a child wrote about itself: `{"<key>": "<address>"}` or the address alone; empty if nothing yet."""
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return ""
    return str(json.loads(text)[key]) if text.startswith("{") else text
