"""What the JSON decoder must give, worked out by Python's own json; and documents to try it on.

Run as a program it decodes mutated documents that end right before an unreadable page, and compares every row:
`json_oracle.py COUNT SEED`. Running it in a process of its own is what makes a crash visible as a failed test.
"""

from __future__ import annotations

import ctypes
import json
import math
import mmap
import random
import re
import sys
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import numpy as np
import polars as pl

from yeoul.formats.contract import Decoded, FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder

SCHEMA = {
    "s": pl.String(),
    "i": pl.Int32(),
    "big": pl.Int64(),
    "d": pl.Float64(),
    "ok": pl.Boolean(),
    "ts": pl.Datetime("ms"),
    "dec": pl.Decimal(10, 2),
    "r": pl.Struct({"x": pl.Int16, "name with a long, 이름": pl.String}),
}
COLUMNS = tuple(FormatColumn(name, dtype) for name, dtype in SCHEMA.items())
BAD = object()
_JAVA_SPACE = "".join(map(chr, range(33)))
_LENIENT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Number(str):
    """A number as it was spelled."""


class Pairs(list):
    """An object as its pairs, so that repeated keys stay visible."""


def _parse(text: str) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse, object_pairs_hook=Pairs)


def _encodable(text: str) -> str:
    text.encode()
    return text


def _string(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(_encodable(value)) if isinstance(value, str) else ("json", value)


def _exact(text: str) -> Decimal:
    """Returns a number exactly, but for exponents beyond what anybody tells apart here."""
    power = re.search("[eE]([+-]?)0*([0-9]*)$", text)
    if power and len(power[2]) > 5:
        text = text[: power.start()] + "e" + power[1] + "99999"
    return Decimal(text)


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, Number):
        if not re.search("[.eE]", value):
            number = int(value) if len(value) < 40 else 1 << 70
        else:
            if bits < 32:
                raise ValueError
            with localcontext() as context:
                context.prec = 2000
                exact = _exact(value)
                number = int(exact) if exact.is_zero() or exact.adjusted() < 30 else 1 << 70
    elif isinstance(value, str) and re.fullmatch("[+-]?[0-9]+", _encodable(value).strip(_JAVA_SPACE)):
        text = value.strip(_JAVA_SPACE)
        number = int(text) if len(text) < 4000 else 1 << 70
    else:
        raise ValueError
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError
    return number


def _double(value: Any) -> float:
    if isinstance(value, Number):
        return float(value)
    if isinstance(value, str):
        text = value.strip(_JAVA_SPACE)
        if re.fullmatch(r"[+-]?(NaN|Infinity)", text) or _LENIENT.fullmatch(text):
            return float(text)
    raise ValueError


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return not isinstance(value, Number) and _encodable(value).strip(_JAVA_SPACE).lower() == "true"
    raise ValueError


def _timestamp(value: Any) -> datetime:
    match = isinstance(value, str) and re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?", value
    )
    if not match or isinstance(value, Number):
        raise ValueError
    year, *rest = (int(part) for part in match.groups()[:6])
    millis = int((match[7] or "").ljust(9, "0")) // 1_000_000
    if year == 0:  # Python has no year 0, the format does
        return datetime(4, *rest) - timedelta(days=1461) + timedelta(milliseconds=millis)
    return datetime(year, *rest) + timedelta(milliseconds=millis)


def _decimal(value: Any) -> Decimal | None:
    text = value.strip(_JAVA_SPACE) if isinstance(value, str) else ""
    if not isinstance(value, str) or not _LENIENT.fullmatch(text):
        raise ValueError
    with localcontext() as context:
        context.prec = 3000
        exact = _exact(text)
        if exact.is_zero():
            return Decimal("0.00")
        if exact.adjusted() > 40:
            return None
        if exact.adjusted() < -40:
            return Decimal("0.00")
        rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return rounded if abs(rounded) < 10**8 else None


