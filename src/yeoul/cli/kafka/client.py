"""The Kafka client behind `topics`, `produce`, `consume` and `groups`: connecting, and errors in the house's form.

Only here and in those commands does the command line touch confluent-kafka. Invariants: a wrong address is an error
within `CONNECT_TIMEOUT_S`, and the client's own log lines never reach the terminal: the last of them becomes part of
the error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from yeoul.errors import PeerError, UserError, YeoulError, did_you_mean

if TYPE_CHECKING:
    from confluent_kafka.admin import ClusterMetadata

__all__ = [
    "CONNECT_TIMEOUT_S",
    "REQUEST_TIMEOUT_S",
    "Cluster",
    "client_settings",
    "drain",
    "ends_of",
    "explain",
    "outcome",
    "serve",
]

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 15.0
_CONNECT_ATTEMPTS = 5

_silent = logging.getLogger("yeoul.cli.kafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False

T = TypeVar("T")


def client_settings(
    bootstrap: str, properties: Mapping[str, str], on_error: Callable[[KafkaError], None] | None = None
) -> dict[str, str | int | float | bool]:
    """Returns the settings that every client starts from; `properties` win.

    Raises:
        UserError: The address has no port that could be one.
    """
    _check_address(bootstrap)
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "client.id": "yeoul-cli",
        "logger": _silent,
        "socket.connection.setup.timeout.ms": 4_000,
    }
    if on_error is not None:
        settings["error_cb"] = on_error
    return settings | dict(properties)


def _check_address(bootstrap: str) -> None:
    for address in bootstrap.split(","):
        host, separator, port = address.strip().rpartition(":")
        if separator and (not host or not port.isdecimal() or not 0 < int(port) < 65536):
            raise UserError(
                f"Expected HOST:PORT as a broker's address, got {address!r}", hint="Such as 127.0.0.1:9092."
            )


class Cluster:
    """An admin client that is known to be connected.

    Args:
        bootstrap: `HOST:PORT[,HOST:PORT...]`.
        properties: Client properties on top.

    Raises:
        PeerError: No broker answers there within five seconds.
        UserError: A property is wrong.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, str]) -> None:
        self.bootstrap = bootstrap
        self._last_error = ""
        self._all_down = False
        try:
            self.admin = AdminClient(client_settings(bootstrap, properties, self._note))
        except KafkaException as error:
            raise UserError(f"A client property is wrong: {error.args[0].str()}") from None
        self._metadata = self._connect()

    @property
    def topics(self) -> list[str]:
        """The names of all topics, sorted."""
        return sorted(self._metadata.topics)

    def partitions(self, topic: str) -> list[int]:
        """Returns the partitions of a topic.

        Raises:
            UserError: There is no such topic.
        """
        self.require(topic)
        return sorted(self._metadata.topics[topic].partitions)

    def require(self, topic: str) -> None:
        """Raises UserError if there is no such topic."""
        if topic not in self._metadata.topics:
            near = did_you_mean(topic, (name for name in self.topics if not name.startswith("__")))
            hint = near or f"There are no topics yet: `yeoul topics create {topic}` makes one."
            raise UserError(f"Unknown topic {topic!r} at {self.bootstrap}", hint=hint)

    @property
    def metadata(self) -> ClusterMetadata:
        return self._metadata

    def refresh(self) -> None:
        """Reads the cluster's metadata again."""
        self._metadata = self._connect()

    def _connect(self) -> ClusterMetadata:
        failure = ""
        for _ in range(_CONNECT_ATTEMPTS):
            try:
                return self.admin.list_topics(timeout=CONNECT_TIMEOUT_S / _CONNECT_ATTEMPTS)
            except KafkaException as error:
                failure = str(error.args[0].str())
            self.admin.poll(0)  # lets the client tell what it ran into
            if self._all_down:
                break
        raise PeerError(
            f"No Kafka broker answers at {self.bootstrap!r}: {self._last_error or failure}",
            hint="Is it running? `yeoul up` starts one; --bootstrap-server says where to look.",
        )

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._all_down = True
        else:
            self._last_error = _reason_in(error.str())


def _reason_in(text: str) -> str:
    """The part of a client's message that people can use.

    Example:
        >>> _reason_in("h:1/bootstrap: Connect to ipv4#h:1 failed: Connection refused (after 0ms in state CONNECT)")
        'Connection refused'
    """
    without_state = re.sub(r"\s*\(after .*", "", text)
    return re.sub(r".*(failed|/bootstrap): ", "", without_state)


def explain(error: KafkaError, doing: str) -> YeoulError:
    """Returns a broker's or the client's error in the house's form.

    Args:
        error: What the client raised.
        doing: What was being done, to begin the message with: `Creating topic 'a'`.
    """
    hints = {
        KafkaError.TOPIC_ALREADY_EXISTS: "Add --if-not-exists if that is fine.",
        KafkaError.UNKNOWN_TOPIC_OR_PART: "`yeoul topics list` shows what there is; `yeoul topics create` makes one.",
        KafkaError._UNKNOWN_TOPIC: "`yeoul topics list` shows what there is; `yeoul topics create` makes one.",
        KafkaError._TIMED_OUT: "Is the broker still running?",
        KafkaError._MSG_TIMED_OUT: "Is the broker still running?",
        KafkaError._UNSUPPORTED_FEATURE: "The broker does not offer this request.",
        KafkaError.NON_EMPTY_GROUP: "Stop the group's members first.",
        KafkaError.UNKNOWN_MEMBER_ID: "Stop the group's members first.",
        KafkaError.GROUP_ID_NOT_FOUND: "`yeoul groups list` shows what there is.",
    }
    return PeerError(f"{doing} failed: {error.str()}", hint=hints.get(error.code(), ""))


def outcome(future: Future[T], doing: str) -> T:
    """Returns what an admin request gave.

    Raises:
        PeerError: The broker refused or did not answer.
    """
    try:
        return future.result(timeout=REQUEST_TIMEOUT_S)
    except KafkaException as error:
        raise explain(error.args[0], doing) from None
    except TimeoutError:
        raise PeerError(f"{doing} failed: no answer within {REQUEST_TIMEOUT_S:.0f} s") from None


def serve(producer: Producer, timeout_s: float) -> None:
    """Lets a producer's callbacks run, for at most so long.

    Raises:
        KeyboardInterrupt: Ctrl-C came; when it does inside a callback, the client knows only that something went wrong.
    """
    try:
        producer.poll(timeout_s)
    except SystemError:
        raise KeyboardInterrupt from None


def drain(producer: Producer, timeout_s: float) -> int:
    """Waits until all is acknowledged, for at most so long; returns how many records are not. Raises as `serve`."""
    try:
        return producer.flush(timeout_s)
    except SystemError:
        raise KeyboardInterrupt from None


def ends_of(cluster: Cluster, partitions: Iterable[tuple[str, int]], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    """Returns the offset that `spec` (earliest, latest, a timestamp) means in each partition."""
    wanted = {TopicPartition(topic, partition): spec for topic, partition in partitions}
    if not wanted:
        return {}
    answers = cluster.admin.list_offsets(wanted, request_timeout=REQUEST_TIMEOUT_S)
    return {(one.topic, one.partition): outcome(future, "Reading offsets").offset for one, future in answers.items()}
