"""`yeoul doctor` on directories of real brokers."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from yeoul.broker import Broker
from yeoul.cli.main import main


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A stopped broker's directory: one partition with three batches."""
    with Broker(tmp_path) as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        for number in range(3):
            producer.produce("greetings", f"hello {number}")
            assert producer.flush(10) == 0
    return tmp_path


def test_a_sound_directory(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--data-dir", str(data_dir)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("greetings"))
    assert row.split() == ["greetings", "0", "0", "3", "3", "sound"]


def test_damage_is_shown_and_mended_by_setting_it_aside(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (segment,) = (path for path in data_dir.rglob("*.log") if b"hello 1" in path.read_bytes())
    damaged = bytearray(segment.read_bytes())
    damaged[damaged.index(b"hello 1")] ^= 0xFF
    segment.write_bytes(damaged)
    assert main(["doctor", "--data-dir", str(data_dir)]) == 1
    assert "offset 1" in capsys.readouterr().out
    assert main(["doctor", "--data-dir", str(data_dir), "--mend"]) == 0
    assert "set aside: " in capsys.readouterr().out
    with Broker(data_dir) as broker:
        assert broker.port


def test_a_directory_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--data-dir", str(tmp_path / "none")]) == 1
    assert "There is no data directory" in capsys.readouterr().err