def _row(value: Any, lenient: bool) -> dict[str, Any]:
    if not isinstance(value, Pairs):
        raise ValueError
    row: dict[str, Any] = {"x": None, "name with a long, 이름": None}
    for key, item in value:
        if key in row:
            row[key] = (
                _field(lambda v: _integer(v, 16), item, lenient) if key == "x" else _field(_string, item, lenient)
            )
    return row


def _field(convert: Any, value: Any, lenient: bool) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except (ValueError, UnicodeEncodeError):
        if lenient:
            return None
        raise


def expected(document: bytes, lenient: bool = False) -> Any:
    """Returns the row that a record must become, BAD, or None for a record that is skipped."""
    if not document.strip(b" \t\r\n"):
        return None
    convert = {
        "s": _string,
        "i": lambda v: _integer(v, 32),
        "big": lambda v: _integer(v, 64),
        "d": _double,
        "ok": _boolean,
        "ts": _timestamp,
        "dec": _decimal,
        "r": lambda v: _row(v, lenient),
    }
    row = dict.fromkeys(SCHEMA)
    try:
        parsed = _parse(document.decode())
        if not isinstance(parsed, Pairs):
            return BAD
        for key, value in parsed:
            if key in convert:
                row[key] = _field(convert[key], value, lenient)
    except (ValueError, RecursionError):
        return BAD
    return row


def same(got: Any, want: Any) -> bool:
    """Whether a decoded value is the expected one."""
    if isinstance(want, tuple):
        return isinstance(got, str) and _parse(got) == want[1]
    if isinstance(want, dict):
        return isinstance(got, dict) and all(same(got[key], item) for key, item in want.items())
    if isinstance(want, float) and isinstance(got, float):
        return (math.isnan(got) and math.isnan(want)) or (
            got == want and math.copysign(1, got) == math.copysign(1, want)
        )
    return type(got) is type(want) and got == want


