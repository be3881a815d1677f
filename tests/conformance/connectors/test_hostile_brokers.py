"""A broker of a few lines that lies, breaks off and stays silent: the reader goes on, or says what is wrong."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from yeoul.errors import PeerError
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind
from yeoul.wire.errors import ErrorCode
from yeoul.wire.frames import encode_response, read_client_id, read_request_prefix
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersion, ApiVersionsResponse
from yeoul.wire.messages.fetch import (
    FETCH,
    AbortedTransaction,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from yeoul.wire.messages.list_offsets import (
    LIST_OFFSETS,
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from yeoul.wire.messages.metadata import (
    METADATA,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from yeoul.wire.records import Record, encode_batch

pytestmark = pytest.mark.conformance

Script = Callable[["ScriptedBroker", int, FetchRequest], "bytes | FetchResponse | None"]
COLUMNS = [Column("id", t.BIGINT), Column("o", t.BIGINT, ColumnKind.METADATA, "offset")]


def batch(start: int, end: int, **more: Any) -> bytearray:
    return encode_batch([Record(one, 1, None, b'{"id": %d}' % one) for one in range(start, end)], **more)


def answer(records: bytes | bytearray | None = None, error: int = 0, end: int = 6, **more: Any) -> FetchResponse:
    data = PartitionData(
        partition_index=0, error_code=error, high_watermark=end, last_stable_offset=end, records=records, **more
    )
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=[data])])


class ScriptedBroker:
    """Answers Fetch from a script, everything else as a broker of one topic with offsets `first` to `end`.

    A script gets the number of the request and gives a response, bytes to send as they are before hanging up, or None
    to say nothing.
    """

    def __init__(self, script: Script, first: int = 0, end: int = 6, max_fetch: int = 12) -> None:
        self.script, self.first, self.end, self.max_fetch = script, first, end, max_fetch
        self.fetches: list[int] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in [self._server, *self._open]:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while len(head := stream.read(4)) == 4:
                    reply = self._reply(stream.read(struct.unpack(">i", head)[0]))
                    if reply is not None:
                        connection.sendall(reply[0])
                        if reply[1]:
                            return
            except OSError:
                return

    def _reply(self, frame: bytes) -> tuple[bytes, bool] | None:
        key, version, correlation = read_request_prefix(frame)
        api = {one.key: one for one in (API_VERSIONS, METADATA, LIST_OFFSETS, FETCH)}[key]
        _, position = read_client_id(frame, api.is_flexible(version))
        request = api.decode_request(frame, version, position)
        if isinstance(request, FetchRequest):
            self.fetches.append(request.topics[0].partitions[0].fetch_offset)
            scripted = self.script(self, len(self.fetches), request)
            if scripted is None or isinstance(scripted, bytes):
                return None if scripted is None else (scripted, True)
            return encode_response(api, version, correlation, scripted), False
        return encode_response(api, version, correlation, self._ordinary(key, request)), False

    def _ordinary(self, key: int, request: Any) -> Any:
        if key == API_VERSIONS.key:
            offered = [(API_VERSIONS, 3), (METADATA, 9), (LIST_OFFSETS, 5), (FETCH, self.max_fetch)]
            keys = [ApiVersion(api_key=api.key, min_version=0, max_version=highest) for api, highest in offered]
            return ApiVersionsResponse(api_keys=keys)
        if key == METADATA.key:
            host, _, port = self.address.partition(":")
            partition = MetadataResponsePartition(partition_index=0, leader_id=1)
            return MetadataResponse(
                brokers=[MetadataResponseBroker(node_id=1, host=host, port=int(port))],
                topics=[MetadataResponseTopic(name="t", partitions=[partition])],
            )
        at = request.topics[0].partitions[0].timestamp
        offset = self.first if at == -2 else self.end
        found = ListOffsetsPartitionResponse(partition_index=0, offset=offset)
        return ListOffsetsResponse(topics=[ListOffsetsTopicResponse(name="t", partitions=[found])])


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedBroker]]:
    made: list[ScriptedBroker] = []

    def make(script: Script, **more: int) -> ScriptedBroker:
        made.append(ScriptedBroker(script, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def options(broker: ScriptedBroker, **more: str) -> dict[str, str]:
    given = {
        "connector": "kafka",
        "topic": "t",
        "properties.bootstrap.servers": broker.address,
        "format": "json",
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
    }
    return {**given, **{name.replace("__", ".").replace("_", "-"): value for name, value in more.items()}}


def ids(tables: Any, poll_all: Any, broker: ScriptedBroker, **more: str) -> list[int]:
    source = tables.source(COLUMNS, options(broker, **more))
    return [one for piece in poll_all(source.open({})) for one in piece.frame["id"]]


def test_a_connection_that_breaks_off_within_an_answer_loses_and_doubles_nothing(
    tables: Any, poll_all: Any, scripted: Any
) -> None:
    def script(broker: ScriptedBroker, number: int, request: FetchRequest) -> bytes | FetchResponse:
        if number == 1:
            return answer(batch(0, 3))
        if number == 2:
            whole = encode_response(FETCH, 12, 1, answer(batch(3, 6)))
            return whole[: len(whole) // 2]
        return answer(batch(3, 6))

    broker = scripted(script)
    assert ids(tables, poll_all, broker) == [0, 1, 2, 3, 4, 5]
    assert broker.fetches == [0, 3, 3]
    assert "Lost the connection while reading from" in tables.errors.getvalue()


@pytest.mark.parametrize("code", [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
def test_a_leader_that_moved_is_looked_for_again(tables: Any, poll_all: Any, scripted: Any, code: ErrorCode) -> None:
    broker = scripted(lambda _, number, __: answer(error=code) if number < 3 else answer(batch(0, 6)))
    assert ids(tables, poll_all, broker) == [0, 1, 2, 3, 4, 5]


def test_deleted_records_are_skipped_with_a_warning(tables: Any, poll_all: Any, scripted: Any) -> None:
    def script(broker: ScriptedBroker, number: int, request: FetchRequest) -> FetchResponse:
        return answer(error=ErrorCode.OFFSET_OUT_OF_RANGE) if number == 1 else answer(batch(4, 6))

    broker = scripted(script, first=4)
    more = {"scan__startup__mode": "specific-offsets", "scan__startup__specific_offsets": "partition:0,offset:0"}
    assert ids(tables, poll_all, broker, **more) == [4, 5]
    assert tables.errors.getvalue() == (
        "warning: Topic 't', partition 0: offset 0 is not there any more; going on at 4 "
        "('properties.auto.offset.reset' = 'earliest')\n"
    )


def test_deleted_records_end_the_job_when_told_so(tables: Any, poll_all: Any, scripted: Any) -> None:
    broker = scripted(lambda *_: answer(error=ErrorCode.OFFSET_OUT_OF_RANGE))
    with pytest.raises(PeerError) as caught:
        ids(tables, poll_all, broker, properties__auto__offset__reset="none")
    assert str(caught.value) == (
        "Topic 't', partition 0: offset 0 is not there any more. "
        "Records were deleted. 'properties.auto.offset.reset' = 'earliest' goes on with what is left."
    )


def test_what_is_not_allowed_is_said_at_once(tables: Any, poll_all: Any, scripted: Any) -> None:
    broker = scripted(lambda *_: answer(error=ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(PeerError, match=r"partition 0: the broker refused a fetch: TOPIC_AUTHORIZATION_FAILED"):
        ids(tables, poll_all, broker)


def test_a_damaged_batch_ends_the_job_with_its_offset(tables: Any, poll_all: Any, scripted: Any) -> None:
    damaged = batch(3, 6)
    damaged[-1] ^= 0xFF
    broker = scripted(lambda _, number, __: answer(batch(0, 3)) if number == 1 else answer(damaged))
    with pytest.raises(PeerError) as caught:
        ids(tables, poll_all, broker)
    assert caught.value.message.startswith("Topic 't', partition 0: the record batch at offset 3 is damaged: CRC-32C")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (b"\0" * 80, "Topic 't', partition 0, offset 0: Expected a record batch of magic 2, got"),
        (bytes(batch(0, 1)[:8]) + b"\xff" * 60 + b"\0" * 40, "Topic 't', partition 0, offset 0: "),
    ],
)
def test_records_that_are_none_end_the_job(
    tables: Any, poll_all: Any, scripted: Any, records: bytes, message: str
) -> None:
    broker = scripted(lambda *_: answer(records))
    with pytest.raises(PeerError) as caught:
        ids(tables, poll_all, broker)
    assert caught.value.message.startswith(message)


def test_records_before_the_offset_asked_for_do_not_turn_into_a_loop(tables: Any, poll_all: Any, scripted: Any) -> None:
    broker = scripted(lambda _, number, __: answer(batch(0, 3)))
    with pytest.raises(PeerError, match=r"offset 3: the broker answered with records before offset 3"):
        ids(tables, poll_all, broker)


def test_a_batch_that_does_not_fit_is_asked_for_with_more_room(tables: Any, poll_all: Any, scripted: Any) -> None:
    whole = bytes(batch(0, 6))

    def script(broker: ScriptedBroker, number: int, request: FetchRequest) -> FetchResponse:
        return answer(whole[: request.topics[0].partitions[0].partition_max_bytes])

    room = {"properties__max__partition__fetch__bytes": "70"}
    assert ids(tables, poll_all, scripted(script), **room) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("reply", [b"\x7f\xff\xff\xff", b"\0\0\0\0", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_an_answer_that_is_none_is_given_up_in_the_end(tables: Any, poll_all: Any, scripted: Any, reply: bytes) -> None:
    with pytest.raises(PeerError, match=r"gave up after 0 s"):
        ids(tables, poll_all, scripted(lambda *_: reply), scan__reconnect_timeout="100 ms")


def test_a_broker_that_stays_silent_is_given_up_in_the_end(tables: Any, poll_all: Any, scripted: Any) -> None:
    more = {"properties__request__timeout__ms": "100", "properties__fetch__max__wait__ms": "1"}
    with pytest.raises(PeerError, match=r"does not answer; gave up after 0 s"):
        ids(tables, poll_all, scripted(lambda *_: None), scan__reconnect_timeout="250 ms", **more)


def test_aborted_transactions_are_left_out_unless_asked_for(tables: Any, poll_all: Any, scripted: Any) -> None:
    transaction = {"producer_id": 7, "producer_epoch": 0, "transactional": True}
    marker = encode_batch([Record(3, 1, struct.pack(">hh", 0, 0), b"\0" * 6)], control=True, **transaction)
    records = bytes(batch(0, 1) + batch(1, 3, **transaction) + marker + batch(4, 6))
    aborted = [AbortedTransaction(producer_id=7, first_offset=1)]

    def script(broker: ScriptedBroker, number: int, request: FetchRequest) -> FetchResponse:
        return answer(records, aborted_transactions=aborted if request.isolation_level else None)

    broker = scripted(script)
    assert ids(tables, poll_all, broker) == [0, 4, 5]
    assert ids(tables, poll_all, broker, properties__isolation__level="read_uncommitted") == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("version", [4, 7, 11])
def test_older_brokers_are_read_too(tables: Any, poll_all: Any, scripted: Any, version: int) -> None:
    assert ids(tables, poll_all, scripted(lambda *_: answer(batch(0, 6)), max_fetch=version)) == [0, 1, 2, 3, 4, 5]


def test_a_broker_that_is_too_old_is_told_so(tables: Any, poll_all: Any, scripted: Any) -> None:
    broker = scripted(lambda *_: answer(batch(0, 6)), max_fetch=3)
    with pytest.raises(PeerError, match=r"offers Fetch versions 0 to 3, expected one of 4 to 17"):
        ids(tables, poll_all, broker)
