"""A whole run of the bench keeps each figure as it comes, can be gone on with, and writes the page once it is whole."""

from __future__ import annotations

import argparse

import pytest
from bench.nexmark import case, report
from bench.nexmark import run as runs
from bench.nexmark.figures import Figure, Record

PAGE = """Before.
<!-- figures: written by the bench -->
old
<!-- end of the figures -->
Between.
<!-- inputs: written by the bench -->
<!-- end of the inputs -->
Behind.
"""
OPTIONS = argparse.Namespace(peers=True, queries=None, engines=None, quick=False, resume=False, steady=4.5)


@pytest.fixture
def page(tmp_path, monkeypatch):
    path = tmp_path / "nexmark.md"
    path.write_text(PAGE)
    monkeypatch.setattr(case, "_FIGURES", tmp_path)
    monkeypatch.setattr(report, "PAGE", path)
    monkeypatch.setattr(report, "_version", lambda engine: "1.0")
    monkeypatch.setattr(case.suite, "NAMES", ["q00", "q01"])
    return path


def engine(interrupted_after=None):
    """A stand-in for the run of all engines: yeoul is three times as fast, clink refuses q01."""

    def run(seed, queries, engines, guesses, done, *, quick, steady_s):
        given = 0
        there = {(one.query, one.engine) for one in done}
        for query in queries:
            for name in engines:
                if (query, name) in there:
                    continue
                if given == interrupted_after:
                    raise KeyboardInterrupt
                given += 1
                why = "cannot" if (query, name) == ("q01", "clink") else ""
                rate = 0.0 if why else 3e6 if name.startswith("yeoul") else 1e6
                yield Figure(query, name, rate, 1.0, 0.5, 2**27, why, 6_400_000, 4.8, "2026-01-02")

    return run


def test_an_interrupted_run_is_gone_on_with_and_written_once_whole(page, monkeypatch):
    monkeypatch.setattr(runs, "run", engine(interrupted_after=5))
    with pytest.raises(SystemExit, match="5 figures are kept"):
        list(case.measured(OPTIONS, 1))
    assert page.read_text() == PAGE

    monkeypatch.setattr(runs, "run", engine())
    rows = list(case.measured(argparse.Namespace(**{**vars(OPTIONS), "resume": True}), 1))
    assert len(rows) == 12
    assert {row.ratio for row in rows} == {3.0, None}
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("Behind.\n")
    assert "old" not in text
    assert "| q00 | 3.00 · 0.50 · 128 | 1.00 · 0.50 · 128 | 3.0 | 1.00 · 0.50 · 128 | 3.0 |" in text
    assert "| clink | q01 | cannot |" in text
    record = Record(page.parent / "peers.ndjson")
    assert record.rates()["q01", "flink"] == 1e6
    assert not record.under_way.exists()


def test_kinds_of_input_have_a_table_of_their_own(page, monkeypatch):
    monkeypatch.setattr(runs, "run", engine())
    list(case.measured(argparse.Namespace(**{**vars(OPTIONS), "peers": False}), 1))
    assert "| query | JSON files | Parquet file | topic |" in page.read_text()
    assert "old" in page.read_text()


def test_some_queries_alone_are_not_kept(page, monkeypatch):
    monkeypatch.setattr(runs, "run", engine())
    list(case.measured(argparse.Namespace(**{**vars(OPTIONS), "queries": ["q01"]}), 1))
    assert page.read_text() == PAGE
    assert not Record(page.parent / "peers.ndjson").rates()
