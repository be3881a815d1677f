"""The broker's loggers as a resource: their names and levels, in Kafka's words. In effect until the broker ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from yeoul.errors import UserError, did_you_mean

__all__ = ["LEVELS", "ROOT", "level_of", "logger_levels", "set_level"]

ROOT = "root"
LEVELS: Mapping[str, int] = MappingProxyType(
    {
        "FATAL": logging.CRITICAL,
        "ERROR": logging.ERROR,
        "WARN": logging.WARNING,
        "INFO": logging.INFO,
        "DEBUG": logging.DEBUG,
        "TRACE": logging.DEBUG - 5,
    }
)


def logger_levels() -> dict[str, str]:
    """Returns the level of each of the broker's loggers."""
    own = sorted(name for name in logging.root.manager.loggerDict if name == "yeoul" or name.startswith("yeoul."))
    return {name: level_of(name) for name in [ROOT, *own]}


def level_of(name: str) -> str:
    """Returns the nearest of Kafka's levels that is no finer than the logger's.

    Example:
        >>> level_of(ROOT) in LEVELS
        True
    """
    effective = logging.getLogger(None if name == ROOT else name).getEffectiveLevel()
    return next((word for word, level in LEVELS.items() if level <= effective), "TRACE")


def set_level(name: str, level: str | None) -> None:
    """Sets a logger's level; None lets it follow its parent again.

    Raises:
        UserError: There is no such logger or level, or the root is to follow somebody.
    """
    if name not in logger_levels():
        raise UserError(f"Unknown logger {name!r}", hint=did_you_mean(name, logger_levels()))
    if level is None:
        if name == ROOT:
            raise UserError("The root logger has no parent to follow: expected a level")
        logging.getLogger(name).setLevel(logging.NOTSET)
    elif level in LEVELS:
        logging.getLogger(None if name == ROOT else name).setLevel(LEVELS[level])
    else:
        raise UserError(f"Unknown level {level!r} for logger {name!r}", hint=f"Known: {', '.join(LEVELS)}")
