"""What `yeoul mirror` shows, and what its options become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from yeoul.cli.mirroring import Rates, Request, json_line, plain_line, settings_of, table_of
from yeoul.connectors.kafka.settings import Address
from yeoul.errors import UserError
from yeoul.mirror.progress import Tally


def half_way() -> tuple[Tally, Rates]:
    tally = Tally("copy.", started_s=100.0, transactions=3, offsets=2, is_connected=True)
    tally.partitions = {"orders": 3, "users": 1}
    rates = Rates()
    rates.take(tally.snapshot(100.0))
    tally.records.update(orders=20_000, users=500)
    tally.size_bytes.update(orders=3 << 20, users=1_024)
    tally.lags = {"orders": 10_000, "users": 0}
    rates.take(tally.snapshot(102.0))
    return tally, rates


def test_a_line_says_how_far_it_is_and_how_long_the_rest_takes() -> None:
    tally, rates = half_way()
    assert plain_line(tally.snapshot(102.0), rates) == (
        "2 s copying | topics 2 | records 20.5 k (10.2 k/s) | 3.0 MB (1.5 MB/s) | lag 10 k | ready in 0 s | "
        "offsets committed 2"
    )


def test_json_has_every_topic() -> None:
    tally, rates = half_way()
    shown = json.loads(json_line(tally.snapshot(102.0), rates))
    assert shown["records"] == 20_500
    assert shown["eta_s"] == 1.0
    assert shown["topics"][0] == {
        "topic": "orders",
        "target": "copy.orders",
        "partitions": 3,
        "records": 20_000,
        "bytes": 3 << 20,
        "lag": 10_000,
    }


def test_a_lag_that_is_not_known_is_not_made_up() -> None:
    tally, rates = half_way()
    tally.lags = {"orders": None}
    assert tally.snapshot(102.0).lag is None
    assert "lag ? | ready in ?" in plain_line(tally.snapshot(102.0), rates)


def test_the_table_begins_with_whoever_is_furthest_behind() -> None:
    tally, _ = half_way()
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table_of(tally.snapshot(102.0)))
    lines = console.export_text().splitlines()
    assert lines[1].split() == ["orders", "copy.orders", "3", "20", "k", "3.0", "MB", "10", "k"]


def test_options_become_settings(tmp_path: Path) -> None:
    config = tmp_path / "to.properties"
    config.write_text("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=p\n")
    settings = settings_of(
        Request("127.0.0.1:9092", "kafka:9093", target_config=config, topics=["a.*"], rate="10 MB/s", refresh="1 s")
    )
    assert settings.source.bootstrap == (Address("127.0.0.1", 9092),)
    assert settings.target.bootstrap == (Address("kafka", 9093),)
    assert settings.target.security_protocol == "sasl_plaintext"
    assert settings.source.security_protocol == "plaintext"
    assert settings.rate_bytes == 10 << 20
    assert settings.refresh_ms == 1_000
    assert "abc" in settings.topics
    assert "b" not in settings.topics


def test_a_wrong_address_is_told_by_its_option() -> None:
    with pytest.raises(UserError, match="Option '--to': expected 'host:port', got 'nowhere:x'"):
        settings_of(Request("127.0.0.1:9092", "nowhere:x"))
