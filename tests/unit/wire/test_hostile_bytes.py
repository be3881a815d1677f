"""Mutated and absurd messages: one kind of error, and memory in proportion to the frame.

`YEOUL_FUZZ=1000000` widens the search; the default is a few thousand.
"""

from __future__ import annotations

import os
import random
import tracemalloc

import pytest

from yeoul.wire import frames, produce
from yeoul.wire.errors import ProtocolError
from yeoul.wire.messages.metadata import METADATA
from yeoul.wire.schema import Api, Message

from .random_messages import all_apis, some_message

FUZZ = int(os.environ.get("YEOUL_FUZZ", "20000"))
SEED = 7


def seeds(chance: random.Random) -> list[tuple[Api[Message, Message], int, str, bytes]]:
    """A few valid messages of every API, version and direction."""
    found = []
    for api in all_apis():
        for version in range(api.first_version, api.last_version + 1):
            for _ in range(3):
                request = api.encode_request(some_message(chance, api.request, version), version)
                response = api.encode_response(some_message(chance, api.response, version), version)
                found += [(api, version, "request", bytes(request)), (api, version, "response", bytes(response))]
    return found


def mutated(chance: random.Random, whole: bytes) -> bytes:
    mutant = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(mutant) + 1)
        match chance.randrange(4):
            case 0 if at < len(mutant):
                mutant[at] = chance.randrange(256)
            case 1:
                mutant[at : at + 4] = chance.choice([b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x0f"])
            case 2:
                del mutant[at:]
            case _:
                mutant[at:at] = chance.randbytes(chance.randint(1, 5))
    return bytes(mutant)


def test_mutated_messages_raise_nothing_but_the_protocol_error_and_stay_small() -> None:
    chance = random.Random(SEED)
    corpus = seeds(chance)
    refused = 0
    tracemalloc.start()
    try:
        for _ in range(FUZZ):
            api, version, side, whole = chance.choice(corpus)
            mutant = mutated(chance, whole)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            try:
                (api.decode_request if side == "request" else api.decode_response)(mutant, version)
                if api.key == 0 and side == "request":
                    produce.read_request(memoryview(mutant), version, 0)
            except ProtocolError:
                refused += 1
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 300_000 + 1000 * len(mutant), (SEED, api.name, version, side, mutant.hex())
    finally:
        tracemalloc.stop()
    assert FUZZ // 5 < refused < FUZZ


def test_mutated_headers_raise_nothing_but_the_protocol_error() -> None:
    chance = random.Random(SEED)
    whole = b"\x00\x12\x00\x03\x00\x00\x00\x01\x00\x05yeoul\x01\x00\x02ab"
    for _ in range(FUZZ):
        mutant = memoryview(mutated(chance, whole))
        try:
            frames.read_request_prefix(mutant)
            frames.read_client_id(mutant, flexible=True)
        except ProtocolError:
            continue


@pytest.mark.parametrize("body", [b"\x7f\xff\xff\xff", b"\x00\x00\x00\x03\x00\x00", b"\x00\x00\x00\x01\x7f\xff"])
def test_an_absurd_length_is_refused_before_anything_is_allocated(body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"bytes are left|ends early"):
        METADATA.decode_request(body, 1)
