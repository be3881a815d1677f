"""How a broker's log is written: one event a line, as text or as JSON, without floods.

Owns the format and the bound on repeats: a peer that fails a thousand times a second writes a few lines, and then how
many were left out. Invariants: a line break in a message never makes two events of one; no secret is put into a
message (that is the callers' part). Callers: `__main__`, the command line.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Literal

from yeoul.errors import EnvironmentFailure

__all__ = ["LogFormat", "LogLevel", "RepeatLimit", "make_formatter", "write_log"]

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PERIOD_S = 10.0
_LINES_A_PERIOD = 5
_KINDS_KEPT = 1_000


def write_log(level: LogLevel, form: LogFormat, file: Path | None = None) -> None:
    """Makes everything that is logged in this process go to a file, or to stderr, in one form.

    Raises:
        EnvironmentFailure: The file cannot be written.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        from logging.handlers import WatchedFileHandler

        try:
            handler = WatchedFileHandler(file, encoding="utf-8")
        except OSError as error:
            raise EnvironmentFailure(f"Cannot write the log {str(file)!r}: {error.strerror or error}") from error
    handler.setFormatter(make_formatter(form))
    handler.addFilter(RepeatLimit())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def make_formatter(form: LogFormat) -> logging.Formatter:
    """Returns what makes one line of an event."""
    return _JsonLines() if form == "json" else _TextLines()


class RepeatLimit(logging.Filter):
    """Lets through the first few of a kind in a period; the next one after says how many were left out.

    A kind is a message before its values are put in, so that a flood from many peers is one kind. Errors are let
    through like others: what repeats is told as often as helps.
    """

    def __init__(self, period_s: float = _PERIOD_S, lines: int = _LINES_A_PERIOD) -> None:
        super().__init__()
        self._period_s = period_s
        self._lines = lines
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, str(record.msg))
        now_s = time.monotonic()
        since_s, count = self._kinds.get(kind, (now_s, 0))
        if now_s - since_s >= self._period_s:
            left_out = count - self._lines
            if left_out > 0:
                record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it were left out)", ()
            since_s, count = now_s, 0
        if len(self._kinds) >= _KINDS_KEPT and kind not in self._kinds:
            self._kinds.clear()
        self._kinds[kind] = (since_s, count + 1)
        return count < self._lines


class _TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\r", "\\r").replace("\n", "\n\t" if record.exc_info else "\\n")


class _JsonLines(logging.Formatter):
    """One object a line: `time` (UTC, RFC 3339), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        second, millisecond = divmod(round(record.created * 1_000), 1_000)
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        event = {
            "time": f"{when}.{millisecond:03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)
