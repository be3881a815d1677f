r"""Where settings come from: files in Kafka's form or in TOML, and the environment.

Owns the two file formats and the mapping of variables to names. Reads files; everything else is pure. Caller:
`effective`. Sources: java.util.Properties.load; Kafka's docker image (`KAFKA_NUM_PARTITIONS` is `num.partitions`, `__`
stands for `_`, `___` for `-`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from yeoul.broker.configuration.kafka_names import NOT_BROKER_VARIABLES
from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["parse_properties", "read_environment", "read_file"]

_OWN_PREFIX, _KAFKA_PREFIX = "YEOUL_BROKER_", "KAFKA_"
_SPLIT = r"(?s)((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)"
_ESCAPE = r"(?s)\\(u[0-9a-fA-F]{4}|.)"
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_UNDERSCORES = {1: ".", 2: "_", 3: "-"}


def read_file(path: Path) -> dict[str, str]:
    """Returns the settings of a file: TOML if its name ends so, else Kafka's `server.properties`.

    Raises:
        EnvironmentFailure: It cannot be read.
        UserError: It is not of its form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailure(f"Cannot read the configuration {str(path)!r}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"The configuration {str(path)!r} is not UTF-8: {error.reason}") from None
    return _parse_toml(text, path) if path.suffix == ".toml" else parse_properties(text)


def parse_properties(text: str) -> dict[str, str]:
    r"""Returns the entries of a Java properties text; the last one of a name counts.

    Example:
        >>> parse_properties("# c\nnum.partitions = 3\nlisteners=A://:1,\\\n   B://:2\n")
        {'num.partitions': '3', 'listeners': 'A://:1,B://:2'}
    """
    found = {}
    for line in _logical_lines(text):
        match = re.match(_SPLIT, line)
        if match is not None and match[1]:
            found[_unescape(match[1])] = _unescape(match[2])
    return found


def _logical_lines(text: str) -> Iterator[str]:
    held = ""
    for line in text.splitlines():
        line = line.lstrip()
        if not held and line[:1] in ("#", "!"):
            continue
        if (len(line) - len(line.rstrip("\\"))) % 2:
            held += line[:-1]
            continue
        if whole := (held + line).rstrip():
            yield whole
        held = ""
    if held:
        yield held


def _unescape(text: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)

    return re.sub(_ESCAPE, replacement, text)


def _parse_toml(text: str, path: Path) -> dict[str, str]:
    import tomllib

    try:
        return dict(_flattened(tomllib.loads(text), ""))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"The configuration {str(path)!r} is no TOML: {error}") from None


def _flattened(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict):
            yield from _flattened(value, f"{name}.")
        elif isinstance(value, list):
            yield name, ",".join(map(str, value))
        else:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)


def read_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Returns variable and text for each setting that the environment names; ours go before Kafka's.

    Example:
        >>> read_environment({"KAFKA_NUM_PARTITIONS": "3", "YEOUL_BROKER_FLUSH": "os", "KAFKA_HOME": "/opt"})
        {'num.partitions': ('KAFKA_NUM_PARTITIONS', '3'), 'flush': ('YEOUL_BROKER_FLUSH', 'os')}
    """
    found = {}
    for prefix in (_KAFKA_PREFIX, _OWN_PREFIX):
        for variable, text in environment.items():
            if variable.startswith(prefix) and variable not in NOT_BROKER_VARIABLES:
                found[_setting_name(variable.removeprefix(prefix))] = (variable, text)
    return found


def _setting_name(variable: str) -> str:
    """Returns the name of a variable's setting.

    Example:
        >>> _setting_name("NUM_PARTITIONS"), _setting_name("A__B___C")
        ('num.partitions', 'a_b-c')
    """
    return re.sub("_{1,3}", lambda match: _UNDERSCORES[len(match[0])], variable).lower()
