"""How a protocol message is declared: a class whose fields say their wire type and the versions they exist in.

    class Broker(Message):
        node_id: int = int32()
        host: str = string()
        rack: str | None = string("1+", null="1+", default=None)

Owns the field specifiers, the `Message` base and `Api`, which pairs a request with its response. Invariants: a
declaration is complete, nothing about an encoding is written elsewhere; every field has a default, so a message can be
built from the fields that matter, and a field that a version lacks is left out when encoded and has its default when
decoded. `compiler` turns declarations into code on first use. Callers: `messages`, the broker, the Kafka connector.

Source: https://kafka.apache.org/protocol.html; version ranges are written as there ("0+", "3-7", "2").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast, dataclass_transform, overload

from yeoul.wire.compiler import decode, encode
from yeoul.wire.compression import Buffer

__all__ = [
    "ZERO_UUID",
    "Api",
    "Field",
    "Message",
    "Versions",
    "array",
    "boolean",
    "data",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "records",
    "string",
    "struct_of",
    "uint16",
    "uuid",
]

ZERO_UUID = bytes(16)
_ALWAYS = "0+"
_NEVER = ""
_LATEST = 1 << 15


@dataclass(frozen=True, slots=True)
class Versions:
    """An inclusive range of versions; empty when `first` is beyond `last`.

    Example:
        >>> 3 in Versions.parse("3-7"), 8 in Versions.parse("3-7"), 0 in Versions.parse("")
        (True, False, False)
    """

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Versions:
        if not text:
            return cls(1, 0)
        if text.endswith("+"):
            return cls(int(text[:-1]), _LATEST)
        first, _, last = text.partition("-")
        return cls(int(first), int(last or first))

    def __contains__(self, version: int) -> bool:
        return self.first <= version <= self.last


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field.

    Attributes:
        kind: A fixed-width type's `struct` letter, or "string", "bytes", "records", "array", "struct".
        versions: Where it exists.
        null: Where it may be null.
        tag: Its number among the tagged fields; None for an ordinary field.
        default: What it holds where it is absent. Lists and structs are made anew for each message.
        item: What an array or a struct holds.
    """

    kind: str
    versions: Versions
    null: Versions
    tag: int | None
    default: object
    item: Field | type[Message] | None = None

    @property
    def is_nullable_struct(self) -> bool:
        """Whether it is a structure that is absent, None, unless it is given."""
        return self.kind == "struct" and self.null.first <= self.null.last


def _field(
    kind: str,
    versions: str,
    default: object,
    *,
    null: str = _NEVER,
    tag: int | None = None,
    item: Field | type[Message] | None = None,
) -> Field:
    return Field(kind, Versions.parse(versions), Versions.parse(null), tag, default, item)


def boolean(versions: str = _ALWAYS, *, default: bool = False, tag: int | None = None) -> bool:
    return cast(bool, _field("?", versions, default, tag=tag))


def int8(versions: str = _ALWAYS, *, default: int = 0, tag: int | None = None) -> int:
    return cast(int, _field("b", versions, default, tag=tag))


def int16(versions: str = _ALWAYS, *, default: int = 0, tag: int | None = None) -> int:
    return cast(int, _field("h", versions, default, tag=tag))


def uint16(versions: str = _ALWAYS, *, default: int = 0, tag: int | None = None) -> int:
    return cast(int, _field("H", versions, default, tag=tag))


def int32(versions: str = _ALWAYS, *, default: int = 0, tag: int | None = None) -> int:
    return cast(int, _field("i", versions, default, tag=tag))


def int64(versions: str = _ALWAYS, *, default: int = 0, tag: int | None = None) -> int:
    return cast(int, _field("q", versions, default, tag=tag))


def float64(versions: str = _ALWAYS, *, default: float = 0.0, tag: int | None = None) -> float:
    return cast(float, _field("d", versions, default, tag=tag))


def uuid(versions: str = _ALWAYS, *, tag: int | None = None) -> bytes:
    return cast(bytes, _field("16s", versions, ZERO_UUID, tag=tag))


@overload
def string(versions: str = ..., *, default: str = ..., tag: int | None = ...) -> str: ...
@overload
def string(versions: str = ..., *, null: str, default: str | None = ..., tag: int | None = ...) -> str | None: ...
def string(
    versions: str = _ALWAYS, *, null: str = _NEVER, default: str | None = "", tag: int | None = None
) -> str | None:
    return cast(str, _field("string", versions, default, null=null, tag=tag))


@overload
def data(versions: str = ..., *, default: bytes = ..., tag: int | None = ...) -> bytes: ...
@overload
def data(versions: str = ..., *, null: str, default: bytes | None = ..., tag: int | None = ...) -> bytes | None: ...
def data(
    versions: str = _ALWAYS, *, null: str = _NEVER, default: bytes | None = b"", tag: int | None = None
) -> bytes | None:
    return cast(bytes, _field("bytes", versions, default, null=null, tag=tag))


