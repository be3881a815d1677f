"""Sizes that a zstd header announces: used where they are honest, harmless where they lie."""

from __future__ import annotations

import pytest

from yeoul.wire.compression import Codec, compress, decompress
from yeoul.wire.errors import ErrorCode, ProtocolError

LIMIT_BYTES = 1 << 26


@pytest.mark.parametrize("size_bytes", [0, 1, 255, 256, 257, 65_535, 65_792, 1 << 20])
@pytest.mark.parametrize("alphabet", [b"a", bytes(range(256))])
def test_sizes_around_every_width_of_the_header(size_bytes: int, alphabet: bytes) -> None:
    data = (alphabet * (size_bytes // len(alphabet) + 1))[:size_bytes]
    assert bytes(decompress(Codec.ZSTD, compress(Codec.ZSTD, data), limit_bytes=LIMIT_BYTES)) == data


def test_a_second_frame_that_the_first_header_does_not_count_is_read_too() -> None:
    frames = bytes(compress(Codec.ZSTD, b"a" * 70_000)) + bytes(compress(Codec.ZSTD, b"b" * 90_000))
    assert bytes(decompress(Codec.ZSTD, frames, limit_bytes=LIMIT_BYTES)) == b"a" * 70_000 + b"b" * 90_000


def test_a_header_that_announces_too_little_or_too_much_is_damage_not_memory() -> None:
    honest = bytearray(compress(Codec.ZSTD, b"abc" * 30_000))
    assert honest[4] >> 6 == 2, "this frame's size has four bytes"
    for lie in (1, 2**32 - 1):
        lying = bytearray(honest)
        lying[5:9] = lie.to_bytes(4, "little")
        with pytest.raises(ProtocolError) as caught:
            decompress(Codec.ZSTD, lying, limit_bytes=LIMIT_BYTES)
        assert caught.value.code in (ErrorCode.CORRUPT_MESSAGE, ErrorCode.MESSAGE_TOO_LARGE)


def test_more_than_the_limit_is_refused_whatever_the_header_says() -> None:
    with pytest.raises(ProtocolError) as caught:
        decompress(Codec.ZSTD, compress(Codec.ZSTD, b"a" * 100_000), limit_bytes=99_999)
    assert caught.value.code is ErrorCode.MESSAGE_TOO_LARGE
