"""Records of a topic as lines.

Without a group every partition is read from its end or its beginning and nothing is remembered. With a group the
partitions are shared among its members, and the place is committed for what was written to the output.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from yeoul.cli.kafka.client import Cluster, client_settings, ends_of, explain
from yeoul.errors import UserError

__all__ = ["FORMATS", "Format", "Request", "copy_records"]

_BATCH = 1_000
_POLL_S = 0.1

Format = Callable[[Message], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What to read, and until when."""

    topic: str
    group: str | None = None
    from_beginning: bool = False
    until_end: bool = False
    max_messages: int | None = None
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
    if request.group is not None and request.until_end:
        raise UserError(
            "--until-end reads every partition itself and cannot be combined with --group",
            hint="Leave one of them out, or use --max-messages.",
        )
    consumer = Consumer(_settings(request, bootstrap))
    try:
        remaining = _begin(consumer, cluster, request)
        _copy(consumer, request, remaining, form, output)
    finally:
        output.flush()
        consumer.close()


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
    places = [(request.topic, partition) for partition in cluster.partitions(request.topic)]
    ends = ends_of(cluster, places, OffsetSpec.latest())
    starts = ends_of(cluster, places, OffsetSpec.earliest()) if request.from_beginning else ends
    consumer.assign(
        [
            TopicPartition(topic, partition, OFFSET_BEGINNING if request.from_beginning else ends[topic, partition])
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


def _copy(
    consumer: Consumer, request: Request, remaining: dict[int, int] | None, form: Format, output: BinaryIO
) -> None:
    left = request.max_messages
    while (left is None or left > 0) and (remaining is None or remaining):
        messages = consumer.consume(min(_BATCH, left) if left is not None else _BATCH, _POLL_S)
        good = [message for message in messages if _is_record(message, request.topic)]
        wanted = _before_end(good, remaining) if remaining is not None else good
        if wanted:
            output.write(b"\n".join(map(form, wanted)) + b"\n")
            output.flush()
        if request.group is not None:
            for message in _last_of_each(wanted):
                consumer.store_offsets(message)
        if left is not None:
            left -= len(wanted)
        if remaining is not None:
            for place in _at_end(messages):
                remaining.pop(place, None)  # what the offsets promised is gone: compacted, or a transaction's marker


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
