"""Headers: which version goes with which message, and kafka-python as a second oracle for whole frames."""

from __future__ import annotations

import io

import pytest
from kio.schema.request_header.v1.header import RequestHeader as KioHeader1
from kio.schema.request_header.v2.header import RequestHeader as KioHeader2
from kio.serial import entity_writer

from yeoul.wire import frames
from yeoul.wire.errors import ProtocolError
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest, ApiVersionsResponse
from yeoul.wire.messages.heartbeat import HEARTBEAT, HeartbeatRequest, HeartbeatResponse


@pytest.mark.parametrize(("version", "header"), [(3, KioHeader1), (4, KioHeader2)])
@pytest.mark.parametrize("client_id", [None, "", "yeoul-test"])
def test_request_headers_are_kios(version: int, header: type, client_id: str | None) -> None:
    request = frames.encode_request(HEARTBEAT, version, 41, client_id, HeartbeatRequest(group_id="g"))
    expected = io.BytesIO()
    entity_writer(header)(
        expected, header(request_api_key=12, request_api_version=version, correlation_id=41, client_id=client_id)
    )
    body = HEARTBEAT.encode_request(HeartbeatRequest(group_id="g"), version)
    assert bytes(request[4:]) == expected.getvalue() + body
    assert int.from_bytes(request[:4], "big") == len(request) - 4
    frame = memoryview(request)[4:]
    assert frames.read_request_prefix(frame) == (12, version, 41)
    read_id, position = frames.read_client_id(frame, HEARTBEAT.is_flexible(version))
    assert (read_id, HEARTBEAT.decode_request(frame, version, position).group_id) == (client_id, "g")


@pytest.mark.parametrize("version", [0, 3, 4])
def test_responses_carry_the_header_of_their_version(version: int) -> None:
    frame = frames.encode_response(HEARTBEAT, version, 9, HeartbeatResponse(error_code=27))
    assert len(frame) == 4 + 4 + (2 if version == 0 else 6) + 2 * (version == 4)
    assert frames.read_response(HEARTBEAT, version, frame[4:]) == (9, HeartbeatResponse(error_code=27))


def test_api_versions_responses_have_header_zero_even_when_flexible() -> None:
    frame = frames.encode_response(API_VERSIONS, 3, 5, ApiVersionsResponse(error_code=1))
    assert frame[4:10] == b"\x00\x00\x00\x05\x00\x01"
    assert frames.read_response(API_VERSIONS, 3, frame[4:])[1].error_code == 1


def test_unknown_tagged_header_fields_are_skipped() -> None:
    request = frames.encode_request(API_VERSIONS, 3, 1, "c", ApiVersionsRequest(client_software_name="x"))
    tagged = request[4:15] + b"\x01\x07\x03abc" + request[16:]
    client_id, position = frames.read_client_id(memoryview(tagged), flexible=True)
    assert client_id == "c"
    assert API_VERSIONS.decode_request(memoryview(tagged), 3, position).client_software_name == "x"


@pytest.mark.parametrize("frame", [b"", b"\x00\x12\x00"])
def test_a_frame_without_a_header_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(ProtocolError, match="has no header"):
        frames.read_request_prefix(frame)


@pytest.mark.parametrize("client_id", [b"", b"\x00\x09ab", b"\x00\x02\xff\xff"])
def test_a_broken_client_id_is_a_protocol_error(client_id: bytes) -> None:
    with pytest.raises(ProtocolError):
        frames.read_client_id(memoryview(bytes(8) + client_id), flexible=False)
