"""Requests of every API and version, valid and mutated, at random: nothing unexpected ever happens inside.

`YEOUL_FUZZ=1000000` widens the search; the default is a few thousand.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable

import pytest
from tests.fuzzed_requests import some_request

from yeoul.broker.config import Limits
from yeoul.wire import frames
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest

from .conftest import Bench, correlation_ids

FUZZ = int(os.environ.get("YEOUL_FUZZ", "2000"))
SEED = 3


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
