"""What the processes hold while they run, and whether it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

__all__ = ["Growth", "Sample", "growth_of", "sampled"]

WARM_UP = 0.4
"""The part of a run in which memory may grow: kernels load, windows fill, allocators find their size, and the segments
that a broker writes, whose index it holds, become full for the first time.
"""
_MOST_GROWTH = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment.

    Attributes:
        at_s: Since the run began.
        rss_bytes: Of the process.
        processor_s: Used so far.
    """

    who: str
    at_s: float
    rss_bytes: int
    threads: int
    files: int
    processor_s: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How a process' memory went after the warm-up.

    Attributes:
        first_mb: Median of the first quarter after it.
        last_mb: Median of the last quarter.
        slope_mb_per_hour: Of the line of least squares.
        cores: Processor seconds a second.
    """

    who: str
    first_mb: float
    last_mb: float
    most_mb: float
    slope_mb_per_hour: float
    cores: float

    @property
    def is_flat(self) -> bool:
        return self.last_mb <= self.first_mb * (1 + _MOST_GROWTH)


def sampled(processes: Mapping[str, psutil.Process], at_s: float, file: Path) -> list[Sample]:
    """Looks at every process, and appends what it saw to a file."""
    samples = []
    for who, process in processes.items():
        with process.oneshot():
            times = process.cpu_times()
            rss_bytes, threads, files = process.memory_info().rss, process.num_threads(), process.num_fds()
        samples.append(Sample(who, at_s, rss_bytes, threads, files, times.user + times.system))
    with file.open("a") as opened:
        opened.writelines(json.dumps(asdict(one)) + "\n" for one in samples)
    return samples


def growth_of(samples: Sequence[Sample]) -> list[Growth]:
    """Judges each process' samples after the warm-up."""
    found = []
    for who in dict.fromkeys(one.who for one in samples):
        own = [one for one in samples if one.who == who]
        warm = own[int(len(own) * WARM_UP) :]
        times, sizes = np.array([one.at_s for one in warm]), np.array([one.rss_bytes / 1e6 for one in warm])
        quarter = max(1, len(warm) // 4)
        slope = float(np.polyfit(times, sizes, 1)[0]) * 3_600 if len(warm) > 2 else 0.0
        cores = (warm[-1].processor_s - warm[0].processor_s) / max(1e-9, warm[-1].at_s - warm[0].at_s)
        first, last = float(np.median(sizes[:quarter])), float(np.median(sizes[-quarter:]))
        found.append(Growth(who, first, last, float(sizes.max()), slope, cores))
    return found
