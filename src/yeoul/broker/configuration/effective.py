"""Flags over environment over file over defaults: what each setting comes to, and the `BrokerConfig` that they make.

Owns the precedence, the refusal of what nobody knows, and the picture of it all for people. Invariants: a setting of
Kafka's is acted on, told to be of no use here, or refused, never dropped in silence; secrets are never shown. Callers:
the command line, `__main__`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from yeoul.broker.config import BrokerConfig, Limits
from yeoul.broker.configuration.kafka_names import REFUSED, is_unused
from yeoul.broker.configuration.sources import read_environment, read_file
from yeoul.broker.configuration.table import (
    LISTENER_SETTINGS,
    SASL_MECHANISMS,
    SETTINGS,
    TLS_SETTINGS,
    Setting,
    names_of,
)
from yeoul.broker.listeners import Listener, parse_listeners
from yeoul.broker.tls import TlsSettings
from yeoul.errors import UserError, did_you_mean
from yeoul.log.config import TOPIC_DEFAULTS

__all__ = ["Given", "Shown", "effective_settings", "gather", "make_config"]

_log = logging.getLogger("yeoul.broker")
_OWN = "yeoul."
_LISTENER_PREFIX = "listener.name."
_BY_LISTENER = ("ssl.", "sasl.")
_HIDDEN = "[hidden]"
_PEM_ONLY = ("ssl.keystore.type", "ssl.truststore.type")
_SECRET_ENDINGS = ("password", "secret", "jaas.config", "ssl.keystore.key", "passphrase")
_KNOWN = {setting.name: setting for setting in (*SETTINGS, *TLS_SETTINGS, SASL_MECHANISMS)}


class Given(NamedTuple):
    """A setting that somebody made.

    Attributes:
        text: Its value as it was written.
        origin: Where: a flag, a variable, a file.
    """

    text: str
    origin: str


class Shown(NamedTuple):
    """A setting as people see it.

    Attributes:
        name: Kafka's name, or ours.
        value: What it comes to; a secret's is hidden.
        origin: Where it comes from.
        is_secret: Whether it is one.
    """

    name: str
    value: str
    origin: str
    is_secret: bool = False


def gather(
    flags: Mapping[str, Given], environment: Mapping[str, str] | None = None, file: Path | None = None
) -> dict[str, Given]:
    """Returns each setting that was made, from where it counts.

    Args:
        flags: By name; they win.
        environment: Variables; None to look at none.
        file: `server.properties`, or TOML.

    Raises:
        EnvironmentFailure: The file cannot be read.
        UserError: A name is unknown, or asks for what this broker cannot do.
    """
    found: dict[str, Given] = {}
    if file is not None:
        for name, text in read_file(file).items():
            _take(found, name, Given(text, str(file)))
    for name, (variable, text) in read_environment(environment or {}).items():
        own = name if _is_known(name) or not _is_known(_OWN + name) else _OWN + name
        if variable.startswith("KAFKA_") and not _is_known(own):
            _log.info("%s is no setting of a broker and is left alone", variable)
            continue
        _take(found, own, Given(text, variable))
    for name, given in flags.items():
        _take(found, name, given)
    return found


def _take(found: dict[str, Given], name: str, given: Given) -> None:
    if name in REFUSED:
        raise UserError(f"{given.origin}: {name} is not supported: {REFUSED[name]}")
    if name in _PEM_ONLY and given.text.upper() != "PEM":
        raise UserError(
            f"{given.origin}: {name}: expected PEM, got {given.text!r}",
            hint="Convert the store: keytool -importkeystore -deststoretype PKCS12, then openssl pkcs12 -nodes",
        )
    if not _is_known(name):
        raise UserError(f"{given.origin}: Unknown setting {name!r}", hint=did_you_mean(name, _names()))
    if _is_idle(name):
        _log.info("%s: %s is known, but a single node has no use for it", given.origin, name)
    found[name] = given


def _names() -> list[str]:
    return [*_KNOWN, *LISTENER_SETTINGS]


def _own_name(name: str) -> str:
    """Returns a setting's name without the listener that it is for.

    Example:
        >>> _own_name("listener.name.internal.ssl.client.auth")
        'ssl.client.auth'
    """
    return name.removeprefix(_LISTENER_PREFIX).partition(".")[2] if name.startswith(_LISTENER_PREFIX) else name


def _is_known(name: str) -> bool:
    own = _own_name(name)
    if name != own:
        return own.startswith(_BY_LISTENER) and (own in _KNOWN or is_unused(own))
    return name in _KNOWN or name in LISTENER_SETTINGS or is_unused(name) or name in REFUSED


def _is_idle(name: str) -> bool:
    own = _own_name(name)
    return own not in _KNOWN and own not in LISTENER_SETTINGS and own not in _PEM_ONLY


def make_config(given: Mapping[str, Given], default_data_dir: Path, default_port: int = 0) -> BrokerConfig:
    """Returns the configuration that settings come to.

    Args:
        given: The settings that were made.
        default_data_dir: Where data is kept if none of them says so.
        default_port: The port to listen on, likewise.

    Raises:
        UserError: A value is not of its form or out of range, or settings contradict each other.
    """
    made: dict[str, object] = {}
    for setting in SETTINGS:
        if (each := given.get(setting.name)) is not None:
            made[setting.target] = _read(setting, setting.name, each)
    listeners = _listeners(given)
    if listeners and ("host" in made or "port" in made):
        both = " and ".join(given[name].origin for name in ("yeoul.host", "yeoul.port") if name in given)
        message = f"{both} would set aside the listeners from {given['listeners'].origin}"
        raise UserError(message, hint="Give one or the other")
    bounds, topic_defaults = _section(made, "limits."), _section(made, "topic.")
    own = {target: value for target, value in made.items() if "." not in target}
    return BrokerConfig(
        **{"data_dir": default_data_dir, "port": default_port, **own},  # type: ignore[arg-type]
        listeners=listeners,
        limits=replace(Limits(), **bounds),  # type: ignore[arg-type]
        topic_defaults={name: str(value) for name, value in topic_defaults.items()},
    )


def _section(made: Mapping[str, object], prefix: str) -> dict[str, object]:
    return {target.removeprefix(prefix): value for target, value in made.items() if target.startswith(prefix)}


def _read(setting: Setting, name: str, given: Given) -> object:
    try:
        return setting.read(given.text)
    except UserError as error:
        raise UserError(f"{given.origin}: {name}: {error.message}", hint=error.hint) from None


def _listeners(given: Mapping[str, Given]) -> tuple[Listener, ...]:
    if "listeners" not in given:
        return ()
    texts = [given[name].text if name in given else "" for name in LISTENER_SETTINGS]
    listeners = parse_listeners(texts[0], texts[1], texts[2], texts[3], tls_of=lambda name: _tls(given, name))
    return tuple(replace(each, sasl_mechanisms=_mechanisms(given, each)) for each in listeners)


def _for_listener(given: Mapping[str, Given], listener: str, name: str) -> str | None:
    """Returns the name under which a setting was made for a listener: its own, or that of all."""
    own = f"{_LISTENER_PREFIX}{listener.lower()}.{name}"
    return next((each for each in (own, name) if each in given), None)


def _mechanisms(given: Mapping[str, Given], listener: Listener) -> tuple[str, ...]:
    name = _for_listener(given, listener.name, SASL_MECHANISMS.name)
    return names_of(given[name].text) if name is not None and listener.uses_sasl else ()


def _tls(given: Mapping[str, Given], listener: str) -> TlsSettings:
    """Returns the TLS settings of a listener."""
    found: dict[str, object] = {}
    for setting in TLS_SETTINGS:
        name = _for_listener(given, listener, setting.name)
        if name is not None:
            found[setting.target] = _read(setting, name, given[name])
    return TlsSettings(**found)  # type: ignore[arg-type]


def effective_settings(config: BrokerConfig, given: Mapping[str, Given]) -> list[Shown]:
    """Returns what each setting comes to and where from, in the order of names: those with a value of their own."""
    shown = {name: _shown(name, each.text, each.origin) for name, each in given.items() if not _is_idle(name)}
    made = {_KNOWN[name].target for name in shown if name in _KNOWN}
    for setting in reversed(SETTINGS):
        if setting.name not in shown and setting.target not in made:
            made.add(setting.target)
            shown[setting.name] = _shown(setting.name, _default_text(config, setting.target), "default")
    if "listeners" not in shown:
        urls = ",".join(listener.url for listener in config.bound_listeners)
        origin = next((shown[name].origin for name in ("yeoul.port", "yeoul.host") if name in given), "default")
        shown["listeners"] = Shown("listeners", urls, origin)
    return [shown[name] for name in sorted(shown)]


def _shown(name: str, text: str, origin: str) -> Shown:
    own = _own_name(name)
    is_secret = own.endswith(_SECRET_ENDINGS) or (own in _KNOWN and _KNOWN[own].is_secret)
    return Shown(name, _HIDDEN if is_secret else text, origin, is_secret)


def _default_text(config: BrokerConfig, target: str) -> str:
    if target.startswith("topic."):
        return TOPIC_DEFAULTS[target.removeprefix("topic.")]
    value: object = reduce(getattr, target.split("."), config)
    return str(value).lower() if isinstance(value, bool) else str(value)
