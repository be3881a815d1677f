"""What the soak's records hold: their own name, so that a reader can say which write it saw, and a checksum.

    name | transaction | source | filler | CRC-32 in hex

`name` is `writer#number`, `source` is `topic-partition@offset` of the record that a copy was made from.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

__all__ = ["FOREIGN", "Value", "name_of", "parse", "render"]

FOREIGN = "(not one of ours)"


class Value(NamedTuple):
    """The content of one record."""

    name: str
    transaction: str = ""
    source: str = ""


def name_of(writer: str, number: int) -> str:
    """Returns the name of a writer's record."""
    return f"{writer}#{number}"


def render(value: Value, filler_bytes: int = 0) -> bytes:
    """Returns the bytes of a record's value.

    Example:
        >>> parse(render(Value("a#1", "t", "in-0@7"), 10))
        Value(name='a#1', transaction='t', source='in-0@7')
    """
    body = f"{value.name}|{value.transaction}|{value.source}|".encode() + b"." * filler_bytes
    return body + b"|%08x" % zlib.crc32(body)


def parse(data: bytes | None) -> Value:
    """Returns what `render` put into a value; the name is `FOREIGN` for bytes that it did not write.

    Example:
        >>> parse(b"garbage").name == FOREIGN
        True
    """
    body, _, checksum = (data or b"").rpartition(b"|")
    parts = body.split(b"|")
    if len(parts) != 4 or checksum != b"%08x" % zlib.crc32(body):
        return Value(FOREIGN)
    name, transaction, source, _ = (part.decode(errors="replace") for part in parts)
    return Value(name, transaction, source)
