"""Durations and sizes as people write them in options: `5 s`, `1 min`, `200ms`, `64 MB`.

The spellings are those of Flink's options (https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/config/):
a bare number is milliseconds for a duration and bytes for a size; sizes are powers of 1024.
"""

from __future__ import annotations

import re

from yeoul.errors import UserError

__all__ = ["format_count", "format_size", "parse_duration_ms", "parse_size_bytes"]

_DURATIONS_MS = {
    **dict.fromkeys(("ms", "milli", "millis", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
}
_SIZES_BYTES = {
    **dict.fromkeys(("b", "byte", "bytes"), 1),
    **dict.fromkeys(("k", "kb", "kib", "kibibyte", "kibibytes"), 1 << 10),
    **dict.fromkeys(("m", "mb", "mib", "mebibyte", "mebibytes"), 1 << 20),
    **dict.fromkeys(("g", "gb", "gib", "gibibyte", "gibibytes"), 1 << 30),
    **dict.fromkeys(("t", "tb", "tib", "tebibyte", "tebibytes"), 1 << 40),
}
_QUANTITY = re.compile(r"\s*(\d{1,18})\s*([A-Za-z]*)\s*")


def _parse(text: str, units: dict[str, int], default: str, what: str, examples: str) -> int:
    match = _QUANTITY.fullmatch(text)
    factor = units.get((match[2] or default).lower()) if match else None
    if match is None or factor is None:
        raise UserError(f"Expected a {what} such as {examples}, got {text!r}")
    return int(match[1]) * factor


def parse_duration_ms(text: str) -> int:
    """Returns a duration in milliseconds.

    Raises:
        UserError: The text is no duration.

    Example:
        >>> parse_duration_ms("5 s"), parse_duration_ms("1min"), parse_duration_ms("250")
        (5000, 60000, 250)
    """
    return _parse(text, _DURATIONS_MS, "ms", "duration", "'200 ms', '5 s' or '1 min'")


def parse_size_bytes(text: str) -> int:
    """Returns a size in bytes.

    Raises:
        UserError: The text is no size.

    Example:
        >>> parse_size_bytes("64 MB"), parse_size_bytes("1kb"), parse_size_bytes("17")
        (67108864, 1024, 17)
    """
    return _parse(text, _SIZES_BYTES, "b", "size", "'64 MB' or '1 GB'")


def format_size(size_bytes: float) -> str:
    """Returns a size for people.

    Example:
        >>> format_size(1536), format_size(12)
        ('1.5 KB', '12 B')
    """
    for unit in ("B", "KB", "MB", "GB"):
        if abs(size_bytes) < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TB"


def format_count(count: float) -> str:
    """Returns a number for people, three figures at most.

    Example:
        >>> format_count(950), format_count(20_400), format_count(3_210_000)
        ('950', '20.4 k', '3.21 M')
    """
    for unit in ("", " k", " M"):
        if abs(count) < 1000:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g} G"
