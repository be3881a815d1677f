"""The figures as a page: a table for each layout of the events, and why an engine has none; into docs/nexmark.md."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.nexmark.jobs import ENGINES, Engine
from bench.nexmark.run import CHECK, Figure

__all__ = ["write"]

PAGE = Path(__file__).parents[2] / "docs" / "nexmark.md"
BEGIN, END = "<!-- figures: written by the bench -->", "<!-- end of the figures -->"
_TITLES = {
    "nested": "Objects within objects, as Nexmark has them",
    "flat": "The same events flat, for engines that read no object within an object",
}


def write(figures: Sequence[Figure], count: int, command: str) -> None:
    """Puts figures into the page, in place of those that it had.

    Args:
        figures: All of a run.
        count: How many events the whole input had.
        command: What gave them.
    """
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    body = "\n".join(_lines(figures, count, command))
    PAGE.write_text(f"{head}{BEGIN}\n\n{body}\n{END}{tail}")


def _lines(figures: Sequence[Figure], count: int, command: str) -> Iterator[str]:
    engines = [ENGINES[name] for name in dict.fromkeys(one.engine for one in figures) if name in ENGINES]
    versions = ", ".join(f"{one.name} {_version(one)}" for one in engines if one.package)
    yield f"Seen on {time.strftime('%Y-%m-%d', time.gmtime())} with `{command}`: {count:,} events a query, a fifth of"
    yield f"them to get warm, {CHECK:,} whose answer is compared; {os.cpu_count()} cores ({platform.machine()}),"
    yield f"Python {platform.python_version()}; {versions}."
    yield ""
    for layout, title in _TITLES.items():
        among = [one for one in engines if one.layout == layout]
        if len(among) > 1:
            yield from _table(title, among, figures)
    yield from _refusals(engines, figures)


def _table(title: str, among: Sequence[Engine], figures: Sequence[Figure]) -> Iterator[str]:
    """A row a query: each engine's rate, CPU and memory; how many times faster yeoul is."""
    found = {(one.query, one.engine): one for one in figures}
    ours, *peers = among
    yield f"### {title}"
    yield ""
    yield "M events/s once it runs · CPU seconds per million events · MB at most; then how many times faster yeoul is."
    yield ""
    yield "| query | yeoul | " + " | ".join(f"{one.name} | times" for one in peers) + " |"
    yield "| --- | --- |" + " --- | ---: |" * len(peers)
    ratios: dict[str, list[float]] = {one.name: [] for one in peers}
    for query in dict.fromkeys(one.query for one in figures):
        mine = found[query, ours.name]
        cells = [query, _cell(mine)]
        for peer in peers:
            theirs = found.get((query, peer.name))
            ratio = "" if theirs is None or theirs.why or mine.why else f"{mine.rate / theirs.rate:.1f}"
            if ratio:
                ratios[peer.name].append(mine.rate / theirs.rate)  # type: ignore[union-attr]
            cells += ["" if theirs is None else _cell(theirs), ratio]
        yield f"| {' | '.join(cells)} |"
    yield ""
    for name, each in ratios.items():
        if each:
            middle = statistics.geometric_mean(each)
            span = f"{min(each):.1f} to {max(each):.1f}"
            yield f"{name}: {len(each)} queries; yeoul is {span} times as fast, {middle:.1f} in"
            yield "the geometric mean."
            yield ""
    starts = [
        f"{one.name} {statistics.median(each):.1f} s"
        for one in among
        if (each := [figure.start_s for figure in figures if figure.engine == one.name and not figure.why])
    ]
    yield f"From the start of the process to the first, small answer, in the median: {', '.join(starts)}."
    yield ""


def _cell(figure: Figure) -> str:
    if figure.why:
        return "-"
    return f"{figure.rate / 1e6:.2f} · {figure.cpu_s:.2f} · {figure.peak_bytes / 2**20:.0f}"


def _refusals(engines: Sequence[Engine], figures: Sequence[Figure]) -> Iterator[str]:
    refused = [one for one in figures if one.why and one.engine in {engine.name for engine in engines}]
    if not refused:
        return
    yield "### Without a figure, and why"
    yield ""
    yield "| engine | queries | the first line of its error, or what was wrong |"
    yield "| --- | --- | --- |"
    reasons = dict.fromkeys((one.engine, one.why) for one in refused)
    for engine, why in reasons:
        queries = ", ".join(one.query for one in refused if (one.engine, one.why) == (engine, why))
        told = why.replace("|", "\\|").replace("`", "")
        yield f"| {engine} | {queries} | {told} |"
    yield ""


def _version(engine: Engine) -> str:
    ask = f"import importlib.metadata as m; print(m.version({engine.package!r}))"
    done = subprocess.run([str(engine.python), "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not installed"
