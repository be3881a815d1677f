"""Where a broker listens, how peers speak there, and the address that clients of each listener are told.

Owns `Listener` and the reading of Kafka's `listeners`, `advertised.listeners` and `listener.security.protocol.map`.
Invariant: a listener that other machines can reach makes its peers prove who they are (SASL, or a certificate that is
required), unless the broker was told to be insecure. Pure. Callers: `config`, `settings`, `server`.
Source: https://kafka.apache.org/documentation/#brokerconfigs_listeners.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from yeoul.broker.security.mechanisms import offered_mechanisms
from yeoul.broker.tls import TlsSettings
from yeoul.errors import UserError, did_you_mean

__all__ = ["Listener", "SecurityProtocol", "is_loopback", "is_wildcard", "local_address", "parse_listeners"]

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
_PROTOCOLS: tuple[str, ...] = get_args(SecurityProtocol)
_LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that a broker listens on.

    Attributes:
        name: As `listeners` names it, in capitals.
        host: The address to bind; empty for every address of this machine.
        port: The port to bind; 0 takes a free one.
        protocol: How peers speak: plain or TLS, with SASL or without.
        advertised_host: What clients are told; empty for `host`, or, where `host` is every address, for the address
            that the client's own connection came in by.
        advertised_port: What clients are told; 0 for the port that was bound.
        tls: Keys and certificates, for SSL and SASL_SSL.
        sasl_mechanisms: What peers may log in with (`sasl.enabled.mechanisms`), for SASL_PLAINTEXT and SASL_SSL; empty
            for all that keep a password secret there.

    Raises:
        UserError: A port is out of range, the advertised address is not one that can be connected to, or TLS lacks
            its certificate.

    Example:
        >>> Listener("INTERNAL", "127.0.0.1", 9092).url
        'INTERNAL://127.0.0.1:9092'
    """

    name: str
    host: str
    port: int
    protocol: SecurityProtocol = "PLAINTEXT"
    advertised_host: str = ""
    advertised_port: int = 0
    tls: TlsSettings | None = None
    sasl_mechanisms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for port in (self.port, self.advertised_port):
            if not 0 <= port <= _LARGEST_PORT:
                raise UserError(f"Expected a port from 0 to 65535, got {port!r}")
        if self.advertised_host and is_wildcard(self.advertised_host):
            raise UserError(
                f"advertised.listeners: {self.advertised_host!r} of {self.name} is every address, not one",
                hint="Name an address that clients can connect to, or leave the listener out of advertised.listeners",
            )
        if self.uses_tls and (self.tls is None or not self.tls.has_certificate):
            raise UserError(
                f"Listener {self.name} speaks {self.protocol}, which needs a certificate",
                hint="Set ssl.keystore.type=PEM and ssl.keystore.location to a PEM file with the key and its chain",
            )
        _ = self.offered_mechanisms

    @property
    def uses_tls(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        return self.protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    @property
    def offered_mechanisms(self) -> tuple[str, ...]:
        """What peers may log in with.

        Raises:
            UserError: A mechanism is not known, or passwords could be read on their way.
        """
        is_private = self.uses_tls or not self.is_open_to_others
        return offered_mechanisms(self.sasl_mechanisms, is_private=is_private) if self.uses_sasl else ()

    @property
    def authenticates(self) -> bool:
        """Whether each peer has to prove who it is."""
        return self.uses_sasl or (self.uses_tls and self.tls is not None and self.tls.client_auth == "required")

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines can reach it."""
        return not is_loopback(self.host)

    @property
    def url(self) -> str:
        return f"{self.name}://{_bracketed(self.host)}:{self.port}"

    @property
    def advertised_url(self) -> str:
        host, port = self.endpoint(self.host)
        return f"{self.name}://{_bracketed(host)}:{port}"

    def endpoint(self, local_host: str) -> tuple[str, int]:
        """Returns the address that a client is told whose connection came in by `local_host`."""
        host = self.advertised_host or (local_host if is_wildcard(self.host) else self.host)
        return host, self.advertised_port or self.port


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """Returns whether a host stands for every address of this machine.

    Example:
        >>> is_wildcard(""), is_wildcard("::"), is_wildcard("10.0.0.1"), is_wildcard("example.org")
        (True, True, False, False)
    """
    if not host:
        return True
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def local_address(listeners: Sequence[Listener]) -> str:
    """Returns `host:port` of the listener that this machine's own programs can use without more ado.

    Example:
        >>> local_address([Listener("OUT", "0.0.0.0", 9093), Listener("IN", "127.0.0.1", 9092)])
        '127.0.0.1:9092'
    """
    plain = [each for each in listeners if each.protocol == "PLAINTEXT"]
    chosen = next((each for each in plain if not each.is_open_to_others), plain[0] if plain else listeners[0])
    return f"{_bracketed(chosen.host or '127.0.0.1')}:{chosen.port}"


def parse_listeners(
    listeners: str,
    advertised: str = "",
    protocol_map: str = "",
    ignored: str = "",
    tls_of: Callable[[str], TlsSettings | None] = lambda name: None,
) -> tuple[Listener, ...]:
    """Reads Kafka's texts.

    Args:
        listeners: `NAME://host:port`, separated by commas.
        advertised: The same form; listeners that it leaves out tell the address they are bound to.
        protocol_map: `NAME:PROTOCOL`, separated by commas; a name that is a protocol's needs no entry.
        ignored: Names of listeners that are not for clients (`controller.listener.names`).
        tls_of: Returns the TLS settings of a listener by its name.

    Raises:
        UserError: A text is not of its form, a name is twice or unknown, or a listener has no protocol.

    Example:
        >>> found = parse_listeners("PLAINTEXT://:9092,IN://127.0.0.1:0", "IN://broker.local:9093", "IN:PLAINTEXT")
        >>> [(each.name, each.host, each.port, each.protocol, each.advertised_host) for each in found]
        [('PLAINTEXT', '', 9092, 'PLAINTEXT', ''), ('IN', '127.0.0.1', 0, 'PLAINTEXT', 'broker.local')]
    """
    bound = _parse_urls("listeners", listeners)
    told = _parse_urls("advertised.listeners", advertised)
    protocols = _parse_map(protocol_map)
    unserved = {name.strip().upper() for name in ignored.split(",")}
    for name in told:
        if name not in bound:
            raise UserError(f"advertised.listeners: Unknown listener {name!r}", hint=did_you_mean(name, bound))
    made = []
    for name, (host, port) in bound.items():
        if name in unserved:
            continue
        protocol = _protocol_of(name, protocols)
        advertised_host, advertised_port = told.get(name, ("", 0))
        tls = tls_of(name) if protocol in ("SSL", "SASL_SSL") else None
        made.append(Listener(name, host, port, protocol, advertised_host, advertised_port, tls))
    if not made:
        raise UserError(f"listeners: Expected at least one listener for clients, got {listeners!r}")
    return tuple(made)


def _protocol_of(name: str, protocols: Mapping[str, str]) -> SecurityProtocol:
    protocol = protocols.get(name, name)
    if protocol not in _PROTOCOLS:
        raise UserError(
            f"listener.security.protocol.map: No security protocol for listener {name!r}",
            hint=f"Add {name}:PLAINTEXT (or SSL, SASL_PLAINTEXT, SASL_SSL) to it",
        )
    return cast(SecurityProtocol, protocol)


def _parse_urls(setting: str, text: str) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, scheme, address = part.partition("://")
        host, colon, port = address.rpartition(":")
        if not (scheme and name and colon and port.isascii() and port.isdigit()):
            raise UserError(f"{setting}: Expected NAME://HOST:PORT, got {part!r}")
        name = name.upper()
        if name in found:
            raise UserError(f"{setting}: Listener {name!r} is there twice")
        found[name] = (host.removeprefix("[").removesuffix("]"), int(port))
    return found


def _parse_map(text: str) -> dict[str, str]:
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, protocol = part.partition(":")
        if not colon or protocol.strip().upper() not in _PROTOCOLS:
            raise UserError(
                f"listener.security.protocol.map: Expected NAME:PROTOCOL, got {part!r}",
                hint=f"Protocols: {', '.join(_PROTOCOLS)}",
            )
        found[name.strip().upper()] = protocol.strip().upper()
    return found


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