def records(versions: str = _ALWAYS) -> Buffer | None:
    """Record batches: nullable, and decoded as a view into the frame, never copied."""
    return cast(Buffer, _field("records", versions, None, null=_ALWAYS))


_Item = TypeVar("_Item")


@overload
def array(item: Callable[..., _Item], versions: str = ..., *, tag: int | None = ...) -> list[_Item]: ...
@overload
def array(
    item: Callable[..., _Item],
    versions: str = ...,
    *,
    null: str,
    default: list[_Item] | None = ...,
    tag: int | None = ...,
) -> list[_Item] | None: ...
def array(
    item: Callable[..., _Item],
    versions: str = _ALWAYS,
    *,
    null: str = _NEVER,
    default: list[_Item] | None = [],  # noqa: B006  (a marker, replaced by a new list for each message)
    tag: int | None = None,
) -> list[_Item] | None:
    element = item if isinstance(item, MessageType) else item()
    return cast("list[_Item]", _field("array", versions, default, null=null, tag=tag, item=cast(Field, element)))


_Struct = TypeVar("_Struct", bound="Message")


@overload
def struct_of(item: type[_Struct], versions: str = ..., *, tag: int | None = ...) -> _Struct: ...
@overload
def struct_of(item: type[_Struct], versions: str = ..., *, null: str, tag: int | None = ...) -> _Struct | None: ...
def struct_of(
    item: type[_Struct], versions: str = _ALWAYS, *, null: str = _NEVER, tag: int | None = None
) -> _Struct | None:
    return cast(_Struct, _field("struct", versions, None, null=null, tag=tag, item=item))


_ABSENT = object()


def _constructor(fields: dict[str, Field]) -> Callable[..., None]:
    """Compiles `__init__`, as `dataclasses` does, but in a tenth of its time: start-up builds a hundred of these."""
    scope: dict[str, object] = {"_ABSENT": _ABSENT}
    parameters, body = [], []
    for name, field in fields.items():
        value = name
        if field.kind == "array" and field.default is not None:
            value = f"[] if {name} is _ABSENT else {name}"
        elif field.kind == "struct" and not field.is_nullable_struct:
            scope[f"_new_{name}"] = field.item
            value = f"_new_{name}() if {name} is _ABSENT else {name}"
        scope[f"_default_{name}"] = field.default if value == name else _ABSENT
        parameters.append(f"{name}=_default_{name}")
        body.append(f"    self.{name} = {value}")
    star = ", *, " if parameters else ""
    source = f"def __init__(self{star}{', '.join(parameters)}):\n" + ("\n".join(body) or "    pass")
    exec(source, scope)  # noqa: S102  (the source is made from declarations in this package, never from input)
    return cast("Callable[..., None]", scope["__init__"])


@dataclass_transform(kw_only_default=True)
class MessageType(type):
    """Turns the declared fields into slots and a keyword-only constructor."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, object]) -> MessageType:
        fields = {key: value for key, value in namespace.items() if isinstance(value, Field)}
        kept = {key: value for key, value in namespace.items() if key not in fields}
        kept["__slots__"] = tuple(fields)
        kept["FIELDS"] = fields
        kept["__init__"] = _constructor(fields)
        return super().__new__(mcs, name, bases, kept)


class Message(metaclass=MessageType):
    """The base of every message and of every structure inside one."""

    FIELDS = cast("dict[str, Field]", {})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({shown})"


_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Api(Generic[_Request, _Response]):
    """One API of the protocol: its number, versions and two messages.

    Attributes:
        key: The number in the request header.
        name: As the protocol calls it.
        first_version: The oldest version that can be encoded and decoded here.
        last_version: The newest one.
        flexible_from: The first version with compact lengths and tagged fields.
    """

    key: int
    name: str
    first_version: int
    last_version: int
    flexible_from: int
    request: type[_Request]
    response: type[_Response]

    def is_flexible(self, version: int) -> bool:
        return version >= self.flexible_from

    def encode_request(self, message: _Request, version: int) -> bytearray:
        """Returns the body, without any header."""
        return encode(message, version, version >= self.flexible_from)

    def decode_request(self, buffer: Buffer, version: int, position: int = 0) -> _Request:
        """Returns the request whose body starts at `position`.

        Raises:
            ProtocolError: The bytes are no such message (`INVALID_REQUEST`).
        """
        return decode(self.request, buffer, version, version >= self.flexible_from, position)

    def encode_response(self, message: _Response, version: int) -> bytearray:
        """Returns the body, without any header."""
        return encode(message, version, version >= self.flexible_from)

    def decode_response(self, buffer: Buffer, version: int, position: int = 0) -> _Response:
        """Returns the response whose body starts at `position`; raises as `decode_request` does."""
        return decode(self.response, buffer, version, version >= self.flexible_from, position)
