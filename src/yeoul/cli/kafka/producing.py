"""Lines of a byte stream as records of a topic.

A line is sent as soon as it is whole; what arrives together is sent together. Invariant: it returns only when every
record is acknowledged, and an error says how many were.
"""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, BinaryIO, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from yeoul.cli.kafka.client import Cluster, client_settings, drain, explain, serve
from yeoul.errors import PeerError, UserError

__all__ = ["Lines", "Outgoing", "lines_of", "send_lines", "split_line"]

_CHUNK_BYTES = 1 << 18
_FLUSH_TIMEOUT_S = 30.0
_DEFAULTS = {
    "partitioner": "murmur2_random",  # where Java's producers would put the key
    "linger.ms": "5",
    "message.timeout.ms": "30000",
    "queue.buffering.max.messages": "1000000",
}


def lines_of(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yields the lines that have arrived, without their ends, in lists; a last line without an end counts.

    Example:
        >>> import io
        >>> list(lines_of(io.BytesIO(b"a\\nb\\r\\nc")))
        [[b'a', b'b'], [b'c']]
    """
    rest: list[bytes] = []
    reader = cast(BufferedReader, stream)
    while chunk := reader.read1(_CHUNK_BYTES):
        head, separator, tail = chunk.rpartition(b"\n")
        if not separator:
            rest.append(tail)
            continue
        rest.append(head)
        yield [line.removesuffix(b"\r") for line in b"".join(rest).split(b"\n")]
        rest = [tail] if tail else []
    if rest:
        yield [b"".join(rest).removesuffix(b"\r")]


def split_line(line: bytes, separator: bytes, number: int) -> tuple[bytes, bytes]:
    """Returns a line's key and value.

    Raises:
        UserError: The line does not hold the separator.
    """
    key, found, value = line.partition(separator)
    if not found:
        raise UserError(
            f"Line {number} has no key separator {separator.decode()!r}: {line[:60].decode(errors='replace')!r}",
            hint="Write KEY, the separator, VALUE; or leave --key-separator out.",
        )
    return key, value


class _Deliveries:
    """Counts what the broker acknowledged and keeps the first refusal."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.failure: KafkaError | None = None

    def note(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self.failure is None:
            self.failure = error


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record that is to be sent; None for what the client is to choose."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """How a line becomes a record.

    Attributes:
        separator: Stands between key and value; None for lines without keys.
        as_json: A line is an object as `yeoul consume --format json` writes it.
        headers: Of every record, before its own.
        partition: Where every record goes that does not say otherwise.
        null_marker: The value that means none: a tombstone.
    """

    separator: bytes | None = None
    as_json: bool = False
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int | None = None
    null_marker: bytes | None = None

    def record(self, line: bytes, number: int) -> Outgoing:
        """Returns the record of a line.

        Raises:
            UserError: The line is not of the form.

        Example:
            >>> Lines(separator=b":").record(b"k:v", 1)
            Outgoing(value=b'v', key=b'k', headers=(), partition=None, timestamp_ms=None)
        """
        if self.as_json:
            return self._json_record(line, number)
        key, value = (None, line) if self.separator is None else split_line(line, self.separator, number)
        return Outgoing(None if value == self.null_marker else value, key, self.headers, self.partition)

    def _json_record(self, line: bytes, number: int) -> Outgoing:
        try:
            given = msgspec.json.decode(line, type=_JsonRecord)
            own = tuple((name, _bytes_of(value)) for name, value in given.headers.items())
            return Outgoing(
                _bytes_of(given.value),
                _bytes_of(given.key),
                self.headers + own,
                self.partition if given.partition is None else given.partition,
                given.timestamp_ms,
            )
        except (msgspec.MsgspecError, binascii.Error) as error:
            raise UserError(
                f"Line {number} is no record as JSON: {error}",
                hint='Such as {"key": "a", "value": "b", "headers": {"h": "c"}, "partition": 0}.',
            ) from None


class _Base64(msgspec.Struct):
    base64: str


class _JsonRecord(msgspec.Struct):
    value: str | _Base64 | None = None
    key: str | _Base64 | None = None
    headers: dict[str, str | _Base64 | None] = {}
    partition: int | None = None
    timestamp_ms: int | None = None


def _bytes_of(value: str | _Base64 | None) -> bytes | None:
    if isinstance(value, _Base64):
        return base64.b64decode(value.base64, validate=True)
    return None if value is None else value.encode()


def send_lines(stream: BinaryIO, topic: str, bootstrap: str, properties: dict[str, str], lines: Lines) -> None:
    """Sends every line of a stream and says on stderr how many were acknowledged.

    Raises:
        PeerError: No broker answers, or it refused a record.
        UserError: A line lacks the separator; the lines before it are sent.
    """
    Cluster(bootstrap, {key: value for key, value in properties.items() if not key.startswith("compression")})
    deliveries = _Deliveries()
    producer = Producer(client_settings(bootstrap, _DEFAULTS | properties) | {"on_delivery": deliveries.note})
    try:
        _send_all(producer, topic, stream, lines, deliveries)
    finally:
        drain(producer, _FLUSH_TIMEOUT_S)
        left = len(producer)
        print(f"{deliveries.acknowledged} records acknowledged by {topic!r}", file=sys.stderr)
    if deliveries.failure is not None:
        raise explain(deliveries.failure, f"Producing to {topic!r}")
    if left:
        raise PeerError(f"{left} records for {topic!r} were not acknowledged within {_FLUSH_TIMEOUT_S:.0f} s")


def _send_all(producer: Producer, topic: str, stream: BinaryIO, form: Lines, deliveries: _Deliveries) -> None:
    number = 0
    plain = form == Lines()
    for lines in lines_of(stream):
        if plain:
            for line in lines:
                _send(producer, topic, {"value": line})
        else:
            for index, line in enumerate(lines, start=number + 1):
                _send(producer, topic, _arguments(form.record(line, index)))
        number += len(lines)
        serve(producer, 0)
        if deliveries.failure is not None:
            return


def _arguments(record: Outgoing) -> dict[str, Any]:
    """What `Producer.produce` wants of a record; what is not given is left out."""
    given: dict[str, Any] = {"value": record.value, "key": record.key}
    if record.headers:
        given["headers"] = list(record.headers)
    if record.partition is not None:
        given["partition"] = record.partition
    if record.timestamp_ms is not None:
        given["timestamp"] = record.timestamp_ms
    return given


def _send(producer: Producer, topic: str, record: dict[str, Any]) -> None:
    while True:
        try:
            producer.produce(topic, **record)
            return
        except BufferError:
            serve(producer, 0.1)  # the client's queue is full: wait for the broker
        except KafkaException as error:
            raise explain(error.args[0], f"Producing to {topic!r}") from None