def before_a_guard_page(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Returns an array of these bytes whose last one is the last readable byte before an unreadable page."""
    page = mmap.PAGESIZE
    size = (len(data) + page - 1) // page * page
    memory = mmap.mmap(-1, size + page)
    whole = np.frombuffer(memory, np.uint8)
    whole[size - len(data) : size] = np.frombuffer(data, np.uint8)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    assert protect(ctypes.c_void_p(whole.ctypes.data + size), ctypes.c_size_t(page), 0) == 0
    return whole[size - len(data) : size]


def records_of(documents: list[bytes], *, guarded: bool = False) -> RecordBuffer:
    """Returns documents as records of one buffer."""
    data = b"".join(documents)
    lengths = np.array([len(document) for document in documents], np.int64)
    offsets = np.cumsum(lengths) - lengths
    return RecordBuffer(before_a_guard_page(data) if guarded else np.frombuffer(data, np.uint8), offsets, lengths)


def check(documents: list[bytes], *, lenient: bool, guarded: bool = False) -> None:
    """Decodes documents and compares what became of each with what must become of it."""
    decoder = JsonDecoder(COLUMNS, ignore_parse_errors=lenient)
    decoded: Decoded = decoder.decode(records_of(documents, guarded=guarded))
    rows = decoded.frame.to_dicts()
    places = range(len(documents)) if decoded.records is None else decoded.records.tolist()
    got = dict(zip(places, rows, strict=True))
    dead = dict(zip(decoded.dead.records.tolist(), decoded.dead.reasons, strict=True))
    for index, document in enumerate(documents):
        if document.lstrip(b" \t\r\n").startswith(b"["):
            continue
        want = expected(document, lenient)
        if want is BAD and lenient:
            want = None
        if want is BAD:
            assert index in dead, (document, got.get(index))
            assert index not in got, document
        elif want is None:
            assert index not in dead, (document, dead.get(index))
            assert index not in got, (document, got.get(index))
        else:
            assert index in got, (document, dead.get(index), want)
            for name in SCHEMA:
                assert same(got[index][name], want[name]), (document, name, got[index][name], want[name], index)


TOKENS = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\t", b"\r", b"\0", b"\x1f", b"\x7f", b"null",
    b"true", b"false", b"nul", b"007", b"1.", b".5", b"-", b"-0", b"+1", b"1e5", b"1E-7", b"0e", b"NaN", b"Infinity",
    b"-Infinity",
    b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"2147483648", b"1e400", b"5e-324",
    b"0.1234567890123456789", b"123456789012345678901234567890", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
    b"\xc0\x80", b"\xe2\x82", b"\xff", b"\xf5\x80\x80\x80", b"\\u00e9", b"\\ud83d\\ude00", b"\\ud800", b"\\u12", b"\\x",
    b"\\n", b"\\\"", b"\\/", b'"s":', b'"i":1,', b'"r":{', b'"x":', b'"\\u0073":', b'"unknown":', b'{"a":[1,{"b":[]}]}',
    "여울".encode(), b'"2024-02-29 23:59:59.999"', b'"2023-02-29 00:00:00"', b'" 12 "', b'"tRue"', b'"0.005"', b"1.5e0",
]  # fmt: skip


def document(rng: random.Random) -> bytes:
    """Returns a valid record of the schema, in one of many layouts."""

    def text() -> str:
        pool = "abc /-_" if rng.random() < 0.7 else 'abc"\\\n\té여울😀\x7f/'
        return "".join(rng.choice(pool) for _ in range(rng.choice([0, 3, 11, 12, 13, 30, 31, 32, 33, 70])))

    def number() -> Any:
        return rng.choice(
            [
                rng.randint(-5, 5),
                rng.random() * 10 ** rng.randint(-5, 9),
                round(rng.random() * 100, 2),
                rng.getrandbits(63),
            ]
        )

    values: dict[str, Any] = {
        "s": rng.choice([text(), text(), text(), None, 1, 2.5, True, [1, {"a": text()}], {}]),
        "i": rng.choice([rng.randint(-(2**31), 2**31 - 1), rng.randint(0, 9), "12", 4.7, None]),
        "big": rng.choice([rng.getrandbits(rng.randint(1, 63)), -rng.getrandbits(60), None]),
        "d": number(),
        "ok": rng.choice([True, False, "true", "x", None]),
        "ts": rng.choice(["2024-01-01 10:00:00", "1969-12-31 23:59:59.9", None]),
        "dec": rng.choice([number(), "1.005", None]),
        "r": rng.choice([{"x": 1}, {"x": -2, "name with a long, 이름": text()}, {}, None]),
        "unknown": rng.choice([text(), number(), [], {"deep": [[[]]]}, None]),
    }
    keys = list(values)
    if rng.random() < 0.3:
        rng.shuffle(keys)
    if rng.random() < 0.4:
        keys = [key for key in keys if rng.random() < 0.8]
    separators = rng.choice([(",", ":"), (", ", ": "), (" , ", " : ")])
    return json.dumps(
        {key: values[key] for key in keys}, separators=separators, ensure_ascii=rng.random() < 0.5
    ).encode()


def mutate(original: bytes, rng: random.Random) -> bytes:
    """Returns a record with one to three faults, or something that looks like one."""
    data = bytearray(original)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        place = rng.randint(0, len(data))
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[place - 1] = rng.randrange(256)
        elif kind == 1 and data:
            data[place - 1] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[place:place] = rng.choice(TOKENS)
        elif kind == 3:
            del data[place : place + rng.choice([1, 1, 2, 8])]
        elif kind == 4:
            other = rng.randint(0, len(data))
            data[place:place] = data[other : other + rng.choice([1, 4, 16])]
        else:
            data[place : place + rng.choice([1, 3, 8])] = rng.choice(TOKENS)
    return bytes(data)


def main(count: int, seed: int) -> None:
    """Decodes `count` mutated records, in batches that also hold sound ones."""
    rng = random.Random(seed)
    done = 0
    while done < count:
        base = [document(rng) for _ in range(rng.choice([1, 3]))]
        size = rng.choice([1, 5, 100, 400])
        documents = [mutate(rng.choice(base), rng) if rng.random() < 0.7 else rng.choice(base) for _ in range(size)]
        check(documents, lenient=rng.random() < 0.3, guarded=True)
        done += size
    print(f"{done} records")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
