"""The interactive prompt: statements over several lines until `;`, a history that stays, words completed by Tab."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from yeoul.cli.sql.script import ends_statement, is_blank

if TYPE_CHECKING:
    from yeoul.cli.sql.runner import Runner

__all__ = ["ask", "completions", "read_statement"]

_HISTORY_LENGTH = 2_000
_LEAVING = frozenset({"quit", "exit", r"\q"})
_CLEARING = "clear"
_ASKING = frozenset({"help", r"\h", r"\?"})
_HELP = """\
A statement may take several lines and ends with ';'. Tab completes words and names, the arrows find earlier ones.

  SHOW TABLES;  DESCRIBE t;  SHOW CREATE TABLE t;      what there is
  SHOW FUNCTIONS LIKE 'JSON%';  DESCRIBE FUNCTION EXTENDED f;
  EXPLAIN SELECT ...;                                  what a query does
  SELECT ...;                                          its rows, until they end or Ctrl-C
  INSERT INTO t SELECT ...;                            runs on beside the prompt if its tables never end
  SHOW JOBS;  STOP JOB 'name';                         what runs so
  SET 'key' = 'value';  SET;  RESET 'key';             options
  EXECUTE STATEMENT SET BEGIN ...; ...; END;           several INSERTs as one job

help or \\h shows this, clear empties the screen, quit, \\q or Ctrl-D leaves (and stops what runs)."""
_WORDS = re.findall(
    r"\w+",
    """
    SELECT FROM WHERE GROUP BY HAVING AS AND OR NOT NULL IS IN LIKE BETWEEN CASE WHEN THEN ELSE END CAST
    LIMIT UNION ALL CREATE TABLE VIEW TEMPORARY IF EXISTS WITH WATERMARK FOR METADATA VIRTUAL INSERT
    INTO VALUES DROP DESCRIBE SHOW TABLES VIEWS EXPLAIN SET RESET TUMBLE HOP CUMULATE DESCRIPTOR
    INTERVAL SECOND MINUTE HOUR DAY COUNT SUM AVG MIN MAX DISTINCT JOIN LEFT ON USING ORDER OVER PARTITION
    ROW_NUMBER SESSION LATERAL UNNEST UNION INTERSECT EXCEPT DATABASE USE ALTER FUNCTIONS JOBS COLUMNS
    """,
)


def ask(runner: Runner) -> int:
    """Asks for statements until the end of input; returns the exit code."""
    history = _history_path()
    readline_done = _prepare_readline(runner, history)
    print("yeoul SQL: statements end with ';', Ctrl-C stops a query, Ctrl-D leaves, help tells more.", file=sys.stderr)
    try:
        while (text := _next(input)) is not None:
            runner.tell_ended()
            if is_blank(text) or _is_command(text):
                continue
            try:
                runner.run_one(text)
            except KeyboardInterrupt:
                print("Stopped.", file=sys.stderr)
    finally:
        readline_done()
    return 0


def _is_command(text: str) -> bool:
    """Carries out a word to the prompt itself; tells whether the text is one."""
    word = _word(text)
    if word in _ASKING:
        print(_HELP, file=sys.stderr)
    elif word == _CLEARING:
        print("\x1b[2J\x1b[H", end="", file=sys.stderr, flush=True)
    return word in _ASKING or word == _CLEARING


def _word(text: str) -> str:
    return text.strip().rstrip(";").strip().lower()


def _next(read_line: Callable[[str], str]) -> str | None:
    while True:
        try:
            return read_statement(read_line)
        except KeyboardInterrupt:
            print(file=sys.stderr)  # what was typed is dropped, the prompt stays


def read_statement(read_line: Callable[[str], str]) -> str | None:
    """Returns one text that ends with `;`, over as many lines as it takes, or a word to the prompt itself.

    None: the user leaves.

    Example:
        >>> lines = iter(["SELECT", "1;"])
        >>> read_statement(lambda prompt: next(lines))
        'SELECT\\n1;'
    """
    lines: list[str] = []
    while True:
        try:
            lines.append(read_line("   ...> " if lines else "yeoul> "))
        except EOFError:
            return None
        text = "\n".join(lines)
        if len(lines) == 1 and _word(text) in _LEAVING:
            return None
        if len(lines) == 1 and (_word(text) in _ASKING or _word(text) == _CLEARING):
            return text
        if ends_statement(text) or is_blank(text):
            return text


def completions(prefix: str, names: list[str]) -> list[str]:
    """Returns what a word may become: names as they are, keywords in the case that was begun.

    Example:
        >>> completions("sel", ["sells"]), completions("SEL", [])
        (['sells', 'select'], ['SELECT'])
    """
    found = [name for name in names if name.startswith(prefix)]
    keywords = [word for word in _WORDS if prefix and word.startswith(prefix.upper())]
    return found + [word.lower() if prefix.islower() else word for word in keywords]


def _prepare_readline(runner: Runner, history: Path) -> Callable[[], None]:
    try:
        import readline
    except ImportError:  # a Python built without it: the prompt works, without history
        return lambda: None

    def complete(prefix: str, index: int) -> str | None:
        found = completions(prefix, list(runner.session.catalog.names()))
        return found[index] if index < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n,()'\"=;")
    readline.parse_and_bind("tab: complete")
    if history.exists():
        readline.read_history_file(history)

    def done() -> None:
        readline.set_history_length(_HISTORY_LENGTH)
        try:
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)
        except OSError as error:
            print(f"warning: the history was not kept in {history}: {error.strerror}", file=sys.stderr)

    return done


def _history_path() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "yeoul" / "sql_history"
