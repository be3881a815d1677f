"""The broker's side of TLS: its certificate, the peers it trusts, and taking up files that have changed.

Owns `TlsSettings` (what Kafka's `ssl.*` settings say) and `TlsContext`, which loads them. Invariants: nothing below TLS
1.2 is spoken; files that were replaced count from the next connection on, and if they cannot be loaded the ones before
stay, with an error in the log. Keys and certificates are PEM. Caller: `server`, once per connection.
Source: KIP-651 (PEM), https://kafka.apache.org/documentation/#brokerconfigs_ssl.keystore.location.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["ClientAuth", "TlsContext", "TlsSettings"]

ClientAuth = Literal["none", "requested", "required"]

_log = logging.getLogger("yeoul.broker")
_VERIFY = {"none": ssl.CERT_NONE, "requested": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Keys, certificates and versions of a listener.

    Attributes:
        certificate_file: The certificate with its chain and, unless `key_file` has it, the key
            (`ssl.keystore.location`).
        key_file: The key, where it is in a file of its own (`ssl.key.location`).
        certificate_pem: The chain itself, instead of a file (`ssl.keystore.certificate.chain`).
        key_pem: The key itself (`ssl.keystore.key`).
        key_password: Opens an encrypted key (`ssl.key.password`).
        trusted_file: The authorities whose clients are believed (`ssl.truststore.location`).
        trusted_pem: The same, without a file (`ssl.truststore.certificates`).
        client_auth: Whether clients need a certificate (`ssl.client.auth`).
        versions: TLS versions that are spoken (`ssl.enabled.protocols`).
        ciphers: OpenSSL's names of the ciphers for TLS 1.2; empty for its own choice (`ssl.cipher.suites`).
        name_rules: How a certificate's subject becomes a user's name (`ssl.principal.mapping.rules`).

    Raises:
        UserError: Clients are to have certificates, but nobody is trusted to sign them; or no known version is left.
    """

    certificate_file: Path | None = None
    key_file: Path | None = None
    certificate_pem: str = ""
    key_pem: str = field(default="", repr=False)
    key_password: str = field(default="", repr=False)
    trusted_file: Path | None = None
    trusted_pem: str = ""
    client_auth: ClientAuth = "none"
    versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: str = ""
    name_rules: str = "DEFAULT"

    def __post_init__(self) -> None:
        if self.client_auth not in _VERIFY:
            raise UserError(f"ssl.client.auth: Expected 'none', 'requested' or 'required', got {self.client_auth!r}")
        if self.client_auth != "none" and self.trusted_file is None and not self.trusted_pem:
            raise UserError(
                f"ssl.client.auth={self.client_auth} needs the authorities that sign clients' certificates",
                hint="Set ssl.truststore.type=PEM and ssl.truststore.location to a PEM file with their certificates",
            )
        if not self.versions or not all(version in _VERSIONS for version in self.versions):
            got = ",".join(self.versions)
            raise UserError(f"ssl.enabled.protocols: Expected TLSv1.2, TLSv1.3 or both, got {got!r}")
        if self.name_rules != "DEFAULT":
            from yeoul.broker.certificate_names import check_rules

            check_rules(self.name_rules)

    @property
    def has_certificate(self) -> bool:
        return self.certificate_file is not None or bool(self.certificate_pem)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files whose change is looked for."""
        return tuple(file for file in (self.certificate_file, self.key_file, self.trusted_file) if file is not None)


class TlsContext:
    """What new connections of a listener are wrapped with.

    Raises:
        EnvironmentFailure: A file cannot be read.
        UserError: It is not what it should be: no certificate, a key that does not fit or cannot be opened.
    """

    def __init__(self, listener: str, settings: TlsSettings) -> None:
        self._listener = listener
        self._settings = settings
        self._seen = self._signature()
        self._context = _load(settings)

    def current(self) -> ssl.SSLContext:
        """Returns the context of the newest files; a few microseconds when they are as before."""
        seen = self._signature()
        if seen != self._seen:
            self._seen = seen
            self._reload()
        return self._context

    def _reload(self) -> None:
        try:
            self._context = _load(self._settings)
        except (EnvironmentFailure, UserError) as error:
            _log.error("Listener %s keeps its certificate, for the new one cannot be used: %s", self._listener, error)
        else:
            _log.info("Listener %s has loaded its new certificate", self._listener)

    def _signature(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, self._settings.files))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _load(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = min(_VERSIONS[version] for version in settings.versions)
    context.maximum_version = max(_VERSIONS[version] for version in settings.versions)
    context.options |= ssl.OP_NO_RENEGOTIATION
    if settings.ciphers:
        try:
            context.set_ciphers(settings.ciphers.replace(",", ":"))
        except ssl.SSLError:
            raise UserError(f"ssl.cipher.suites: None of {settings.ciphers!r} is known") from None
    _load_certificate(context, settings)
    _load_trusted(context, settings)
    context.verify_mode = _VERIFY[settings.client_auth]
    return context


def _load_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    with _as_file(settings) as file:
        key_file = settings.key_file
        try:
            # Without a function OpenSSL would ask for a password at the terminal.
            context.load_cert_chain(file, key_file, password=lambda: settings.key_password)
        except ssl.SSLError as error:
            raise UserError(
                f"Cannot use the certificate {_told(settings.certificate_file)}: {_reason(error)}",
                hint="It has to be PEM: the private key, its certificate and the chain up to the authority, in one file"
                " (or the key in ssl.key.location); an encrypted key needs ssl.key.password",
            ) from None
        except OSError as error:
            raise _unreadable(key_file or settings.certificate_file, error) from error


def _load_trusted(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.trusted_file is None and not settings.trusted_pem:
        return
    try:
        context.load_verify_locations(settings.trusted_file, cadata=settings.trusted_pem or None)
    except ssl.SSLError as error:
        raise UserError(
            f"Cannot use the trusted authorities {_told(settings.trusted_file)}: {_reason(error)}",
            hint="It has to be PEM: the certificates of the authorities, one after another",
        ) from None
    except OSError as error:
        raise _unreadable(settings.trusted_file, error) from error


@contextlib.contextmanager
def _as_file(settings: TlsSettings) -> Iterator[Path]:
    """Gives the certificate as the file that OpenSSL wants; one that was given as text, for a moment, to us alone."""
    if settings.certificate_file is not None:
        yield settings.certificate_file
        return
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as made:
        made.write(f"{settings.key_pem}\n{settings.certificate_pem}\n")
        made.flush()
        yield Path(made.name)


def _told(file: Path | None) -> str:
    return repr(str(file)) if file is not None else "that was given as text"


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _unreadable(file: Path | None, error: OSError) -> EnvironmentFailure:
    return EnvironmentFailure(f"Cannot read {_told(file)}: {error.strerror or error}")
