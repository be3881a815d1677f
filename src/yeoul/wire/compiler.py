"""Turns a declared message into straight-line code for one version, once, on first use.

Owns the generated encoders and decoders. Invariants: neighbouring fixed-width fields are one `struct` call; a length or
count is held against the bytes that are left before anything is allocated; whatever the bytes, decoding raises only
`ProtocolError`; unknown tagged fields are skipped; tagged fields at their default are not written.

Generated, a decoder looks like this (`b` the frame, `p` the position, `e` the end):

    def decode_Broker_9(b, p, e):
        (node_id,) = fixed_0(b, p); p += 4
        n = b[p]; p += 1
        if n > 127: n, p = uvarint(b, p - 1)
        ...
        return Broker(node_id=node_id, host=host), p
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, ProtocolError

if TYPE_CHECKING:
    from yeoul.wire.schema import Field, Message

__all__ = ["append_uvarint", "decode", "encode", "read_uvarint", "skip_tagged"]

_Message = TypeVar("_Message", bound="Message")
_Decoder = Callable[[memoryview, int, int], "tuple[Message, int]"]
_Encoder = Callable[["Message", bytearray], None]

_decoders: dict[tuple[type, int, bool], _Decoder] = {}
_encoders: dict[tuple[type, int, bool], _Encoder] = {}
_NULL_STRUCT = 0xFF
"""The byte before a nullable structure: -1 where there is none, else 1."""
_SIZES = {"?": 1, "b": 1, "h": 2, "H": 2, "i": 4, "q": 8, "d": 8, "16s": 16}


def encode(message: Message, version: int, flexible: bool) -> bytearray:
    """Returns the message as bytes."""
    kind = type(message)
    encoder = _encoders.get((kind, version, flexible)) or _compile_encoder(kind, version, flexible)
    out = bytearray()
    encoder(message, out)
    return out


def decode(kind: type[_Message], buffer: Buffer, version: int, flexible: bool, position: int = 0) -> _Message:
    """Returns the message that starts at `position`; bytes after it are left alone.

    Raises:
        ProtocolError: The bytes are no such message (`INVALID_REQUEST`).
    """
    decoder = _decoders.get((kind, version, flexible)) or _compile_decoder(kind, version, flexible)
    view = buffer if isinstance(buffer, memoryview) else memoryview(buffer)
    try:
        return cast(_Message, decoder(view, position, len(view))[0])
    except (struct.error, IndexError) as error:
        raise _broken(f"{kind.__name__} version {version} ends early: {error}") from error
    except UnicodeDecodeError as error:
        raise _broken(f"{kind.__name__} version {version} holds a string that is not UTF-8") from error


def _broken(message: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_REQUEST, message)


def read_uvarint(buffer: Buffer, position: int) -> tuple[int, int]:
    """Returns (value, position after it) of an unsigned varint of at most five bytes; IndexError at the end."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 28:
            raise _broken("An unsigned varint of more than five bytes")


def append_uvarint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def skip_tagged(buffer: Buffer, position: int) -> int:
    """Returns the position after a section of tagged fields, whatever they are."""
    count, position = read_uvarint(buffer, position)
    for _ in range(count):
        _, position = read_uvarint(buffer, position)
        size_bytes, position = read_uvarint(buffer, position)
        position += size_bytes
        if position > len(buffer):
            raise _broken("A tagged field runs past its message")
    return position


def _bad_length(name: str, length: int, left_bytes: int) -> ProtocolError:
    return _broken(f"Field {name!r} claims {length} bytes or elements, {left_bytes} bytes are left")


def _bad_null(name: str) -> ProtocolError:
    return _broken(f"Field {name!r} must not be null")


def _null_given(name: str, version: int) -> ValueError:
    return ValueError(f"Field {name!r} must not be None in version {version}")


