"""What stands around a message on the wire: the length, the request header and the response header.

Owns the header versions: request header 1 up to an API's first flexible version and 2 from it on; response header 0 and
1 likewise, except that ApiVersions responses always have header 0, because a client that reads one cannot know yet
which versions the broker speaks (KIP-511). Callers: the broker's server and every client of ours.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeVar

from yeoul.wire.compiler import append_uvarint, read_uvarint, skip_tagged
from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.schema import Api, Message

__all__ = [
    "API_VERSIONS_KEY",
    "LENGTH_BYTES",
    "RequestPrefix",
    "encode_request",
    "encode_response",
    "frame_response",
    "read_client_id",
    "read_request_prefix",
    "read_response",
    "response_header",
]

LENGTH_BYTES = 4
API_VERSIONS_KEY = 18

_LENGTH = struct.Struct(">i")
_PREFIX = struct.Struct(">hhi")
_SHORT = struct.Struct(">h")
_LENGTH_AND_CORRELATION = struct.Struct(">ii")

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)


class RequestPrefix(NamedTuple):
    """The part of a request header that every version shares."""

    api_key: int
    api_version: int
    correlation_id: int


def read_request_prefix(frame: Buffer) -> RequestPrefix:
    """Returns the first eight bytes of a frame (its length already taken off).

    Raises:
        ProtocolError: The frame is shorter than that.
    """
    try:
        return RequestPrefix._make(_PREFIX.unpack_from(frame))
    except struct.error:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"A request of {len(frame)} bytes has no header") from None


def read_client_id(frame: Buffer, flexible: bool) -> tuple[str | None, int]:
    """Returns (client id, position of the body).

    Args:
        frame: A request without its length.
        flexible: Whether the request's API is flexible in the request's version.

    Raises:
        ProtocolError: The header is cut off or not UTF-8.
    """
    position = _PREFIX.size
    try:
        (size_bytes,) = _SHORT.unpack_from(frame, position)
        position += 2
        client_id = None
        if size_bytes >= 0:
            client_id = str(frame[position : position + size_bytes], "utf-8")
            position += size_bytes
        if position > len(frame):
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"A client id of {size_bytes} bytes runs past its request")
        return client_id, skip_tagged(frame, position) if flexible else position
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"Broken request header: {error}") from error


def encode_request(
    api: Api[_Request, _Response], version: int, correlation_id: int, client_id: str | None, message: _Request
) -> bytearray:
    """Returns a whole request, length included.

    Example:
        >>> from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
        >>> encode_request(API_VERSIONS, 0, 7, "me", ApiVersionsRequest()).hex()
        '0000000c001200000000000700026d65'
    """
    out = bytearray(LENGTH_BYTES)
    out += _PREFIX.pack(api.key, version, correlation_id)
    if client_id is None:
        out += b"\xff\xff"
    else:
        encoded = client_id.encode()
        out += _SHORT.pack(len(encoded)) + encoded
    if api.is_flexible(version):
        append_uvarint(out, 0)
    out += api.encode_request(message, version)
    _LENGTH.pack_into(out, 0, len(out) - LENGTH_BYTES)
    return out


def response_header(correlation_id: int, flexible: bool, body_bytes: int) -> bytes:
    """Returns length and header of a response whose body has `body_bytes` bytes."""
    if flexible:
        return _LENGTH_AND_CORRELATION.pack(5 + body_bytes, correlation_id) + b"\x00"
    return _LENGTH_AND_CORRELATION.pack(4 + body_bytes, correlation_id)


def frame_response(api_key: int, flexible: bool, correlation_id: int, body: Buffer) -> bytes:
    """Returns a whole response, length included, around a body that is encoded already."""
    return response_header(correlation_id, flexible and api_key != API_VERSIONS_KEY, len(body)) + body


def encode_response(api: Api[_Request, _Response], version: int, correlation_id: int, message: _Response) -> bytes:
    """Returns a whole response, length included."""
    body = api.encode_response(message, version)
    return frame_response(api.key, api.is_flexible(version), correlation_id, body)


def read_response(api: Api[_Request, _Response], version: int, frame: Buffer) -> tuple[int, _Response]:
    """Returns (correlation id, response) of a frame whose length is already taken off.

    Raises:
        ProtocolError: The bytes are no such response.
    """
    try:
        (correlation_id,) = _LENGTH.unpack_from(frame)
        position = 4
        if api.is_flexible(version) and api.key != API_VERSIONS_KEY:
            position = skip_tagged(frame, position) if read_uvarint(frame, 4)[0] else 5
    except (struct.error, IndexError) as error:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"A response of {len(frame)} bytes has no header") from error
    return correlation_id, api.decode_response(frame, version, position)
