"""A record means the same in any company: a bad one beside it, whatever its type, costs it nothing."""

from __future__ import annotations

import os
import random

import json_oracle as oracle  # found beside this file
import polars as pl

from yeoul.formats.contract import FormatColumn
from yeoul.formats.json.decoder import JsonDecoder

_RECORDS = int(os.environ.get("YEOUL_FUZZ", "300"))


def _map(key: pl.DataType, value: pl.DataType) -> pl.DataType:
    return pl.List(pl.Struct({"key": key, "value": value}))


_TYPES: dict[str, pl.DataType] = {
    "numbers": pl.List(pl.Int32()),
    "lists": pl.List(pl.List(pl.Int64())),
    "map": _map(pl.String(), pl.Float64()),
    "by number": _map(pl.Int32(), pl.String()),
    "by time": _map(pl.Datetime("ms"), pl.Boolean()),
    "maps": _map(pl.String(), _map(pl.String(), pl.Int32())),
    "rows": pl.List(pl.Struct({"a": pl.Int32(), "b": pl.String()})),
    "deep": pl.Struct({"a": pl.Struct({"b": pl.List(pl.Int32()), "c": pl.Date()})}),
    "date": pl.Date(),
    "time": pl.Time(),
    "bytes": pl.Binary(),
    "instant": pl.Datetime("ms", "UTC"),
    "fine": pl.Datetime("ns"),
    "wide": pl.Decimal(38, 18),
    "small": pl.Int8(),
    "days": pl.List(pl.Date()),
}
_VALUES = [
    b"null", b"true", b"1", b"-0", b"1e3", b"128", b'"12"', b'" 7 "', b'"x"', b'""', b"1.5", b"01", b"1.", b"NaN",
    b"[]", b"[1,2,3]", b'[1,"2",null,4.7]', b'["a",null,{"b":1}]', b"[[1],[],null]", b'[[1,"x"]]', b"[1,]", b"[1,2",
    b"{}", b'{"a":1}', b'{"a":1.5,"b":null,"c":"2"}', b'{"1":"x","2":null}', b'{"a":1,"a":2}', b'{"a":}', b"{a:1}",
    b'{"a":{"b":[1,2],"c":"2024-02-29"}}', b'{"a":{"b":["z"],"c":"2023-02-29"}}', b'{"2024-01-01 00:00:00":true}',
    b'[{"a":1,"b":"x"},{"b":"y"},{},null,{"a":"3"}]', b'[{"a":"z"}]', b'"2024-02-29"', b'"2023-02-29"', b'"10:11:12.5"',
    b'"24:00:00"', b'"2024-02-29 10:11:12.123456789"', b'"2024-02-29T10:11:12"', b'"2024-02-29 10:11:12.123Z"',
    b'"2024-02-29T10:11:12.5Z"', b'"aGVsbG8="', b'"aGVsbG8"', b'"!!!"', b"12345678901234567890.123456789",
    b'["2024-02-29",null,"bad"]', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\xff"', b'["\\ud800"]', b'{"\xff":1}',
    b"[" * 2000 + b"]" * 2000, b'{"a":' * 300 + b"1" + b"}" * 300, b'"open', b"1 2",
]  # fmt: skip


def _record(names: list[str], rng: random.Random) -> bytes:
    parts = []
    for name in names:
        value = rng.choice(_VALUES)
        parts.append(b'"%s":%s' % (name.encode(), oracle.mutate(value, rng) if rng.random() < 0.2 else value))
    rng.shuffle(parts)
    whole = b"{" + b",".join(parts) + b"}"
    if rng.random() < 0.05:
        return b"\xef\xbb\xbf" + whole
    return whole + b" x" if rng.random() < 0.05 else whole


def _decoded(decoder: JsonDecoder, documents: list[bytes]) -> list[tuple[list[str], bool]]:
    """What became of each record: its rows, and whether it is dead."""
    found = decoder.decode(oracle.records_of(documents))
    places = range(len(documents)) if found.records is None else found.records.tolist()
    rows: list[list[str]] = [[] for _ in documents]
    for place, row in zip(places, found.frame.rows(), strict=True):
        rows[place].append(repr(row))
    dead = set(found.dead.records.tolist())
    assert all(str(reason) for reason in found.dead.reasons)
    return [(each, place in dead) for place, each in enumerate(rows)]


def test_a_record_is_decoded_alike_alone_and_among_others() -> None:
    rng = random.Random(20261122)
    done = 0
    while done < _RECORDS:
        names = rng.sample(list(_TYPES), rng.choice([1, 2, 3]))
        columns = tuple(FormatColumn(name, _TYPES[name]) for name in names)
        lenient = rng.random() < 0.3
        decoder = JsonDecoder(columns, ignore_parse_errors=lenient, iso=rng.random() < 0.4)
        documents = [_record(names, rng) for _ in range(rng.choice([2, 5, 40]))]
        together = _decoded(decoder, documents)
        for document, got in zip(documents, together, strict=True):
            assert _decoded(decoder, [document]) == [got], document
            assert not (got[0] and got[1]), "a row and a dead row of one record"
        done += len(documents)
