r"""Client properties as Kafka's own clients write them, in librdkafka's terms.

Owns the reading of a `.properties` file (`--command-config`) and the renaming of what Java's clients and librdkafka
call differently: trust and key stores, JAAS lines, a few buffers and waits. What only Java's clients have (serializers,
interceptors, metrics) is passed over, as they pass over what they do not know. Pure but for reading files.

Sources: https://kafka.apache.org/documentation/#adminclientconfigs,
https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md. Callers: `options` and with it every command
that speaks to a broker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["parse_properties_text", "read_properties", "translated"]

_RENAMED = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "max.block.ms": "",
    "max.poll.records": "",
    "default.api.timeout.ms": "",
    "metadata.max.idle.ms": "",
    "metrics.num.samples": "",
    "metrics.recording.level": "",
    "metrics.sample.window.ms": "",
    "metric.reporters": "",
    "exclude.internal.topics": "",
    "partitioner.class": "",
    "partitioner.adaptive.partitioning.enable": "",
    "partitioner.availability.timeout.ms": "",
    "partitioner.ignore.keys": "",
    "metadata.recovery.strategy": "metadata.recovery.strategy",
    "interceptor.classes": "",
    "auto.include.jmx.reporter": "",
    "config.providers": "",
    "security.providers": "",
    "ssl.protocol": "",
    "ssl.provider": "",
    "ssl.enabled.protocols": "",
    "ssl.keymanager.algorithm": "",
    "ssl.trustmanager.algorithm": "",
    "ssl.secure.random.implementation": "",
    "ssl.engine.factory.class": "",
    "ssl.truststore.type": "",
    "ssl.truststore.password": "",
    "ssl.keystore.type": "",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
    "sasl.client.callback.handler.class": "",
    "sasl.login.class": "",
    "sasl.login.callback.handler.class": "",
}
"""Java's name and librdkafka's; an empty one is passed over."""

_JAVA_ONLY_ENDINGS = (".serializer", ".deserializer")
_ASSIGNORS = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "CooperativeStickyAssignor": "cooperative-sticky",
}
_PEM_START = b"-----BEGIN"
_JKS_START = b"\xfe\xed\xfe\xed"
_JAAS_PART = re.compile(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([^\s;]+))")
_KNOWN_LOGINS = ("PlainLoginModule", "ScramLoginModule")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def read_properties(path: Path) -> dict[str, str]:
    """Returns what a `.properties` file says, as it says it.

    Raises:
        EnvironmentFailure: It cannot be read.
        UserError: It is no text.
    """
    try:
        return parse_properties_text(path.read_text("utf-8"))
    except OSError as error:
        raise EnvironmentFailure(
            f"Cannot read {str(path)!r}: {error.strerror or error}",
            hint="--command-config expects a file of client properties, one KEY=VALUE a line.",
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{str(path)!r} is no file of client properties: it is not UTF-8 text") from error


def parse_properties_text(text: str) -> dict[str, str]:
    r"""Returns the properties of a text in the form of `java.util.Properties`.

    Example:
        >>> parse_properties_text("# who\nuser = ann\nlong=a,\\\n   b\npath:C\\\\x\n")
        {'user': 'ann', 'long': 'a,b', 'path': 'C\\x'}
    """
    found: dict[str, str] = {}
    for line in _logical_lines(text):
        match = re.match(r"((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)", line, re.DOTALL)
        if match is not None and match[1]:
            found[_unescaped(match[1])] = _unescaped(match[2]).rstrip()
    return found


def _logical_lines(text: str) -> list[str]:
    """Lines without comments; one that ends in a single backslash goes on in the next."""
    lines: list[str] = []
    open_line: str | None = None
    for raw in text.splitlines():
        line = raw.lstrip()
        if open_line is None and (not line or line[0] in "#!"):
            continue
        line = (open_line or "") + line
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            open_line = line[:-1]
        else:
            lines.append(line)
            open_line = None
    return lines if open_line is None else [*lines, open_line]


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2], match[2])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", one, text, flags=re.DOTALL)


def translated(properties: Mapping[str, str], read: Callable[[Path], bytes] = Path.read_bytes) -> dict[str, str]:
    """Returns properties of Java's clients as librdkafka takes them; its own names pass unchanged.

    Args:
        properties: By name.
        read: Reads a store, to see what it is.

    Raises:
        UserError: A store or a login is of a kind that cannot be used here.
        EnvironmentFailure: A store cannot be read.

    Example:
        >>> line = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="a" password="b";'
        >>> translated({"sasl.jaas.config": line, "key.serializer": "x"})
        {'sasl.username': 'a', 'sasl.password': 'b'}
    """
    made: dict[str, str] = {}
    for name, value in properties.items():
        if name.endswith(_JAVA_ONLY_ENDINGS):
            continue
        match name:
            case "sasl.jaas.config":
                made |= _login(value)
            case "ssl.truststore.location":
                made |= _trust_store(value, read)
            case "ssl.keystore.location":
                made |= _key_store(value, read)
            case "ssl.keystore.password":
                if _looks_like_pkcs12(properties.get("ssl.keystore.location"), read):
                    made[name] = value
            case "ssl.endpoint.identification.algorithm":
                made[name] = value.lower() or "none"
            case "security.protocol":
                made[name] = value.upper()
            case "buffer.memory":
                made["queue.buffering.max.kbytes"] = str(max(1, int(value) >> 10)) if value.isdecimal() else value
            case "partition.assignment.strategy":
                made[name] = ",".join(_ASSIGNORS.get(one.strip().rpartition(".")[2], one) for one in value.split(","))
            case _:
                renamed = _RENAMED.get(name, name)
                if renamed:
                    made[renamed] = value
    return made


def _login(line: str) -> dict[str, str]:
    module = line.split(maxsplit=1)[0].rpartition(".")[2] if line.strip() else ""
    if module not in _KNOWN_LOGINS:
        raise UserError(
            f"'sasl.jaas.config' names the login module {module!r}, expected one of {', '.join(_KNOWN_LOGINS)}",
            hint="Other mechanisms are set with librdkafka's own names, such as sasl.oauthbearer.method.",
        )
    given = {match[1]: match[2] or match[3] or match[4] or "" for match in _JAAS_PART.finditer(line)}
    if "username" not in given or "password" not in given:
        raise UserError(
            "'sasl.jaas.config' holds no username and password", hint='Write username="..." password="...";'
        )
    return {"sasl.username": _plain(given["username"]), "sasl.password": _plain(given["password"])}


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _start_of(path: str, name: str, read: Callable[[Path], bytes]) -> bytes:
    try:
        return read(Path(path)).lstrip()[:16]
    except OSError as error:
        raise EnvironmentFailure(f"Cannot read {path!r}, which {name!r} names: {error.strerror or error}") from error


def _trust_store(path: str, read: Callable[[Path], bytes]) -> dict[str, str]:
    if _start_of(path, "ssl.truststore.location", read).startswith(_PEM_START):
        return {"ssl.ca.location": path}
    raise UserError(
        f"The trust store {path!r} is no PEM file, the only kind that can be used here",
        hint=f"Convert it: keytool -exportcert -rfc -keystore {path} -alias CA > ca.pem, and name that file.",
    )


def _key_store(path: str, read: Callable[[Path], bytes]) -> dict[str, str]:
    start = _start_of(path, "ssl.keystore.location", read)
    if start.startswith(_PEM_START):
        return {"ssl.certificate.location": path, "ssl.key.location": path}
    if start.startswith(_JKS_START):
        raise UserError(
            f"The key store {path!r} is of the kind JKS, expected PEM or PKCS12",
            hint=f"Convert it: keytool -importkeystore -srckeystore {path} -destkeystore k.p12 -deststoretype PKCS12",
        )
    return {"ssl.keystore.location": path}


def _looks_like_pkcs12(path: str | None, read: Callable[[Path], bytes]) -> bool:
    return path is not None and not _start_of(path, "ssl.keystore.location", read).startswith(_PEM_START)
