"""The options of `filesystem`, named as Flink's."""

from __future__ import annotations

import re

from yeoul.connectors.options import Option, parse_duration_ms, parse_size_bytes, text
from yeoul.errors import UserError

__all__ = ["CHECK_INTERVAL", "MONITOR_INTERVAL", "PATH", "PATH_PATTERN", "ROLL_BYTES", "ROLL_INTERVAL"]


def _pattern(given: str) -> re.Pattern[str]:
    try:
        return re.compile(given)
    except re.error as error:
        raise UserError(f"Expected a regular expression, got {given!r}: {error}") from None


def _positive_duration(given: str) -> int:
    duration_ms = parse_duration_ms(given)
    if duration_ms < 1:
        raise UserError(f"Expected a duration of at least 1 ms, got {given!r}")
    return duration_ms


PATH: Option[str] = Option("path", text, "", "A file, a directory or a glob.", required=True)
MONITOR_INTERVAL: Option[int | None] = Option(
    "source.monitor-interval",
    _positive_duration,
    None,
    "How often to look for new files and appended lines; without it the source ends with the files it found.",
)
PATH_PATTERN: Option[re.Pattern[str] | None] = Option(
    "source.path.regex-pattern", _pattern, None, "Reads only the files whose whole path matches."
)
ROLL_BYTES: Option[int] = Option(
    "sink.rolling-policy.file-size", parse_size_bytes, 128 << 20, "How large a part file may grow."
)
ROLL_INTERVAL: Option[int] = Option(
    "sink.rolling-policy.rollover-interval", parse_duration_ms, 1_800_000, "How long a part file may stay open."
)
CHECK_INTERVAL: Option[int] = Option(
    "sink.rolling-policy.check-interval", parse_duration_ms, 60_000, "Accepted for Flink's sake: checked at each write."
)
