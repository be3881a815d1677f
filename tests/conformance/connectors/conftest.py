"""The fixtures of connectors' tests, and a wait for rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.opened_tables import poll_all, read, tables

from yeoul.engine.contract import Reader, SourceBatch

__all__ = ["poll_all", "poll_until", "read", "tables"]


@pytest.fixture
def poll_until() -> Callable[[Reader, int], list[SourceBatch]]:
    """Polls until so many rows have come; the test's own time-out is the limit."""

    def poll(reader: Reader, rows: int) -> list[SourceBatch]:
        batches: list[SourceBatch] = []
        while sum(batch.frame.height for batch in batches) < rows:
            batches += [piece.decode() for piece in reader.poll(reader.splits(), 4 << 20, 0.2).pieces]
        return batches

    return poll
