"""What was measured, and its record: a line of JSON a figure, written as it comes; a run can be gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Figure", "Record"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one engine needed for one query.

    Attributes:
        query: Which.
        engine: Which.
        rate: Events a second once it runs; 0 if none is told.
        start_s: From the start of the process to the last row of the small run whose answer is compared.
        cpu_s: CPU seconds for a million events.
        peak_bytes: The most memory that its processes had, together.
        why: Why no figure counts; empty if it does.
        events: How many the longest run read.
        steady_s: How much longer it took than the one that is taken off.
        on: The day on which it was seen.
    """

    query: str
    engine: str
    rate: float = 0.0
    start_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    why: str = ""
    events: int = 0
    steady_s: float = 0.0
    on: str = field(default_factory=lambda: time.strftime("%Y-%m-%d", time.gmtime()))

    def __str__(self) -> str:
        if self.why:
            return self.why
        return (
            f"{self.rate / 1e6:.3f} M/s over {self.events / 1e6:.1f} M events, start {self.start_s:.1f} s, "
            f"{self.cpu_s:.2f} CPU s/M, {self.peak_bytes / 2**20:.0f} MB"
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The figures of the last whole run, and those of one that is under way.

    Args:
        path: Where those of the last whole run are; those of one under way lie beside it.
    """

    path: Path

    @property
    def under_way(self) -> Path:
        return self.path.with_suffix(".partial.ndjson")

    def begin(self) -> None:
        """Forgets a run that was interrupted."""
        self.under_way.unlink(missing_ok=True)

    def add(self, figure: Figure) -> None:
        """Writes a figure of the run that is under way."""
        with self.under_way.open("a") as file:
            file.write(json.dumps(asdict(figure)) + "\n")

    def so_far(self) -> list[Figure]:
        """Returns those of the run that is under way, or was interrupted."""
        return _read(self.under_way)

    def end(self) -> None:
        """Makes them those of the last whole run."""
        self.under_way.replace(self.path)

    def rates(self) -> Mapping[tuple[str, str], float]:
        """Returns the rate that was last seen of each query and engine."""
        seen: Sequence[Figure] = [*_read(self.path), *self.so_far()]
        return {(one.query, one.engine): one.rate for one in seen if one.rate}


def _read(path: Path) -> list[Figure]:
    return [Figure(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