class _Source:
    """Lines of Python, the names they refer to, and how deep they are indented."""

    def __init__(self, version: int, flexible: bool) -> None:
        self.version = version
        self.flexible = flexible
        self.lines: list[str] = []
        self.depth = 1
        self.names = 0
        self.scope: dict[str, object] = {
            "append_uvarint": append_uvarint,
            "bad_length": _bad_length,
            "bad_null": _bad_null,
            "null_given": _null_given,
            "read_uvarint": read_uvarint,
            "skip_tagged": skip_tagged,
        }

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def name(self, prefix: str, value: object) -> str:
        name = f"{prefix}_{self.names}"
        self.names += 1
        self.scope[name] = value
        return name

    def fresh(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def build(self, signature: str) -> Callable[..., object]:
        source = f"def generated({signature}):\n" + "\n".join(self.lines)
        exec(source, self.scope)  # noqa: S102  (the source is made from declarations in this package, never from input)
        return cast("Callable[..., object]", self.scope["generated"])


def _fields_of(kind: type[Message], version: int) -> tuple[list[tuple[str, Field]], list[tuple[str, Field]]]:
    """Returns the ordinary and the tagged fields that exist in this version, tagged ones by number."""
    present = [(name, field) for name, field in kind.FIELDS.items() if version in field.versions]
    tagged = [(name, field) for name, field in present if field.tag is not None]
    tagged.sort(key=lambda pair: pair[1].tag or 0)
    return [pair for pair in present if pair[1].tag is None], tagged


def _smallest_bytes(item: Field | type[Message], version: int, flexible: bool) -> int:
    """Returns the fewest bytes that one element of an array can take: it bounds how many there can be."""
    if isinstance(item, type):
        ordinary, _ = _fields_of(item, version)
        return sum(_smallest_bytes(field, version, flexible) for _, field in ordinary) + flexible
    if item.kind in _SIZES:
        return _SIZES[item.kind]
    if item.kind == "struct":
        if version in item.null:
            return 1
        return _smallest_bytes(_item_of(item), version, flexible)
    return 1 if flexible else 2 if item.kind == "string" else 4


def _item_of(field: Field) -> Field | type[Message]:
    assert field.item is not None
    return field.item


# Decoding


def _compile_decoder(kind: type[Message], version: int, flexible: bool) -> _Decoder:
    source = _Source(version, flexible)
    ordinary, tagged = _fields_of(kind, version)
    _decode_ordinary(source, ordinary)
    if flexible:
        _decode_tagged(source, tagged)
    arguments = ", ".join(f"{name}={name}" for name, _ in ordinary + (tagged if flexible else []))
    source.add(f"return {source.name('new', kind)}({arguments}), p")
    decoder = cast(_Decoder, source.build("b, p, e"))
    _decoders[kind, version, flexible] = decoder
    return decoder


def _decode_ordinary(source: _Source, fields: list[tuple[str, Field]]) -> None:
    run: list[tuple[str, Field]] = []
    for name, field in [*fields, ("", None)]:
        if field is not None and field.kind in _SIZES:
            run.append((name, field))
            continue
        if run:
            layout = struct.Struct(">" + "".join(each.kind for _, each in run))
            targets = ", ".join(each for each, _ in run)
            source.add(f"{targets}, = {source.name('fixed', layout.unpack_from)}(b, p)")
            source.add(f"p += {layout.size}")
            run = []
        if field is not None:
            _decode_field(source, name, field)


def _decode_field(source: _Source, name: str, field: Field) -> None:
    if field.kind in _SIZES:
        _decode_ordinary(source, [(name, field)])
    elif field.kind == "struct":
        decoder = _decoder_for(source, cast("type[Message]", field.item))
        if source.version in field.null:
            source.add(f"if b[p] == {_NULL_STRUCT}: {name}, p = None, p + 1")
            source.add(f"else: {name}, p = {decoder}(b, p + 1, e)")
        else:
            source.add(f"{name}, p = {decoder}(b, p, e)")
    else:
        _decode_sized(source, name, field)


def _decoder_for(source: _Source, kind: type[Message]) -> str:
    key = (kind, source.version, source.flexible)
    return source.name("decode", _decoders.get(key) or _compile_decoder(*key))


def _decode_sized(source: _Source, name: str, field: Field) -> None:
    """Length, null check, bound, then the content."""
    length = source.fresh("n")
    if source.flexible:
        source.add(f"{length} = b[p]")
        source.add("p += 1")
        source.add(f"if {length} > 127: {length}, p = read_uvarint(b, p - 1)")
        source.add(f"{length} -= 1")
    else:
        layout = struct.Struct(">h" if field.kind == "string" else ">i")
        source.add(f"{length}, = {source.name('length', layout.unpack_from)}(b, p)")
        source.add(f"p += {layout.size}")
    source.add(f"if {length} < 0:")
    if source.version in field.null:
        source.add(f"    {name} = None")
    else:
        source.add(f"    raise bad_null({name!r})")
    source.add("else:")
    source.depth += 1
    if field.kind == "array":
        _decode_array(source, name, length, _item_of(field))
    else:
        source.add(f"if {length} > e - p: raise bad_length({name!r}, {length}, e - p)")
        chunk = f"b[p:p + {length}]"
        convert = {"string": f"str({chunk}, 'utf-8')", "bytes": f"bytes({chunk})", "records": chunk}[field.kind]
        source.add(f"{name} = {convert}")
        source.add(f"p += {length}")
    source.depth -= 1


def _decode_array(source: _Source, name: str, length: str, item: Field | type[Message]) -> None:
    smallest = _smallest_bytes(item, source.version, source.flexible)
    source.add(f"if {length} * {smallest} > e - p: raise bad_length({name!r}, {length}, e - p)")
    if not isinstance(item, type) and item.kind in _SIZES and item.kind != "16s":
        source.add(f"{name} = list({source.name('unpack', struct.unpack_from)}('>%d{item.kind}' % {length}, b, p))")
        source.add(f"p += {length} * {smallest}")
        return
    element = source.fresh("x")
    source.add(f"{name} = []")
    source.add(f"for _ in range({length}):")
    source.depth += 1
    if isinstance(item, type):
        source.add(f"{element}, p = {_decoder_for(source, item)}(b, p, e)")
    else:
        _decode_field(source, element, item)
    source.add(f"{name}.append({element})")
    source.depth -= 1


def _decode_tagged(source: _Source, tagged: list[tuple[str, Field]]) -> None:
    if not tagged:
        source.add("if b[p]: p = skip_tagged(b, p)")
        source.add("else: p += 1")
        return
    for name, field in tagged:
        source.add(f"{name} = {_default_of(source, name, field)}")
    source.add("count, p = read_uvarint(b, p)")
    source.add("for _ in range(count):")
    source.depth += 1
    source.add("tag, p = read_uvarint(b, p)")
    source.add("size, p = read_uvarint(b, p)")
    source.add("if size > e - p: raise bad_length('tagged field', size, e - p)")
    source.add("after = p + size")
    for name, field in tagged:
        source.add(f"if tag == {field.tag}:")
        source.depth += 1
        _decode_field(source, name, field)
        source.add(f"if p != after: raise bad_length({name!r}, size, p)")
        source.depth -= 1
    source.add("p = after")
    source.depth -= 1


def _default_of(source: _Source, name: str, field: Field) -> str:
    if field.kind == "struct" and not field.is_nullable_struct:
        return f"{source.name('new', field.item)}()"
    if field.kind == "array" and field.default is not None:
        return "[]"
    return source.name("default", field.default)


# Encoding


def _compile_encoder(kind: type[Message], version: int, flexible: bool) -> _Encoder:
    source = _Source(version, flexible)
    ordinary, tagged = _fields_of(kind, version)
    _encode_ordinary(source, [(f"m.{name}", field) for name, field in ordinary])
    if flexible:
        _encode_tagged(source, tagged)
    source.add("return None")
    encoder = cast(_Encoder, source.build("m, out"))
    _encoders[kind, version, flexible] = encoder
    return encoder


def _encode_ordinary(source: _Source, fields: list[tuple[str, Field]]) -> None:
    run: list[tuple[str, Field]] = []
    for value, field in [*fields, ("", None)]:
        if field is not None and field.kind in _SIZES:
            run.append((value, field))
            continue
        if run:
            layout = struct.Struct(">" + "".join(each.kind for _, each in run))
            source.add(f"out += {source.name('fixed', layout.pack)}({', '.join(each for each, _ in run)})")
            run = []
        if field is not None:
            _encode_field(source, value, field)


def _encode_field(source: _Source, value: str, field: Field) -> None:
    if field.kind in _SIZES:
        _encode_ordinary(source, [(value, field)])
    elif field.kind == "struct":
        encoder = _encoder_for(source, cast("type[Message]", field.item))
        if source.version in field.null:
            source.add(f"if {value} is None: out.append({_NULL_STRUCT})")
            source.add(f"else: out.append(1); {encoder}({value}, out)")
        else:
            source.add(f"{encoder}({value}, out)")
    else:
        _encode_sized(source, value, field)


def _encoder_for(source: _Source, kind: type[Message]) -> str:
    key = (kind, source.version, source.flexible)
    return source.name("encode", _encoders.get(key) or _compile_encoder(*key))


def _encode_sized(source: _Source, value: str, field: Field) -> None:
    content = source.fresh("v")
    source.add(f"{content} = {value}")
    layout = struct.Struct(">h" if field.kind == "string" else ">i")
    source.add(f"if {content} is None:")
    if source.version in field.null:
        source.add(f"    out += {(bytes(1) if source.flexible else layout.pack(-1))!r}")
    else:
        source.add(f"    raise null_given({value.removeprefix('m.')!r}, {source.version})")
    source.add("else:")
    source.depth += 1
    if field.kind == "string":
        source.add(f"{content} = {content}.encode()")
    if source.flexible:
        source.add(f"append_uvarint(out, len({content}) + 1)")
    else:
        source.add(f"out += {source.name('length', layout.pack)}(len({content}))")
    if field.kind == "array":
        _encode_array(source, content, _item_of(field))
    else:
        source.add(f"out += {content}")
    source.depth -= 1


def _encode_array(source: _Source, content: str, item: Field | type[Message]) -> None:
    element = source.fresh("x")
    source.add(f"for {element} in {content}:")
    source.depth += 1
    if isinstance(item, type):
        source.add(f"{_encoder_for(source, item)}({element}, out)")
    else:
        _encode_field(source, element, item)
    source.depth -= 1


def _encode_tagged(source: _Source, tagged: list[tuple[str, Field]]) -> None:
    if not tagged:
        source.add("out.append(0)")
        return
    source.add("outer, count, tags = out, 0, bytearray()")
    for name, field in tagged:
        source.add(f"if m.{name} != {_default_of(source, name, field)}:")
        source.depth += 1
        source.add("count, out = count + 1, bytearray()")
        _encode_field(source, f"m.{name}", field)
        source.add(f"append_uvarint(tags, {field.tag})")
        source.add("append_uvarint(tags, len(out))")
        source.add("tags += out")
        source.depth -= 1
    source.add("append_uvarint(outer, count)")
    source.add("outer += tags")
