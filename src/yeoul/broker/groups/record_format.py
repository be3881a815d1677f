"""How a record of `__consumer_offsets` is put together from fields, and taken apart again.

Owns the two layouts that Kafka's record schemas have: fixed-size lengths, and, in flexible versions, varints and tagged
fields. Invariant: whatever the bytes, reading raises only `PeerError` and allocates no more than there are bytes.
Callers: `records`, `consumer.records`.
"""

from __future__ import annotations

import struct

from yeoul.errors import PeerError

__all__ = ["Reader", "Writer"]


class Writer:
    """Collects one record's fields.

    Example:
        >>> writer = Writer(flexible=True)
        >>> writer.string("ab")
        >>> writer.end_of_structure()
        >>> writer.done()
        b'\\x03ab\\x00'
    """

    def __init__(self, *, flexible: bool) -> None:
        self._pieces: list[bytes] = []
        self._flexible = flexible

    def number(self, layout: str, *values: int) -> None:
        self._pieces.append(struct.pack(layout, *values))

    def string(self, value: str | None) -> None:
        encoded = None if value is None else value.encode()
        if self._flexible:
            self._varint(0 if encoded is None else len(encoded) + 1)
        else:
            self.number(">h", -1 if encoded is None else len(encoded))
        self._pieces.append(encoded or b"")

    def binary(self, value: bytes) -> None:
        self.count(len(value))
        self._pieces.append(value)

    def raw(self, value: bytes) -> None:
        """Bytes of a known number, such as a UUID."""
        self._pieces.append(value)

    def count(self, count: int) -> None:
        """The number of elements, or bytes, that follow."""
        if self._flexible:
            self._varint(count + 1)
        else:
            self.number(">i", count)

    def end_of_structure(self, tagged: bytes | None = None) -> None:
        """Where tagged fields go; `tagged` is the content of the one with number 0, if there is one."""
        if not self._flexible:
            return
        self._varint(0 if tagged is None else 1)
        if tagged is not None:
            self._varint(0)
            self._varint(len(tagged))
            self._pieces.append(tagged)

    def done(self) -> bytes:
        return b"".join(self._pieces)

    def _varint(self, value: int) -> None:
        out = bytearray()
        while value > 127:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
        self._pieces.append(bytes(out))


class Reader:
    """Walks one record; anything that runs past its end is damage.

    Attributes:
        flexible: Lengths are varints and structures end with tagged fields.
    """

    def __init__(self, data: bytes, *, flexible: bool = False) -> None:
        self._data = data
        self._at = 0
        self.flexible = flexible

    def number(self, layout: str) -> int:
        try:
            (value,) = struct.unpack_from(layout, self._data, self._at)
        except struct.error as error:
            raise self.damaged() from error
        self._at += struct.calcsize(layout)
        return int(value)

    def string(self) -> str:
        return self.optional_string() or ""

    def optional_string(self) -> str | None:
        size_bytes = self._varint() - 1 if self.flexible else self.number(">h")
        if size_bytes < 0:
            return None
        try:
            return self.raw(size_bytes).decode()
        except UnicodeDecodeError as error:
            raise self.damaged() from error

    def binary(self) -> bytes:
        size_bytes = self._varint() - 1 if self.flexible else self.number(">i")
        return self.raw(max(0, size_bytes))

    def raw(self, size_bytes: int) -> bytes:
        if size_bytes > len(self._data) - self._at:
            raise self.damaged()
        self._at += size_bytes
        return self._data[self._at - size_bytes : self._at]

    def count(self) -> int:
        count = self._varint() - 1 if self.flexible else self.number(">i")
        if count > len(self._data):
            raise self.damaged()
        return count

    def skip_tags(self) -> None:
        """Leaves out the tagged fields that end a structure."""
        self.tag_zero()

    def tag_zero(self) -> bytes | None:
        """Returns the content of the tagged field with number 0, if there is one, and leaves out all others."""
        found = None
        for _ in range(self._varint() if self.flexible else 0):
            number = self._varint()
            content = self.raw(self._varint())
            if number == 0:
                found = content
        return found

    def damaged(self) -> PeerError:
        return PeerError(f"A record of __consumer_offsets is damaged at byte {self._at} of {len(self._data)}")

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.raw(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise self.damaged()
