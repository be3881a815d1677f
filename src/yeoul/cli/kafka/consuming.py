"""Records of a topic as lines.

Without a group every partition is read from its end or its beginning and nothing is remembered. With a group the
partitions are shared among its members, and the place is committed for what was written to the output.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from yeoul.cli.kafka.client import Cluster, client_settings, ends_of, explain
from yeoul.errors import UserError

__all__ = ["FORMATS", "Format", "Reading", "Request", "copy_records", "whole_topic"]

_BATCH = 1_000
_POLL_S = 0.1

Format = Callable[[Message], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What to read, and until when.

    Attributes:
        topic: What is read.
        group: Whose place is taken and remembered.
        from_beginning: Begin with the oldest record.
        until_end: Stop at the end that each partition has now.
        max_messages: Stop after so many.
        partitions: Only these.
        offset: Begin there; from the end when it is negative.
        from_ms: Begin with the first record of that time or later.
        idle_timeout_ms: Stop when nothing has come for so long.
        properties: Of the client.
    """

    topic: str
    group: str | None = None
    from_beginning: bool = False
    until_end: bool = False
    max_messages: int | None = None
    partitions: tuple[int, ...] = ()
    offset: int | None = None
    from_ms: int | None = None
    idle_timeout_ms: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


def _value_format(separator: bytes) -> Format:
    return lambda message: message.value() or b""


def _key_value_format(separator: bytes) -> Format:
    return lambda message: (message.key() or b"") + separator + (message.value() or b"")


def _json_format(separator: bytes) -> Format:
    encode = msgspec.json.Encoder().encode

    def line(message: Message) -> bytes:
        return encode(
            {
                "topic": message.topic(),
                "partition": message.partition(),
                "offset": message.offset(),
                "timestamp_ms": message.timestamp()[1],
                "key": _readable(message.key()),
                "value": _readable(message.value()),
                "headers": _headers(message),
            }
        )

    return line


def _headers(message: Message) -> dict[str, str | dict[str, str] | None]:
    given = message.headers()
    pairs = given.items() if isinstance(given, dict) else given or ()
    return {name: _readable(value) for name, value in pairs}


def _readable(data: str | bytes | None) -> str | dict[str, str] | None:
    """Text where the bytes are text, else `{"base64": ...}`."""
    if data is None or isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


FORMATS: Mapping[str, Callable[[bytes], Format]] = {
    "value": _value_format,
    "key-value": _key_value_format,
    "json": _json_format,
}
"""By name; each takes the key separator."""


def copy_records(request: Request, bootstrap: str, form: Format, output: BinaryIO) -> None:
    """Writes records to `output` until the request is met or the caller is interrupted.

    Raises:
        PeerError: No broker answers, or it refuses.
        UserError: There is no such topic.
    """
    cluster = Cluster(bootstrap, request.properties)
    cluster.require(request.topic)
    _check(request)
    consumer = Consumer(_settings(request, bootstrap))
    try:
        remaining = _begin(consumer, cluster, request)
        _copy(consumer, request, remaining, form, output)
    finally:
        output.flush()
        consumer.close()


def _check(request: Request) -> None:
    """Raises UserError when what was asked for contradicts itself."""
    if request.group is not None and request.until_end:
        raise UserError(
            "--until-end reads every partition itself and cannot be combined with --group",
            hint="Leave one of them out, or use --max-messages.",
        )
    places = (bool(request.partitions), request.offset is not None, request.from_ms is not None)
    if request.group is not None and any(places):
        raise UserError(
            "--partition, --offset and --from-time say where to read and cannot be combined with --group",
            hint="`yeoul groups reset-offsets` moves a group.",
        )
    if request.from_beginning + places[1] + places[2] > 1:
        raise UserError("Expected one beginning", hint="Give one of --from-beginning, --offset, --from-time.")


def _settings(request: Request, bootstrap: str) -> dict[str, str | int | float | bool]:
    defaults = {
        "group.id": request.group or "yeoul-consume",
        "enable.auto.offset.store": "false",
        "enable.auto.commit": "true" if request.group else "false",
        "auto.offset.reset": "earliest" if request.from_beginning else "latest",
        "enable.partition.eof": "true" if request.until_end else "false",
        "fetch.wait.max.ms": "100",
    }
    return client_settings(bootstrap, defaults | dict(request.properties))


def _begin(consumer: Consumer, cluster: Cluster, request: Request) -> dict[int, int] | None:
    """Assigns or subscribes; returns where each partition's reading is to stop, None for never."""
    if request.group is not None:
        consumer.subscribe([request.topic])
        return None
    places = [(request.topic, partition) for partition in _partitions(cluster, request)]
    ends = ends_of(cluster, places, OffsetSpec.latest())
    starts = _starts(cluster, request, ends)
    consumer.assign(
        [
            TopicPartition(topic, partition, OFFSET_BEGINNING if request.from_beginning else starts[topic, partition])
            for topic, partition in places
        ]
    )
    if not request.until_end:
        return None
    return {
        partition: ends[topic, partition]
        for topic, partition in places
        if starts[topic, partition] < ends[topic, partition]
    }


