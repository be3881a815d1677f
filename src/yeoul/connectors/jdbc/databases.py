"""What the databases have in common: how each finds rows by keys, and how it quotes a name."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

__all__ = ["Find", "quoted"]

Find = Callable[[pl.DataFrame], pl.DataFrame]
"""Takes keys, each once, and gives the rows that have any of them."""


def quoted(name: str) -> str:
    """Returns a name as standard SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
