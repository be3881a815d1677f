"""Doubles are exactly Python's; lines are where Python finds them."""

from __future__ import annotations

import random
import struct

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from yeoul.formats.contract import FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder
from yeoul.kernels.lines import split_lines


def spelled(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return repr(struct.unpack("d", struct.pack("Q", rng.getrandbits(62)))[0])
    if kind == 1:
        return f"{rng.getrandbits(rng.randint(1, 90))}e{rng.randint(-330, 310)}"
    if kind == 2:
        return f"{rng.getrandbits(rng.randint(1, 60))}.{rng.getrandbits(60):0{rng.randint(1, 30)}d}"
    if kind == 3:
        return f"{rng.random() * 10.0 ** rng.randint(-300, 300):.25e}"
    return f"{2 * (rng.getrandbits(53) | 1 << 52) + 1}e{rng.randint(-8, 25)}"  # halfway between two doubles


def test_doubles_are_bit_for_bit_what_float_gives() -> None:
    rng = random.Random(11)
    texts = [spelled(rng) for _ in range(50_000)]
    data = np.frombuffer("".join(f'{{"d":{text}}}\n' for text in texts).encode(), np.uint8)
    decoded = JsonDecoder((FormatColumn("d", pl.Float64()),)).decode(RecordBuffer(data, *split_lines(data)))
    got = decoded.frame["d"].to_numpy().view(np.int64)
    want = np.array([float(text) for text in texts]).view(np.int64)
    assert [texts[i] for i in np.flatnonzero(got != want)] == []


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"x" * 31, b"yz" * 40])).map(b"".join))
def test_lines_are_where_python_finds_them(text: bytes) -> None:
    offsets, lengths = split_lines(np.frombuffer(text, np.uint8))
    want = text.split(b"\n")
    want = want[:-1] if want[-1] == b"" else want
    assert [text[o : o + n] for o, n in zip(offsets, lengths, strict=True)] == want