def _partitions(cluster: Cluster, request: Request) -> list[int]:
    held = cluster.partitions(request.topic)
    for number in request.partitions:
        if number not in held:
            raise UserError(f"Topic {request.topic!r} has no partition {number}", hint=f"It has 0 to {len(held) - 1}.")
    return sorted(set(request.partitions)) or held


def _starts(cluster: Cluster, request: Request, ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Where each partition's reading begins."""
    if request.from_ms is not None:
        found = ends_of(cluster, ends, OffsetSpec.for_timestamp(request.from_ms))
        return {place: found[place] if found[place] >= 0 else end for place, end in ends.items()}
    if not request.from_beginning and request.offset is None:
        return dict(ends)
    first = ends_of(cluster, ends, OffsetSpec.earliest())
    offset = request.offset
    if offset is None:
        return first
    wanted = {place: offset if offset >= 0 else end + offset for place, end in ends.items()}
    return {place: min(max(wanted[place], first[place]), end) for place, end in ends.items()}


def _copy(
    consumer: Consumer, request: Request, remaining: dict[int, int] | None, form: Format, output: BinaryIO
) -> None:
    left = request.max_messages
    heard_s = time.monotonic()
    while (left is None or left > 0) and (remaining is None or remaining):
        messages = consumer.consume(min(_BATCH, left) if left is not None else _BATCH, _POLL_S)
        good = [message for message in messages if _is_record(message, request.topic)]
        wanted = _before_end(good, remaining) if remaining is not None else good
        if wanted:
            heard_s = time.monotonic()
            output.write(b"\n".join(map(form, wanted)) + b"\n")
            output.flush()
        if request.group is not None:
            for message in _last_of_each(wanted):
                consumer.store_offsets(message)
        if left is not None:
            left -= len(wanted)
        idle_ms = request.idle_timeout_ms
        if idle_ms is not None and (time.monotonic() - heard_s) * 1_000 >= idle_ms:
            return
        if remaining is not None:
            for place in _at_end(messages):
                remaining.pop(place, None)  # what the offsets promised is gone: compacted, or a transaction's marker


class Reading:
    """A topic's records in batches, up to the ends that its partitions had; made by `whole_topic`."""

    def __init__(self, consumer: Consumer, topic: str, remaining: dict[int, int] | None) -> None:
        self._consumer = consumer
        self._topic = topic
        self._remaining = remaining

    def next(self, count: int, timeout_s: float) -> list[Message] | None:
        """Returns the next records, none if none came in time; None at the end.

        Raises:
            PeerError: The broker refuses.
        """
        if self._remaining is not None and not self._remaining:
            return None
        messages = self._consumer.consume(count, timeout_s)
        good = [message for message in messages if _is_record(message, self._topic)]
        if self._remaining is None:
            return good
        wanted = _before_end(good, self._remaining)
        for place in _at_end(messages):
            self._remaining.pop(place, None)
        return wanted


@contextmanager
def whole_topic(
    bootstrap: str, properties: Mapping[str, str], topic: str, *, group: str | None = None
) -> Iterator[Reading]:
    """Gives a topic from its oldest records to the ends that its partitions have now; for a group, without an end.

    Raises:
        PeerError: No broker answers, or it refuses.
        UserError: There is no such topic.
    """
    request = Request(topic, group, from_beginning=True, until_end=group is None, properties=properties)
    cluster = Cluster(bootstrap, properties)
    cluster.require(topic)
    consumer = Consumer(_settings(request, bootstrap))
    try:
        yield Reading(consumer, topic, _begin(consumer, cluster, request))
    finally:
        consumer.close()


def _is_record(message: Message, topic: str) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal() or error.code() in _FATAL:
        raise explain(error, f"Consuming from {topic!r}")
    return False  # a lost connection: the client finds its way back


_FATAL = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._AUTO_OFFSET_RESET,
    }
)


def _at_end(messages: list[Message]) -> list[int]:
    errors = ((message.partition(), message.error()) for message in messages)
    return [
        partition
        for partition, error in errors
        if partition is not None and error is not None and error.code() == KafkaError._PARTITION_EOF
    ]


def _before_end(messages: list[Message], remaining: dict[int, int]) -> list[Message]:
    """Keeps what lies before each partition's end, and forgets partitions that reached it."""
    wanted = []
    for message in messages:
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None or partition not in remaining:
            continue
        if offset < remaining[partition]:
            wanted.append(message)
        if offset >= remaining[partition] - 1:
            del remaining[partition]
    return wanted


def _last_of_each(messages: list[Message]) -> list[Message]:
    return list({message.partition(): message for message in messages}.values())
