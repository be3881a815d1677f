"""What a table's options say about a cluster, as values.

Owns the reading of `properties.*`: the names are those of Kafka's own clients. Invariants: a property that we do not
know is passed on to librdkafka by the sink and ignored by the source, as Kafka's clients do.
Callers: `cluster`, `source`, `sink`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from yeoul.connectors.kafka.options import BOOTSTRAP_SERVERS
from yeoul.connectors.options import choice, flag, whole
from yeoul.errors import UserError
from yeoul.wire.compression import Codec

__all__ = ["Address", "ClientSettings", "ProducerSettings", "client_settings", "producer_settings", "properties_of"]

T = TypeVar("T")
D = TypeVar("D")

_PREFIX = "properties."
_DEFAULT_PORT = 9092
_PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How to speak to a cluster.

    Attributes:
        bootstrap: Brokers to ask first.
        group_id: The consumer group whose offsets are read; never joined.
        reset: What to do where there is no offset: `earliest`, `latest`, `none`; None: not said.
        read_committed: Whether records of open and aborted transactions are left out.
        check_crcs: Whether each batch is proved whole.
        request_timeout_ms: How long one answer may take.
        api_timeout_ms: How long to try to reach the cluster at all before giving up.
        fetch_max_wait_ms: How long a broker may hold an empty answer.
        fetch_max_bytes: The most that one answer may hold, give or take a batch.
        partition_max_bytes: The same for one partition of it.
        security_protocol: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
        properties: All of `properties.*` without the prefix.
    """

    bootstrap: tuple[Address, ...]
    client_id: str = "yeoul"
    group_id: str | None = None
    reset: str | None = None
    read_committed: bool = True
    check_crcs: bool = True
    request_timeout_ms: int = 30_000
    api_timeout_ms: int = 5_000
    fetch_max_wait_ms: int = 500
    fetch_min_bytes: int = 1
    fetch_max_bytes: int = 16 << 20
    partition_max_bytes: int = 4 << 20
    security_protocol: str = "plaintext"
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProducerSettings:
    """How to produce.

    Attributes:
        codec: How batches are compressed.
        buffer_bytes: The most that may wait for an acknowledgement.
        delivery_timeout_ms: How long a batch may take, all attempts together.
        request_timeout_ms: How long the broker may take for one.
    """

    codec: Codec
    buffer_bytes: int
    delivery_timeout_ms: int
    request_timeout_ms: int


def producer_settings(settings: ClientSettings) -> ProducerSettings:
    """Returns what `properties.*` say about producing.

    Raises:
        UserError: A property does not parse, or asks for weaker acknowledgements than all.
    """
    properties = settings.properties
    codecs = {codec.name.lower(): codec for codec in Codec}
    acks = properties.get("acks", properties.get("request.required.acks", "all"))
    if acks not in ("all", "-1"):
        raise UserError(
            f"Option 'properties.acks': expected 'all', got {acks!r}", hint="A flush waits for all replicas."
        )
    return ProducerSettings(
        codec=codecs[_property(properties, "compression.type", choice(codecs), "none")],
        buffer_bytes=_property(properties, "buffer.memory", whole(1), 32 << 20),
        delivery_timeout_ms=_property(properties, "delivery.timeout.ms", whole(1), 120_000),
        request_timeout_ms=settings.request_timeout_ms,
    )


def properties_of(options: Mapping[str, str]) -> dict[str, str]:
    """Returns `properties.*` without the prefix."""
    return {name.removeprefix(_PREFIX): value for name, value in options.items() if name.startswith(_PREFIX)}


def client_settings(options: Mapping[str, str]) -> ClientSettings:
    """Returns the settings that a table's options give.

    Raises:
        UserError: An address or a property does not parse.
    """
    properties = properties_of(options)
    bootstrap = tuple(_address(part) for part in BOOTSTRAP_SERVERS.read(options).split(",") if part.strip())
    if not bootstrap:
        raise UserError(
            f"Option {BOOTSTRAP_SERVERS.name!r}: expected 'host:port', got {BOOTSTRAP_SERVERS.read(options)!r}"
        )

    def number(name: str, default: int) -> int:
        return _property(properties, name, whole(1), default)

    resets = {"earliest": "earliest", "latest": "latest", "none": "none", "smallest": "earliest", "largest": "latest"}
    reset = _property(properties, "auto.offset.reset", choice(resets), None)
    return ClientSettings(
        bootstrap=bootstrap,
        client_id=properties.get("client.id", "yeoul"),
        group_id=properties.get("group.id"),
        reset=None if reset is None else resets[reset],
        read_committed=_property(
            properties, "isolation.level", choice(("read_committed", "read_uncommitted")), "read_committed"
        )
        == "read_committed",
        check_crcs=_property(properties, "check.crcs", flag, True),
        request_timeout_ms=number("request.timeout.ms", 30_000),
        api_timeout_ms=number("default.api.timeout.ms", 5_000),
        fetch_max_wait_ms=number("fetch.max.wait.ms", 500),
        fetch_min_bytes=number("fetch.min.bytes", 1),
        fetch_max_bytes=number("fetch.max.bytes", 16 << 20),
        partition_max_bytes=number("max.partition.fetch.bytes", 4 << 20),
        security_protocol=_property(properties, "security.protocol", choice(_PROTOCOLS), "plaintext"),
        properties=properties,
    )


def _property(properties: Mapping[str, str], name: str, parse: Callable[[str], T], default: D) -> T | D:
    given = properties.get(name)
    if given is None:
        return default
    try:
        return parse(given)
    except UserError as error:
        raise UserError(f"Option '{_PREFIX}{name}': {error.message}", hint=error.hint) from None


def _address(text: str) -> Address:
    """Reads `host:port`, `host`, `[::1]:9092`, with or without `PLAINTEXT://` before it."""
    bare = text.strip().rpartition("://")[2]
    host, colon, port = bare.rpartition(":") if not bare.endswith("]") else (bare, "", "")
    if not colon:
        host, port = bare, str(_DEFAULT_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65_536 or not host:
        raise UserError(f"Option {BOOTSTRAP_SERVERS.name!r}: expected 'host:port', got {text!r}")
    return Address(host.strip("[]"), int(port))
