"""The machine's own pulse as a stream: processor, memory, disk and network, one JSON row a sample."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import msgspec
import psutil

__all__ = ["HostMetrics", "Sampler"]

_MEGABYTE = 1_000_000


class HostMetrics(msgspec.Struct, frozen=True):
    """One sample; rates are since the sample before."""

    host: str
    ts: int
    cpu_percent: float
    memory_percent: float
    disk_read_mb_s: float
    disk_write_mb_s: float
    net_in_mb_s: float
    net_out_mb_s: float


@dataclass(frozen=True, slots=True)
class _Counters:
    at_ms: int
    disk_read_bytes: int
    disk_write_bytes: int
    net_in_bytes: int
    net_out_bytes: int


class Sampler:
    """Reads the machine's counters and turns differences into rates."""

    def __init__(self, now_ms: int) -> None:
        psutil.cpu_percent()
        self._host = platform.node()
        self._before = _read_counters(now_ms)

    def sample(self, now_ms: int) -> HostMetrics:
        """Returns what happened since the last call; `now_ms` has to be later than then."""
        before, now = self._before, _read_counters(now_ms)
        self._before = now
        seconds = max(now.at_ms - before.at_ms, 1) / 1000

        def rate(later: int, earlier: int) -> float:
            return round(max(later - earlier, 0) / seconds / _MEGABYTE, 3)

        return HostMetrics(
            host=self._host,
            ts=now_ms,
            cpu_percent=psutil.cpu_percent(),
            memory_percent=psutil.virtual_memory().percent,
            disk_read_mb_s=rate(now.disk_read_bytes, before.disk_read_bytes),
            disk_write_mb_s=rate(now.disk_write_bytes, before.disk_write_bytes),
            net_in_mb_s=rate(now.net_in_bytes, before.net_in_bytes),
            net_out_mb_s=rate(now.net_out_bytes, before.net_out_bytes),
        )


def _read_counters(now_ms: int) -> _Counters:
    disk = psutil.disk_io_counters()  # None on a machine without disks that it can see
    network = psutil.net_io_counters()
    return _Counters(
        now_ms,
        disk.read_bytes if disk else 0,
        disk.write_bytes if disk else 0,
        network.bytes_recv if network else 0,
        network.bytes_sent if network else 0,
    )
