"""Requests of every API and version, valid and mutated, at random: nothing unexpected ever happens inside.

`YEOUL_FUZZ=1000000` widens the search; the default is a few thousand.
"""

from __future__ import annotations

import logging
import os
import random
import struct
from collections.abc import Callable
from typing import cast

import pytest

from yeoul.broker.call import Handler
from yeoul.broker.config import Limits
from yeoul.wire import frames
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
from yeoul.wire.records import Record, encode_batch
from yeoul.wire.schema import Field, Message

from .conftest import Bench, correlation_ids

FUZZ = int(os.environ.get("YEOUL_FUZZ", "2000"))
SEED = 3
BITS = {"b": 8, "h": 16, "i": 32, "q": 64}
WORDS = ["t", "u", "", "g", "__consumer_offsets", "no such", "é", "retention.ms", "1", "range", "consumer"]


def some_value(chance: random.Random, field: Field, version: int) -> object:
    if version in field.null and chance.random() < 0.1:
        return None
    match field.kind:
        case "?":
            return chance.random() < 0.5
        case "d":
            return chance.random()
        case "H":
            return chance.getrandbits(16)
        case "16s":
            return chance.choice([bytes(16), chance.randbytes(16)])
        case "string":
            return chance.choice(WORDS)
        case "bytes":
            return chance.randbytes(chance.randint(0, 20))
        case "records":
            held = [Record(i, i, b"k", b"v") for i in range(chance.randint(1, 3))]
            return bytes(encode_batch(held, producer_id=chance.randint(-1, 2)))
        case "struct":
            return some_message(chance, cast(type[Message], field.item), version)
        case "array":
            item = field.item
            if isinstance(item, Field):
                return [some_value(chance, item, version) for _ in range(chance.randint(0, 3))]
            return [some_message(chance, cast(type[Message], item), version) for _ in range(chance.randint(0, 3))]
    if chance.random() < 0.7:
        return chance.choice([0, 0, 1, 1, -1, 2, 3, 100 if field.kind != "i" else 10])
    bits = BITS[field.kind]
    return chance.getrandbits(bits) - (1 << (bits - 1))


def some_message(chance: random.Random, kind: type[Message], version: int) -> Message:
    fields = {name: field for name, field in kind.FIELDS.items() if version in field.versions}
    return kind(**{name: some_value(chance, field, version) for name, field in fields.items()})


def some_request(chance: random.Random, handler: Handler) -> bytes:
    first = max(handler.first_version, handler.api.first_version)
    version = chance.randint(first, handler.last_version)
    message = some_message(chance, handler.api.request, version)
    whole = frames.encode_request(handler.api, version, 1, chance.choice([None, "c"]), message)
    if chance.random() < 0.5:
        for _ in range(chance.randint(1, 3)):
            whole[chance.randrange(8, len(whole))] = chance.choice([0, 1, 2, 127, 128, 255, chance.randrange(256)])
    if chance.random() < 0.1:
        del whole[chance.randrange(12, len(whole)) :]
        struct.pack_into(">i", whole, 0, len(whole) - 4)
    return bytes(whole)


def test_nothing_but_answers_and_closed_connections(
    make_bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = make_bench(limits=Limits(partitions=200, connections=10_000), flush="os")
    unexpected: list[dict[str, object]] = []
    bench.loop.set_exception_handler(lambda loop, context: unexpected.append(context))
    chance = random.Random(SEED)
    handlers = list(bench.server.handlers.values())
    caplog.set_level(logging.ERROR, "yeoul.broker")
    closed = 0
    for number in range(FUZZ):
        handler = chance.choice(handlers)
        request = some_request(chance, handler)
        connection, transport = bench.connect()
        bench.feed(connection, request)
        bench.until(lambda: True)
        closed += transport.ended
        failed = [record for record in caplog.records if record.exc_info]
        assert not failed, (SEED, number, handler.api.name, request.hex(), failed[0].exc_text)
        assert not unexpected, (SEED, number, handler.api.name, request.hex(), unexpected)
        caplog.clear()
        transport.close()
        bench.until(lambda: True)
    assert FUZZ // 20 < closed < FUZZ
    connection, transport = bench.connect()
    bench.feed(connection, frames.encode_request(API_VERSIONS, 3, 5, "c", ApiVersionsRequest()))
    assert correlation_ids(transport) == [5]
