"""Random requests of any API and version that the broker serves, half of them damaged, for tests that fuzz it."""

from __future__ import annotations

import random
import struct
from typing import cast

from yeoul.broker.call import Handler
from yeoul.wire import frames
from yeoul.wire.records import Record, encode_batch
from yeoul.wire.schema import Field, Message

__all__ = ["some_request"]

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
