"""Lines of a byte stream as records of a topic.

A line is sent as soon as it is whole; what arrives together is sent together. Invariant: it returns only when every
record is acknowledged, and an error says how many were.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from typing import BinaryIO, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from yeoul.cli.kafka.client import Cluster, client_settings, explain
from yeoul.errors import PeerError, UserError

__all__ = ["lines_of", "send_lines", "split_line"]

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


def send_lines(
    stream: BinaryIO, topic: str, bootstrap: str, properties: dict[str, str], separator: bytes | None
) -> None:
    """Sends every line of a stream and says on stderr how many were acknowledged.

    Raises:
        PeerError: No broker answers, or it refused a record.
        UserError: A line lacks the separator; the lines before it are sent.
    """
    Cluster(bootstrap, {key: value for key, value in properties.items() if not key.startswith("compression")})
    deliveries = _Deliveries()
    producer = Producer(client_settings(bootstrap, _DEFAULTS | properties) | {"on_delivery": deliveries.note})
    try:
        _send_all(producer, topic, stream, separator, deliveries)
    finally:
        producer.flush(_FLUSH_TIMEOUT_S)
        left = len(producer)
        print(f"{deliveries.acknowledged} records acknowledged by {topic!r}", file=sys.stderr)
    if deliveries.failure is not None:
        raise explain(deliveries.failure, f"Producing to {topic!r}")
    if left:
        raise PeerError(f"{left} records for {topic!r} were not acknowledged within {_FLUSH_TIMEOUT_S:.0f} s")


def _send_all(
    producer: Producer, topic: str, stream: BinaryIO, separator: bytes | None, deliveries: _Deliveries
) -> None:
    number = 0
    for lines in lines_of(stream):
        for key, value in _records(lines, separator, number):
            _send(producer, topic, key, value)
        number += len(lines)
        producer.poll(0)
        if deliveries.failure is not None:
            return


def _records(lines: Sequence[bytes], separator: bytes | None, before: int) -> Iterable[tuple[bytes | None, bytes]]:
    if separator is None:
        return ((None, line) for line in lines)
    return (split_line(line, separator, before + index) for index, line in enumerate(lines, start=1))


def _send(producer: Producer, topic: str, key: bytes | None, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
            return
        except BufferError:
            producer.poll(0.1)  # the client's queue is full: wait for the broker
        except KafkaException as error:
            raise explain(error.args[0], f"Producing to {topic!r}") from None
