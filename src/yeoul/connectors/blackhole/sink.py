"""A sink that forgets; for measuring what comes before it."""

from __future__ import annotations

import polars as pl

__all__ = ["BlackholeSink"]


class BlackholeSink:
    """Takes rows and drops them."""

    def write(self, frame: pl.DataFrame) -> None:
        """Drops the rows."""

    def flush(self) -> None:
        """Has nothing to wait for."""

    def close(self) -> None:
        """Holds nothing."""
