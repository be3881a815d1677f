"""Timing pairs, and the record of what was seen."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

HISTORY = Path(__file__).parent / "history.ndjson"
CONSUMER_TUNING = {"enable.auto.commit": False, "queued.min.messages": 1_000_000, "fetch.queue.backoff.ms": 1}
"""librdkafka at its best: by default it pauses for a second whenever its queue of messages is full."""


@dataclass(frozen=True)
class Row:
    """One line of the bench's table.

    Attributes:
        name: What was measured.
        ours: Our figure, in `unit`.
        reference: The figure of what it is held against, same run, same bytes.
        unit: Of both.
        ratio: How many times better ours is; None where there is only a bar.
        bar: The ratio, or the figure, that has to be reached.
        passed: Whether it is.
        note: What the reference is.
    """

    name: str
    ours: float
    reference: float | None
    unit: str
    ratio: float | None
    bar: str
    passed: bool
    note: str


def seconds(run: Callable[[], object]) -> tuple[float, object]:
    """Returns how long a call took, and what it gave."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def faster(name: str, events: int, ours_s: list[float], reference_s: list[float], bar: float, note: str) -> Row:
    """Compares two sets of times of the same work, by the median of the ratios pair by pair."""
    ratio = statistics.median(theirs / mine for mine, theirs in zip(ours_s, reference_s, strict=True))
    return Row(
        name=name,
        ours=events / statistics.median(ours_s) / 1e6,
        reference=events / statistics.median(reference_s) / 1e6,
        unit="M events/s",
        ratio=ratio,
        bar=f"{bar:g}x",
        passed=ratio >= bar,
        note=note,
    )


def below(name: str, figure: float, bar: float, unit: str, note: str = "") -> Row:
    """Holds a figure against the most it may be."""
    return Row(name, figure, None, unit, None, f"<= {bar:g}", figure <= bar, note)


def remember(rows: list[Row]) -> None:
    """Appends a run to the history, with the machine and the commit it was seen on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    run = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()} {platform.python_version()}",
        "rows": [asdict(row) for row in rows],
    }
    with HISTORY.open("a") as file:
        file.write(json.dumps(run) + "\n")
