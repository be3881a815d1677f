"""JSON records -> columns, decoding alone, against `pl.read_ndjson` of the same bytes.

One call at a time; Polars has all cores, we have one.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench import events
from bench.measure import Row, faster, seconds
from yeoul.formats.contract import Decoded, FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder
from yeoul.kernels.lines import split_lines

EVENT = {"user_id": pl.String(), "action": pl.String(), "ts": pl.Int64(), "page": pl.String(), "latency": pl.Float64()}
TEXT = {"s": pl.String(), "i": pl.Int64()}
PIECE_BYTES = 4 << 20
MALFORMED_BAR_M = 0.5


def run(count: int, repeats: int, seed: int) -> Iterator[Row]:
    """Yields a row for each style of events, for texts all escapes or Korean, and for malformed records."""
    for style in events.STYLES:
        yield _compare(
            f"JSON decode, {style}", count, repeats, EVENT, lambda n, style=style: _events(count, seed + n, style)
        )
    for name, alphabet in (("all escapes", '"\\\n\t\x01'), ("Korean", "여울은 빠르게 흐른다")):
        yield _compare(
            f"JSON decode, {name}", count // 4, repeats, TEXT, lambda n, a=alphabet: _texts(count // 4, seed + n, a)
        )
    yield _malformed(count // 4, repeats, seed)


def _compare(
    name: str, count: int, repeats: int, schema: dict[str, pl.DataType], make: Callable[[int], NDArray[np.uint8]]
) -> Row:
    ours_s, polars_s = [], []
    for repeat in range(repeats + 1):
        data = make(repeat)
        mine_s, mine = seconds(lambda data=data: [decode(piece, schema).frame for piece in pieces(data)])
        theirs_s, theirs = seconds(
            lambda data=data: [pl.read_ndjson(piece.tobytes(), schema=schema) for piece in pieces(data)]
        )
        if not pl.concat(mine).equals(pl.concat(theirs)):
            raise AssertionError(f"{name}: the columns differ")
        if repeat:  # the first one warms both up
            ours_s.append(mine_s)
            polars_s.append(theirs_s)
    return faster(name, count, ours_s, polars_s, 1.0, "pl.read_ndjson, all cores")


def _malformed(count: int, repeats: int, seed: int) -> Row:
    rng = random.Random(seed)
    lines = b"\n".join(rng.randbytes(60).replace(b"\n", b" ") for _ in range(count))
    data = np.frombuffer(lines, np.uint8)
    taken_s = []
    for _ in range(repeats):
        one_s, reasons = seconds(lambda: list(decode(data, TEXT).dead.reasons))
        assert len(reasons) == count
        taken_s.append(one_s)
    rate = count / statistics.median(taken_s) / 1e6
    bar = f"{MALFORMED_BAR_M:g}"
    return Row("JSON decode, noise, with reasons", rate, None, "M events/s", None, bar, rate >= MALFORMED_BAR_M, "")


def decode(data: NDArray[np.uint8], schema: dict[str, pl.DataType]) -> Decoded:
    """Decodes lines of text."""
    columns = tuple(FormatColumn(name, dtype) for name, dtype in schema.items())
    return JsonDecoder(columns).decode(RecordBuffer(data, *split_lines(data)))


def pieces(data: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Cuts text into pieces of about 4 MB at line ends."""
    start = 0
    while start < len(data):
        stop = min(start + PIECE_BYTES, len(data))
        while data[stop - 1] != 10:
            stop -= 1
        yield data[start:stop]
        start = stop


def _events(count: int, seed: int, style: str) -> NDArray[np.uint8]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.ndjson"
        events.write(path, count, seed, style)
        return np.fromfile(path, np.uint8)


def _texts(count: int, seed: int, alphabet: str) -> NDArray[np.uint8]:
    rng = random.Random(seed)
    objects = ({"s": "".join(rng.choices(alphabet, k=40)), "i": index} for index in range(count))
    return np.frombuffer("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects).encode(), np.uint8)
